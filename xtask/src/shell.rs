//! Running other programs, and talking to whoever watches.

use std::{
    io::{BufRead, BufReader, IsTerminal, Write},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// Prints a line for people and for scripts.
pub(crate) fn say(line: &str) {
    // Whoever closed our output does not want to read it.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a line about what goes on or went wrong.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The cargo that runs us, in the root of the workspace.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(args).current_dir(workspace::root());
    // The cargo that runs us has told us which package we are. Build scripts watch these variables, `ring`'s for one:
    // with them, all that stands on it would be built anew after each `cargo test` by hand.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_MANIFEST_") || text.starts_with("CARGO_PKG_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command and fails if it does.
pub(crate) fn run(mut command: Command) -> Result<()> {
    let shown = shown(&command);
    complain(&format!("$ {shown}"));
    let status = command.status().with_context(|| format!("`{shown}` could not be started"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// Runs a command and gives what it prints.
pub(crate) fn output(mut command: Command) -> Result<String> {
    let shown = shown(&command);
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("`{shown}` could not be started"))?;
    if !output.status.success() {
        bail!("`{shown}` failed ({})", output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs a command, shows what it prints, and hands each line to `read`. Tells whether it succeeded.
pub(crate) fn watch(mut command: Command, mut read: impl FnMut(&str)) -> Result<bool> {
    let shown = shown(&command);
    complain(&format!("$ {shown}"));
    // Both streams into one pipe, so that their lines stay in order.
    let (reader, writer) = std::io::pipe()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .spawn()
        .with_context(|| format!("`{shown}` could not be started"))?;
    drop(command); // it holds the writing end, and the pipe would never end
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\r', '\n']);
        complain(text);
        read(&without_colours(text));
        line.clear();
    }
    Ok(child.wait()?.success())
}

/// Whether a program is there and answers.
pub(crate) fn succeeds(mut command: Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// `--color` for programs whose output we pass on: they cannot see the terminal behind us.
pub(crate) fn colour() -> &'static str {
    if std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        "always"
    } else {
        "never"
    }
}

/// The command as one would type it.
fn shown(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| {
        let value = value?.to_string_lossy();
        Some(format!("{}=\"{value}\"", name.to_string_lossy()))
    });
    let program = std::path::Path::new(command.get_program());
    let program = program.file_stem().unwrap_or(program.as_os_str());
    let words = std::iter::once(program)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned());
    variables.chain(words).collect::<Vec<_>>().join(" ")
}

/// Takes out the escape sequences that set colours: `ESC [ … m`.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_taken_out() {
        let text = "\u{1b}[32;1m     Summary\u{1b}[0m [ 0.1s] \u{1b}[1m2\u{1b}[0m tests run";
        assert_eq!(without_colours(text), "     Summary [ 0.1s] 2 tests run");
    }
}
