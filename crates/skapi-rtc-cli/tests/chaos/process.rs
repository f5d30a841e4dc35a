//! Child processes: the service, the peers, and how much each holds.

use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, bail};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, Command},
    sync::mpsc,
};

use crate::words::{Command as Word, News};

/// How much a process holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub kib: u64,
    pub files: usize,
    pub threads: usize,
}

impl Usage {
    pub fn of(pid: u32) -> Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))
            .context("memory can be measured on Linux only")?;
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("0");
            line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
        };
        let files = std::fs::read_dir(format!("/proc/{pid}/fd"))?.count();
        Ok(Self { kib: number("VmRSS:"), files, threads: number("Threads:") as usize })
    }
}

/// The real program as a service.
pub struct Service {
    child: Child,
}

/// How long a program may take to listen, on a machine that is busy.
const START: Duration = Duration::from_secs(60);

impl Service {
    pub async fn start(address: SocketAddr, secret: &Path, resume_key: &Path) -> Result<Self> {
        Self::start_with(address, secret, resume_key, &[]).await
    }

    pub async fn start_with(
        address: SocketAddr,
        secret: &Path,
        resume_key: &Path,
        args: &[&str],
    ) -> Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skapi-rtc"));
        command.args(["--json", "serve", "--listen", &address.to_string()]);
        command.arg("--jwt-secret-file").arg(secret).arg("--resume-key-file").arg(resume_key);
        command.args(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.env_remove("RUST_LOG").spawn()?;
        let stdout = child.stdout.take().context("its stdout is piped")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(START, lines.next_line()).await;
        match line {
            Ok(Ok(Some(line))) if line.contains("listening") => {}
            other => bail!("the service does not listen at {address}: {other:?}"),
        }
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child })
    }

    pub fn usage(&self) -> Result<Usage> {
        Usage::of(self.child.id().context("the service has ended by itself")?)
    }

    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Asks it to end.
    pub async fn terminate(&mut self) -> Result<()> {
        let pid = self.child.id().context("the service has ended by itself")?;
        Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
        tokio::time::timeout(START, self.child.wait()).await.context("it does not end")??;
        Ok(())
    }
}

/// A process with sessions in it.
pub struct Peer {
    child: Child,
    words: mpsc::UnboundedSender<Word>,
    /// Which of the processes of this number it is: what an earlier one still says does not count.
    pub life: u64,
}

impl Peer {
    /// Starts one; what it says comes with its number and its life.
    pub fn start(
        number: usize,
        life: u64,
        control: SocketAddr,
        engine: &str,
        news: &mpsc::UnboundedSender<(usize, u64, Option<News>)>,
    ) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["peer", &control.to_string(), engine]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let mut stdin = child.stdin.take().context("its stdin is piped")?;
        let stdout = child.stdout.take().context("its stdout is piped")?;
        let (words, mut said) = mpsc::unbounded_channel::<Word>();
        tokio::spawn(async move {
            while let Some(word) = said.recv().await {
                let line = serde_json::to_string(&word).unwrap_or_default() + "\n";
                if stdin.write_all(line.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
        let news = news.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Ok(told) = serde_json::from_str(&line) {
                    let _ = news.send((number, life, Some(told)));
                }
            }
            let _ = news.send((number, life, None));
        });
        Ok(Self { child, words, life })
    }

    pub fn say(&self, word: Word) {
        let _ = self.words.send(word);
    }

    pub fn usage(&self) -> Result<Usage> {
        Usage::of(self.child.id().context("a peer's process has ended by itself")?)
    }

    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Asks it to end, and waits.
    pub async fn quit(&mut self) -> Result<()> {
        self.say(Word::Quit);
        tokio::time::timeout(START, self.child.wait()).await.context("a peer does not end")??;
        Ok(())
    }
}

/// A token for a user, by the program.
pub async fn token(secret: &Path, user: &str) -> Result<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skapi-rtc"));
    command.args(["token", "--user", user, "--ttl", "2d", "--jwt-secret-file"]).arg(secret);
    let output = command.output().await?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
