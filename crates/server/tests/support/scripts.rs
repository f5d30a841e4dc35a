//! Programs in other languages, for tests of what their users will write.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

/// Where a test that lacks a part says so; see CONTRIBUTING.md.
const SKIPS: &str = "SKAPI_RTC_SKIPS";

/// Runs a script, which it reads from stdin, and returns what it printed; `None` where the program is not
/// installed. The test then returns.
pub(crate) fn run(test: &str, program: &str, args: &[&str], script: &str) -> Option<String> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            skipped(test, program);
            return None;
        }
        Err(error) => panic!("{program}: {error}"),
    };
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(script.as_bytes()).expect("the script is taken");
    drop(stdin);
    let output = child.wait_with_output().expect("the script ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {stderr}\n{script}");
    Some(String::from_utf8(output.stdout).expect("text"))
}

fn skipped(test: &str, program: &str) {
    let Some(file) = std::env::var_os(SKIPS) else {
        panic!("{test} needs `{program}`, which is not installed");
    };
    let mut file =
        std::fs::OpenOptions::new().append(true).create(true).open(file).expect("a file");
    writeln!(file, "{test}: {program} is not installed").expect("written");
}
