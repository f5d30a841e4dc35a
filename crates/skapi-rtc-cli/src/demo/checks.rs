//! What has to hold for the demo to have worked.

use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Written to and read from disk at a time.
const PART: usize = 1 << 20;

/// Everything that has to be seen, and whether it was.
#[derive(Debug, Default)]
pub(super) struct Checks {
    seen: Vec<&'static str>,
}

/// What has to be seen, in words.
const REQUIRED: [&str; 12] = [
    "the caller connected",
    "it joined the group",
    "it saw the echo peer there",
    "it rang",
    "it was answered",
    "a channel opened",
    "a message came back",
    "every echo came back",
    "the file was sent",
    "the caller saw its own hang-up",
    "the echo peer saw the hang-up",
    "the file at the other end is the same by SHA-256",
];

impl Checks {
    pub(super) fn caller(&mut self, event: &Value) {
        let what = match event["event"].as_str().unwrap_or_default() {
            "connected" => "the caller connected",
            "joined" => "it joined the group",
            "users" if has_echo(event) => "it saw the echo peer there",
            "ringing" => "it rang",
            "accepted" => "it was answered",
            "channel_open" => "a channel opened",
            "message" if event["value"] == "hello" => "a message came back",
            "pings" => "every echo came back",
            "file_sent" => "the file was sent",
            "ended" if event["by"] == "local" => "the caller saw its own hang-up",
            _ => return,
        };
        self.seen.push(what);
    }

    pub(super) fn caller_exit(&mut self, code: i32) {
        if code == 0 {
            self.seen.push("the caller ended with code 0");
        }
    }

    pub(super) fn echo(&mut self, event: &Value) {
        let by_peer = event["reason"].as_str().is_some_and(|reason| reason.contains("by the peer"));
        if event["event"] == "ended" && by_peer {
            self.seen.push("the echo peer saw the hang-up");
        }
    }

    pub(super) async fn file(&mut self, path: &Path, expected: &str) {
        match sum(path).await {
            Ok(found) if found == expected => {
                self.seen.push("the file at the other end is the same by SHA-256");
            }
            Ok(found) => tracing::error!(%found, %expected, "the received file differs"),
            Err(error) => tracing::error!("the received file cannot be read: {error:#}"),
        }
    }

    /// What was not seen.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        REQUIRED
            .into_iter()
            .chain(["the caller ended with code 0"])
            .filter(|what| !self.seen.contains(what))
            .collect()
    }

    pub(super) fn count(&self) -> usize {
        self.seen.len()
    }
}

fn has_echo(event: &Value) -> bool {
    event["users"].as_array().is_some_and(|users| users.iter().any(|u| u["user"] == super::ECHO))
}

/// Makes a file of this size that does not compress, and gives its SHA-256.
pub(super) async fn make_file(path: &Path, size: u64) -> anyhow::Result<String> {
    let context = || format!("cannot write {}", path.display());
    let mut file = tokio::fs::File::create(path).await.with_context(context)?;
    let mut sum = Sha256::new();
    let mut state = size | 1;
    let mut left = size;
    while left > 0 {
        let length = left.min(PART as u64) as usize;
        let part: Vec<u8> = std::iter::repeat_with(|| next(&mut state).to_le_bytes())
            .flatten()
            .take(length)
            .collect();
        sum.update(&part);
        file.write_all(&part).await.with_context(context)?;
        left -= length as u64;
    }
    file.flush().await.with_context(context)?;
    Ok(hex(sum))
}

/// Marsaglia's xorshift: noise that is the same in every run.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

async fn sum(path: &Path) -> anyhow::Result<String> {
    let mut file = tokio::fs::File::open(path).await.context("cannot open it")?;
    let mut sum = Sha256::new();
    let mut part = vec![0; PART];
    loop {
        let read = file.read(&mut part).await.context("cannot read it")?;
        if read == 0 {
            return Ok(hex(sum));
        }
        sum.update(&part[..read]);
    }
}

fn hex(sum: Sha256) -> String {
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_seen_means_everything_missing() {
        let checks = Checks::default();
        assert_eq!(checks.missing().len(), REQUIRED.len() + 1);
    }

    #[test]
    fn what_is_seen_is_no_longer_missing() {
        let mut checks = Checks::default();
        checks.caller(&json!({"event": "ringing"}));
        checks.caller(&json!({"event": "users", "users": [{"user": "somebody"}]}));
        checks.echo(&json!({"event": "ended", "reason": "the peer is gone"}));
        let missing = checks.missing();
        assert!(!missing.contains(&"it rang"));
        assert!(missing.contains(&"it saw the echo peer there"));
        assert!(missing.contains(&"the echo peer saw the hang-up"));
    }

    #[tokio::test]
    async fn the_sum_of_a_made_file_is_that_of_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let made = make_file(&path, 3_000_001).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 3_000_001);
        assert_eq!(sum(&path).await.unwrap(), made);
    }
}
