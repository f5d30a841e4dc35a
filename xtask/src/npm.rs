//! Packages of npm, as the lock files of their folders name them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::{shell::run, workspace};

/// `npm` with these arguments.
pub(crate) fn npm(args: &[&str]) -> Command {
    let mut command = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    command.args(args);
    command
}

/// Installs the packages of a folder of the workspace, unless they are there.
///
/// # Errors
/// npm is missing, or the registry cannot be reached.
pub(crate) fn install(folder: impl AsRef<Path>) -> Result<()> {
    let folder = workspace::root().join(folder);
    let time = |path: PathBuf| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let installed = time(folder.join("node_modules/.package-lock.json"));
    if installed.is_some() && installed >= time(folder.join("package-lock.json")) {
        return Ok(());
    }
    let mut command = npm(&["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    command.current_dir(folder);
    run(command)
}
