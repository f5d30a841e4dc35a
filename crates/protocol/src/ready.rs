//! The greeting of a service, and what it accepts.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ConnectionId, DEFAULT_MAX_FRAME_BYTES, IceServer, UserId};

/// What a client learns when its connection opens. Our extension.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ready {
    /// The connection's own id.
    pub cid: ConnectionId,
    /// The user that the service took from the token.
    pub user_id: UserId,
    /// The secret by which a lost connection is resumed, where the service offers that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
    /// On a resumed connection: where the two sides stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed: Option<Resumed>,
    /// STUN and TURN servers for this client's calls.
    #[serde(default)]
    pub ice_servers: Vec<IceServer>,
    /// What the service accepts.
    #[serde(default)]
    pub limits: ServerLimits,
    /// The service's name and version.
    #[serde(default)]
    pub server: String,
}

impl Ready {
    /// A greeting for this connection of this user, with nothing else in it.
    pub fn new(cid: ConnectionId, user_id: UserId) -> Self {
        Self {
            cid,
            user_id,
            resume: None,
            resumed: None,
            ice_servers: Vec::new(),
            limits: ServerLimits::default(),
            server: String::new(),
        }
    }
}

/// What a service still knows of a connection that is resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// How many frames of the client the service had taken on this connection, keep-alives not counted.
    /// The client sends the others again.
    pub received: u64,
    /// Whether nothing is lost: the connection is in its group, and every frame that the client has not
    /// had follows. Otherwise only the id is the same: both sides count from zero, and the client joins
    /// its group again.
    pub complete: bool,
}

/// What a service accepts from one client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ServerLimits {
    /// The largest frame, in bytes.
    pub max_frame_bytes: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self { max_frame_bytes: DEFAULT_MAX_FRAME_BYTES }
    }
}

impl fmt::Debug for Ready {
    /// Leaves the secret out: events end up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready")
            .field("cid", &self.cid)
            .field("user_id", &self.user_id)
            .field("resume", &hidden(&self.resume))
            .field("resumed", &self.resumed)
            .field("ice_servers", &self.ice_servers)
            .field("limits", &self.limits)
            .field("server", &self.server)
            .finish()
    }
}

/// What debug output shows of a secret: only whether it is there.
pub(crate) fn hidden(secret: &Option<String>) -> Option<&'static str> {
    secret.as_ref().map(|_| "<hidden>")
}
