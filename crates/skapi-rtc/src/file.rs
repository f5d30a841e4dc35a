//! Files over a call, whole or not at all.
//!
//! Skapi's `file-transfer` preset gives parts of a file up after three seconds. This takes a reliable
//! channel of its own with the protocol [`PROTOCOL`], on which the two sides say (text messages are JSON):
//!
//! ```text
//!   sender                                          receiver
//!   {"name": "cat.jpg", "size": 70000}     ──▶
//!                                          ◀──      {"accept": true}
//!   bytes, bytes, …                        ──▶
//!   {"sha256": "…"}                        ──▶
//!                                          ◀──      {"received": 70000, "sha256": "…"}
//! ```
//!
//! At any moment either side may say `{"error": "…"}` instead, which ends the transfer.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    Call, CallError, Channel, ChannelError, ChannelInit, ChannelOptions, Message,
    channel::CloseOnDrop,
};

/// The sub-protocol of a channel that carries a file.
pub const PROTOCOL: &str = "skapi-rtc.file.1";

/// The largest part that is sent at once: close to the 64 KiB that every engine takes, and a size at which
/// webrtc-rs is fastest.
const MAX_PART: usize = 65_000;
/// The longest name, in bytes: what file systems take.
const MAX_NAME: usize = 255;

/// A file transfer failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The other side does not want or cannot take the file.
    #[error("the other side refused the file: {0}")]
    Refused(String),
    /// The other side does not follow the protocol.
    #[error("the other side broke the rules of the transfer: {0}")]
    Protocol(String),
    /// What arrived is not what was sent.
    #[error("the file was damaged on its way: its SHA-256 is {found}, {expected} was sent")]
    Damaged {
        /// The sum of what was sent, in hexadecimal digits.
        expected: String,
        /// The sum of what arrived.
        found: String,
    },
    /// More or less was written than announced.
    #[error("{announced} bytes were announced, {written} were written")]
    Size {
        /// The announced size.
        announced: u64,
        /// What was written.
        written: u64,
    },
    /// The name cannot be used.
    #[error("a file name has 1 to {MAX_NAME} bytes")]
    Name,
    /// The channel refused.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The call refused, or is over.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The channel was closed before the transfer was done.
    #[error("the transfer was cut off")]
    CutOff,
}

/// What has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileReceipt {
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// A file on its way to the peer. Dropping it before [`finish`](Self::finish) gives the transfer up.
#[derive(Debug)]
pub struct OutgoingFile {
    channel: Channel,
    _closing: CloseOnDrop,
    size: u64,
    written: u64,
    sum: Sha256,
}

impl OutgoingFile {
    /// Announces a file of a known size, and waits until the peer wants it, which a person may decide.
    ///
    /// # Errors
    /// When the peer refuses, or the call is not up.
    pub async fn offer(call: &Call, name: &str, size: u64) -> Result<Self, FileError> {
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(FileError::Name);
        }
        let init = ChannelInit::default().protocol(PROTOCOL);
        let options = ChannelOptions::with_init(format!("file:{name}"), init);
        let mut channel = call.open_channel(options).await?;
        let closing = CloseOnDrop::new(&channel);
        say(&channel, &Said::Offer { name: name.to_owned(), size }).await?;
        match hear(&mut channel).await? {
            Said::Accept { accept: true } => {}
            other => return Err(unexpected(&other)),
        }
        Ok(Self { channel, _closing: closing, size, written: 0, sum: Sha256::new() })
    }

    /// Sends the next bytes, of any length; waits while the send buffer is full. Not cancel-safe: what was
    /// cut short here does not arrive whole.
    ///
    /// # Errors
    /// When the peer gives up, with its reason, or the call ends.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.written += bytes.len() as u64;
        if self.written > self.size {
            return Err(FileError::Size { announced: self.size, written: self.written });
        }
        self.sum.update(bytes);
        let part = self.channel.sender().max_message_size().clamp(1, MAX_PART);
        for part in bytes.chunks(part) {
            let sent = self.channel.sender().clone();
            tokio::select! {
                biased;
                sent = sent.send(Bytes::copy_from_slice(part)) => match sent {
                    // A peer that gives up says why before it closes the channel.
                    Err(ChannelError::Closed) => return Err(self.last_words().await),
                    sent => sent?,
                },
                heard = hear(&mut self.channel) => return Err(unexpected(&heard?)),
            }
        }
        Ok(())
    }

    /// Ends the file, and waits until the peer has all of it and its sum is right.
    ///
    /// # Errors
    /// When less was written than announced, or the file did not arrive whole.
    pub async fn finish(mut self) -> Result<FileReceipt, FileError> {
        if self.written != self.size {
            let error = FileError::Size { announced: self.size, written: self.written };
            // The error matters, not whether the peer still hears of it.
            let _ = say(&self.channel, &Said::Error { error: error.to_string() }).await;
            return Err(error);
        }
        let expected = hex(self.sum);
        say(&self.channel, &Said::Sum { sha256: expected.clone() }).await?;
        match hear(&mut self.channel).await? {
            Said::Received { received, sha256 } if received == self.size && sha256 == expected => {
                self.channel.close().await;
                Ok(FileReceipt { size: received, sha256 })
            }
            Said::Received { sha256, .. } => Err(FileError::Damaged { expected, found: sha256 }),
            other => Err(unexpected(&other)),
        }
    }

    async fn last_words(&mut self) -> FileError {
        match hear(&mut self.channel).await {
            Ok(said) => unexpected(&said),
            Err(error) => error,
        }
    }
}

/// A file that the peer wants to send. Dropping it before [`confirm`](Self::confirm) gives it up;
/// [`refuse`](Self::refuse) says why.
#[derive(Debug)]
pub struct IncomingFile {
    channel: Channel,
    _closing: CloseOnDrop,
    name: String,
    size: u64,
    received: u64,
    sum: Sha256,
    accepted: bool,
}

impl IncomingFile {
    /// Whether a channel that the peer opened carries a file.
    pub fn is_file(channel: &Channel) -> bool {
        channel.sender().protocol() == PROTOCOL
    }

    /// Waits for the announcement on a channel that carries a file.
    ///
    /// # Errors
    /// When the peer does not follow the protocol.
    pub async fn announced(mut channel: Channel) -> Result<Self, FileError> {
        let closing = CloseOnDrop::new(&channel);
        match hear(&mut channel).await? {
            Said::Offer { name, size } if !name.is_empty() && name.len() <= MAX_NAME => Ok(Self {
                channel,
                _closing: closing,
                name,
                size,
                received: 0,
                sum: Sha256::new(),
                accepted: false,
            }),
            Said::Offer { .. } => {
                say(&channel, &Said::Error { error: FileError::Name.to_string() }).await?;
                Err(FileError::Name)
            }
            other => Err(unexpected(&other)),
        }
    }

    /// The name as the peer gave it: any text. Never use it as a path without cutting it down to a file
    /// name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The announced size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Refuses the file, or gives a transfer up, saying why.
    pub async fn refuse(self, reason: &str) {
        // Whether the peer still hears of it does not matter any more.
        let _ = say(&self.channel, &Said::Error { error: reason.to_owned() }).await;
        self.channel.close().await;
    }

    /// The next bytes; `None` when all have arrived and their sum is right. Then call
    /// [`confirm`](Self::confirm).
    ///
    /// # Errors
    /// When the peer gives up, sends more than announced, or something else than it sent arrived.
    pub async fn read(&mut self) -> Result<Option<Bytes>, FileError> {
        if !self.accepted {
            self.accepted = true;
            say(&self.channel, &Said::Accept { accept: true }).await?;
        }
        match self.channel.recv().await.ok_or(FileError::CutOff)? {
            Message::Binary(bytes) => {
                self.received += bytes.len() as u64;
                if self.received > self.size {
                    return Err(self.broke("more bytes came than were announced").await);
                }
                self.sum.update(&bytes);
                Ok(Some(bytes))
            }
            Message::Text(text) => match parse(&text)? {
                Said::Sum { sha256 } => self.check(sha256).await,
                other => Err(unexpected(&other)),
            },
        }
    }

    /// Tells the peer that the file is safe here, and waits until it has heard.
    ///
    /// # Errors
    /// When the call ends before.
    pub async fn confirm(mut self) -> Result<FileReceipt, FileError> {
        let receipt = FileReceipt { size: self.received, sha256: hex(self.sum) };
        let said = Said::Received { received: receipt.size, sha256: receipt.sha256.clone() };
        say(&self.channel, &said).await?;
        // The sender closes the channel when it has read this.
        while self.channel.recv().await.is_some() {}
        Ok(receipt)
    }

    async fn check(&mut self, expected: String) -> Result<Option<Bytes>, FileError> {
        let found = hex(self.sum.clone());
        if self.received == self.size && found == expected {
            return Ok(None);
        }
        let said = Said::Received { received: self.received, sha256: found.clone() };
        say(&self.channel, &said).await?;
        Err(FileError::Damaged { expected, found })
    }

    async fn broke(&self, rule: &str) -> FileError {
        // The error matters, not whether the peer still hears of it.
        let _ = say(&self.channel, &Said::Error { error: rule.to_owned() }).await;
        self.channel.close().await;
        FileError::Protocol(rule.to_owned())
    }
}

/// What the two sides say to each other, besides the bytes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Said {
    Error { error: String },
    Offer { name: String, size: u64 },
    Accept { accept: bool },
    Received { received: u64, sha256: String },
    Sum { sha256: String },
}

async fn say(channel: &Channel, said: &Said) -> Result<(), FileError> {
    let text = serde_json::to_string(said)
        .unwrap_or_else(|error| unreachable!("what is said always has a form in JSON: {error}"));
    Ok(channel.send(text).await?)
}

async fn hear(channel: &mut Channel) -> Result<Said, FileError> {
    match channel.recv().await {
        Some(Message::Text(text)) => parse(&text),
        Some(Message::Binary(_)) => Err(FileError::Protocol("bytes came before their time".into())),
        None => Err(FileError::CutOff),
    }
}

fn parse(text: &str) -> Result<Said, FileError> {
    serde_json::from_str(text).map_err(|_| FileError::Protocol(format!("it said {text:.80}")))
}

fn unexpected(said: &Said) -> FileError {
    match said {
        Said::Error { error } => FileError::Refused(error.clone()),
        Said::Accept { accept: false } => FileError::Refused("it does not want it".to_owned()),
        other => FileError::Protocol(format!("it said {other:?} out of turn")),
    }
}

fn hex(sum: Sha256) -> String {
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
