//! `cargo xtask chaos`: the real program under random faults, for as long as one likes.

use anyhow::Result;

use crate::shell::{cargo, run as run_command};

pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut command = cargo(&["test", "--package", "skapi-rtc-cli", "--test", "chaos"]);
    if args.iter().any(|arg| arg == "str0m") {
        command.args(["--features", "str0m"]);
    }
    command.args(["--", "run"]).args(args);
    run_command(command)
}
