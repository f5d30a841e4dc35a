//! What the conductor and the peers' processes say to each other: one JSON object a line.

use serde::{Deserialize, Serialize};

/// To a peer's process, on its stdin.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Command {
    /// A session begins.
    Join { session: usize, url: String, token: String },
    /// It calls a connection.
    Call { session: usize, cid: String, load: Load },
    /// It hangs up.
    HangUp { session: usize },
    /// It sends nothing more but how much it has sent.
    Drain { session: usize },
    /// It tells when something next arrives.
    Watch { session: usize, id: u64 },
    /// How much the process holds.
    Usage,
    /// Every session is closed, and the process ends.
    Quit,
}

/// What a call carries.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Load {
    /// Sound in both directions.
    pub audio: bool,
    /// As much data as the channel takes, in both directions.
    pub bulk: bool,
}

/// From a peer's process, on its stdout.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum News {
    /// The session is connected, as this connection.
    Up {
        session: usize,
        cid: String,
    },
    /// It has lost its link.
    Down {
        session: usize,
    },
    /// A call begins.
    Trying {
        session: usize,
    },
    Established {
        session: usize,
    },
    Reconnecting {
        session: usize,
    },
    Reconnected {
        session: usize,
    },
    /// It has ended.
    Ended {
        session: usize,
        reason: String,
        local: bool,
    },
    /// Something has arrived for the first time since it was asked.
    Flows {
        session: usize,
        id: u64,
        what: Kind,
        after_ms: u64,
    },
    /// Everything that the peer has sent on a channel is here.
    Drained {
        session: usize,
        channel: String,
        messages: u64,
    },
    /// What must never happen has.
    Fault {
        session: usize,
        what: String,
    },
    Usage {
        tasks: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Data,
    Sound,
}
