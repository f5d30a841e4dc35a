//! `cargo xtask soak`: the model test for as long as one likes.

use anyhow::Result;

use crate::shell::{cargo, run as run_command};

pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut command = cargo(&["run", "--release", "--package", "skapi-rtc-testkit"]);
    command.args(["--features", "hub", "--example", "soak", "--"]).args(args);
    run_command(command)
}
