//! One process of the demo: this very program, speaking JSON lines.

use std::process::Stdio;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// A process of the demo. Dropping it ends the process.
pub(super) struct Process {
    name: &'static str,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts `skapi-rtc --json` with these arguments.
    pub(super) fn start(
        name: &'static str,
        args: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>,
    ) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("the program cannot find itself")?;
        let mut child = Command::new(&program)
            .arg("--json")
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let stdout = child.stdout.take().context("a child without stdout")?;
        forward_stderr(name, &mut child);
        Ok(Self { name, child, lines: BufReader::new(stdout).lines() })
    }

    /// What the process says next; `None` when it has ended.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Value>> {
        let Some(line) = self.lines.next_line().await? else {
            return Ok(None);
        };
        let event = serde_json::from_str(&line)
            .with_context(|| format!("{} said {line:?}, which is no JSON", self.name))?;
        Ok(Some(event))
    }

    /// Waits until the process says this, and gives it.
    pub(super) async fn expect(&mut self, event: &str) -> anyhow::Result<Value> {
        while let Some(said) = self.next().await? {
            if said["event"] == event {
                return Ok(said);
            }
        }
        bail!("{} ended without saying `{event}`", self.name);
    }

    /// Waits for the end of the process and gives its exit code.
    pub(super) async fn exit_code(&mut self) -> anyhow::Result<i32> {
        let status = self.child.wait().await?;
        status.code().with_context(|| format!("{} was killed by a signal", self.name))
    }

    /// The process's id, until it has ended.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }
}

/// Errors of a process are shown as they come; warnings of the dev mode are what the demo is about.
fn forward_stderr(name: &'static str, child: &mut Child) {
    let Some(stderr) = child.stderr.take() else {
        return;
    };
    tokio::spawn(async move {
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            if event["event"] != "warning" {
                tracing::warn!("{name}: {}", event["message"].as_str().unwrap_or(&line));
            }
        }
    });
}
