//! `cargo xtask demo`: a call made through every layer, by the real program, and a page for browsers.

use std::path::PathBuf;

use anyhow::Result;

use crate::{
    browser,
    shell::{cargo, complain},
    web,
};

pub(crate) fn run(args: &[String]) -> Result<()> {
    complain("Building the program; the first time takes some minutes.");
    let mut command = cargo(&["run", "--package", "skapi-rtc-cli", "--bin", "skapi-rtc"]);
    command.args(["--", "demo"]).args(args);
    // It has a page only when it stays up, and whoever names one wants that one.
    if !args.iter().any(|arg| arg == "--once" || arg.starts_with("--web"))
        && let Some(folder) = page()
    {
        command.arg("--web").arg(folder);
    }
    become_it(command)
}

/// The page on our own client; where that cannot be built, the one for Skapi's client, if that is installed.
fn page() -> Option<PathBuf> {
    complain("Building the page for browsers; the first time takes some minutes.");
    let why = match web::page() {
        Ok(folder) => return Some(folder),
        Err(error) => format!("{error:#}").replace('\n', " "),
    };
    match browser::page().unwrap_or_else(|error| Err(format!("{error:#}"))) {
        Ok(folder) => {
            complain(&format!("note: the page will run on Skapi's client, not on ours: {why}"));
            Some(folder)
        }
        Err(_) => {
            complain(&format!("note: there will be no page for browsers: {why}"));
            None
        }
    }
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
