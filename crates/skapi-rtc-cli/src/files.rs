//! Files on disk: sent with a progress bar, received into a folder.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use skapi_rtc::{
    Call, Channel,
    file::{FileError, FileReceipt, IncomingFile, OutgoingFile},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    exit::{Exit, Failure},
    output::Output,
};

/// Read from disk at a time.
const PART: usize = 256 * 1024;
/// How often machines are told how far a transfer is.
const REPORT_PERIOD: Duration = Duration::from_millis(200);
/// Names tried for a file whose own name is taken.
const MAX_COPIES: u32 = 1000;

#[derive(Serialize)]
struct Done<'a> {
    event: &'static str,
    name: &'a str,
    path: Option<&'a str>,
    bytes: u64,
    sha256: &'a str,
    seconds: f64,
    mib_per_s: f64,
}

/// Sends a file over a call.
pub(crate) async fn send(call: &Call, path: &Path, output: &Output) -> Result<(), Failure> {
    let in_file = |error: anyhow::Error| Failure::new(Exit::File, error);
    let open = async {
        let file = tokio::fs::File::open(path).await?;
        let metadata = file.metadata().await?;
        if !metadata.is_file() {
            return Err(std::io::Error::other("it is not a file"));
        }
        Ok((file, metadata.len()))
    };
    let (mut file, size) =
        open.await.with_context(|| format!("cannot read {}", path.display())).map_err(in_file)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let started = Instant::now();
    let mut outgoing =
        OutgoingFile::offer(call, &name, size).await.map_err(|error| failure(&name, error))?;
    let mut progress = Progress::new(&name, size, output);
    let mut part = vec![0; PART];
    loop {
        let read = file
            .read(&mut part)
            .await
            .with_context(|| format!("cannot read {}", path.display()))
            .map_err(in_file)?;
        if read == 0 {
            break;
        }
        outgoing.write(&part[..read]).await.map_err(|error| failure(&name, error))?;
        progress.advance(read as u64);
    }
    let receipt = outgoing.finish().await.map_err(|error| failure(&name, error))?;
    progress.finish();
    say_done("file_sent", "sent", &name, None, &receipt, started, output);
    Ok(())
}

/// Where received files go.
pub(crate) struct Inbox {
    pub(crate) folder: PathBuf,
    /// The largest file, in bytes.
    pub(crate) max_size: u64,
}

/// Receives a file into a folder, under its own name or one like it. Never fails: what goes wrong is told
/// to the sender and to the one who listens.
pub(crate) async fn receive(channel: Channel, inbox: Option<&Inbox>, output: &Output) {
    let started = Instant::now();
    let mut incoming = match IncomingFile::announced(channel).await {
        Ok(incoming) => incoming,
        Err(error) => return output.warning(&format!("a file that did not come: {error}")),
    };
    let name = incoming.name().to_owned();
    let Some(Inbox { folder, max_size }) = inbox else {
        return incoming.refuse("this peer stores no files (it runs without --save-dir)").await;
    };
    if incoming.size() > *max_size {
        let limit = max_size >> 20;
        return incoming.refuse(&format!("this peer stores no files above {limit} MiB")).await;
    }
    let (path, file) = match create(folder, &name).await {
        Ok(created) => created,
        Err(error) => {
            let reason = format!("cannot store {name} in {}: {error}", folder.display());
            output.warning(&reason);
            return incoming.refuse(&reason).await;
        }
    };
    let stored = store(&mut incoming, file).await;
    match stored {
        Ok(()) => match incoming.confirm().await {
            Ok(receipt) => {
                let path = path.display().to_string();
                say_done(
                    "file_received",
                    "received",
                    &name,
                    Some(&path),
                    &receipt,
                    started,
                    output,
                );
            }
            Err(error) => {
                output.warning(&format!("{name} arrived, but its sender is gone: {error}"))
            }
        },
        Err(StoreError::Disk(error)) => {
            let reason = format!("cannot write {}: {error}", path.display());
            output.warning(&reason);
            remove(&path).await;
            incoming.refuse(&reason).await;
        }
        Err(StoreError::Transfer(error)) => {
            output.warning(&format!("{name} did not arrive: {error}"));
            remove(&path).await;
        }
    }
}

enum StoreError {
    Disk(std::io::Error),
    Transfer(FileError),
}

async fn store(incoming: &mut IncomingFile, file: tokio::fs::File) -> Result<(), StoreError> {
    let mut file = tokio::io::BufWriter::with_capacity(PART, file);
    while let Some(bytes) = incoming.read().await.map_err(StoreError::Transfer)? {
        file.write_all(&bytes).await.map_err(StoreError::Disk)?;
    }
    file.flush().await.map_err(StoreError::Disk)?;
    file.get_ref().sync_all().await.map_err(StoreError::Disk)
}

/// A part of a file is of no use to anybody.
async fn remove(path: &Path) {
    if let Err(error) = tokio::fs::remove_file(path).await {
        tracing::warn!(path = %path.display(), %error, "cannot remove the part that had arrived");
    }
}

/// Makes a new file whose name is at most like the peer's: never a path, never one that exists.
async fn create(folder: &Path, name: &str) -> std::io::Result<(PathBuf, tokio::fs::File)> {
    tokio::fs::create_dir_all(folder).await?;
    let name = safe_name(name);
    for copy in 0..MAX_COPIES {
        let path = folder.join(if copy == 0 { name.clone() } else { format!("{copy}-{name}") });
        match tokio::fs::File::create_new(&path).await {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(std::io::Error::other("too many files of that name are there already"))
}

fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String =
        last.chars().filter(|c| !c.is_control() && !":*?\"<>|".contains(*c)).collect();
    match kept.trim_matches(['.', ' ']) {
        "" => "file".to_owned(),
        kept => kept.to_owned(),
    }
}

fn failure(name: &str, error: FileError) -> Failure {
    let exit = match &error {
        FileError::Call(_) | FileError::Channel(_) | FileError::CutOff => Exit::CallLost,
        _ => Exit::File,
    };
    Failure::new(exit, anyhow::Error::new(error).context(format!("{name} was not sent")))
}

fn say_done(
    event: &'static str,
    verb: &str,
    name: &str,
    path: Option<&str>,
    receipt: &FileReceipt,
    started: Instant,
    output: &Output,
) {
    let seconds = started.elapsed().as_secs_f64();
    let mib_per_s = receipt.size as f64 / f64::from(1 << 20) / seconds.max(1e-6);
    let (bytes, sha256) = (receipt.size, receipt.sha256.as_str());
    let place = path.map_or_else(String::new, |path| format!(" as {path}"));
    output.line(
        format_args!("{verb} {name}{place}: {bytes} bytes, {mib_per_s:.1} MiB/s, SHA-256 {sha256}"),
        &Done { event, name, path, bytes, sha256, seconds, mib_per_s },
    );
}

/// How far a transfer is: a bar on a terminal, events for machines.
pub(crate) struct Progress<'a> {
    name: &'a str,
    total: u64,
    sent: u64,
    bar: Option<ProgressBar>,
    output: &'a Output,
    reported: Instant,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(name: &'a str, total: u64, output: &'a Output) -> Self {
        let bar = output.is_human().then(|| progress_bar(name, total));
        Self { name, total, sent: 0, bar, output, reported: Instant::now() }
    }

    pub(crate) fn advance(&mut self, bytes: u64) {
        self.sent += bytes;
        match &self.bar {
            Some(bar) => bar.set_position(self.sent),
            None if self.reported.elapsed() >= REPORT_PERIOD => self.report(),
            None => {}
        }
    }

    pub(crate) fn finish(&mut self) {
        match &self.bar {
            Some(bar) => bar.finish_and_clear(),
            None => self.report(),
        }
    }

    fn report(&mut self) {
        #[derive(Serialize)]
        struct Event<'a> {
            event: &'static str,
            name: &'a str,
            sent: u64,
            total: u64,
        }
        self.reported = Instant::now();
        let (name, sent, total) = (self.name, self.sent, self.total);
        self.output.line("", &Event { event: "file_progress", name, sent, total });
    }
}

/// A progress bar on stderr; nothing where that is no terminal.
pub(crate) fn progress_bar(name: &str, total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "  {msg} {wide_bar:.cyan/blue} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}",
    );
    let bar = ProgressBar::new(total);
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.with_message(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peers_file_name_never_leads_out_of_the_folder() {
        for (name, safe) in [
            ("cat.jpg", "cat.jpg"),
            ("../../etc/passwd", "passwd"),
            ("..\\..\\boot.ini", "boot.ini"),
            ("/", "file"),
            ("..", "file"),
            ("a\u{0}b\n.txt", "ab.txt"),
            ("ünï côdé.txt", "ünï côdé.txt"),
        ] {
            assert_eq!(safe_name(name), safe);
        }
    }

    #[tokio::test]
    async fn a_file_that_is_there_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let (first, _) = create(folder.path(), "a.txt").await.unwrap();
        let (second, _) = create(folder.path(), "a.txt").await.unwrap();
        assert_ne!(first, second);
        assert_eq!(second.file_name().unwrap(), "1-a.txt");
    }
}
