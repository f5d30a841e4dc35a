//! `cargo xtask demo`: a call made through every layer, by the real program, and a page for browsers.

use anyhow::Result;

use crate::{
    browser,
    shell::{cargo, complain},
};

pub(crate) fn run(args: &[String]) -> Result<()> {
    complain("Building the program; the first time takes some minutes.");
    let mut command = cargo(&["run", "--package", "skapi-rtc-cli", "--bin", "skapi-rtc"]);
    command.args(["--", "demo"]).args(args);
    // It has a page only when it stays up, and whoever names one wants that one.
    if !args.iter().any(|arg| arg == "--once" || arg.starts_with("--web")) {
        match browser::page().unwrap_or_else(|error| Err(format!("{error:#}"))) {
            Ok(folder) => drop(command.arg("--web").arg(folder)),
            Err(why) => complain(&format!("note: there will be no page for browsers: {why}")),
        }
    }
    become_it(command)
}

/// Puts the program in our place, so that Ctrl-C and the exit code are its own.
#[cfg(unix)]
fn become_it(mut command: std::process::Command) -> Result<()> {
    use std::os::unix::process::CommandExt;

    Err(anyhow::Error::new(command.exec()).context("cargo could not be started"))
}

#[cfg(not(unix))]
fn become_it(mut command: std::process::Command) -> Result<()> {
    let status = command.status()?;
    std::process::exit(status.code().unwrap_or(1));
}
