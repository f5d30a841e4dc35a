//! What is known about a call, for whoever asks.

use skapi_rtc_protocol::{CallKey, ConnectionId, UserId};

use super::{
    Calls,
    call::{Call, Phase},
};
use crate::{CallId, Role};

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallPhase {
    /// Caller: the offer is being made.
    Preparing,
    /// Caller: the offer is on its way or has arrived; nobody has accepted yet.
    Dialing,
    /// Callee: it rings.
    Ringing,
    /// Callee: accepted; the answer is being made.
    Answering,
    /// Accepted; the two engines look for a path.
    Connecting,
    /// Data and media flow.
    Established,
}

/// What is known about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallInfo {
    /// The call.
    pub call: CallId,
    /// Its name on the wire, the same on both sides; `None` with a peer that gives none.
    pub key: Option<CallKey>,
    /// The peer's connection.
    pub peer: ConnectionId,
    /// The peer; unknown to a caller until the peer has answered or rung.
    pub user: Option<UserId>,
    /// Our part in it.
    pub role: Role,
    /// Where it stands.
    pub phase: CallPhase,
}

impl Calls {
    pub(crate) fn info(&self, id: CallId) -> Option<CallInfo> {
        self.calls.get(&id).map(|call| call.info())
    }

    pub(crate) fn infos(&self) -> impl Iterator<Item = CallInfo> + '_ {
        self.calls.values().map(|call| call.info())
    }
}

impl Call {
    fn info(&self) -> CallInfo {
        CallInfo {
            call: self.id,
            key: self.key,
            peer: self.peer.clone(),
            user: self.user.clone(),
            role: self.role,
            phase: match self.phase {
                Phase::Preparing => CallPhase::Preparing,
                Phase::Dialing { .. } => CallPhase::Dialing,
                Phase::Ringing { .. } => CallPhase::Ringing,
                Phase::Answering => CallPhase::Answering,
                Phase::Connecting => CallPhase::Connecting,
                Phase::Established => CallPhase::Established,
            },
        }
    }
}
