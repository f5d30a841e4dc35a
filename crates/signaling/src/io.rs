//! What the machine is told and what it asks for. Facts come in, verbs go out.

use std::{fmt, time::Duration};

use skapi_rtc_protocol::{ClientFrame, IceCandidate, IceServer, ServerFrame, SessionDescription};

use crate::{Event, Resumption};

/// One call of this session. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub(crate) u64);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {}", self.0)
    }
}

/// One peer connection of a call. A call that has to begin anew gets a new one; what the old one still
/// reports is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub(crate) u32);

/// One operation asked of an engine. Its result comes back under the same id; a result that belongs to a
/// superseded negotiation is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId {
    pub(crate) call: CallId,
    pub(crate) number: u32,
}

/// What happened outside.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input {
    /// The socket that [`Output::Connect`] asked for is open.
    LinkUp,
    /// The socket could not be opened, or is gone.
    LinkDown(LinkLoss),
    /// The service sent a frame.
    Frame(ServerFrame),
    /// The service sent something that cannot be read. It counts as received all the same.
    UnreadableFrame,
    /// An engine operation has ended.
    RtcDone {
        /// Which one.
        op: OpId,
        /// With what; an error in plain words.
        result: Result<RtcOutcome, String>,
    },
    /// Something happened on a call's peer connection.
    RtcEvent {
        /// The call.
        call: CallId,
        /// Which of its peer connections.
        generation: Generation,
        /// What happened.
        event: RtcEvent,
    },
    /// The moment that [`Session::next_deadline`](crate::Session::next_deadline) named has come. Early
    /// and late ones do no harm.
    Timeout,
}

/// How a socket was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkLoss {
    /// It may come back: connect again, by back-off or after the time the service asked for.
    Lost {
        /// What happened, in plain words.
        reason: String,
        /// The service asked to wait this long.
        retry_after: Option<Duration>,
    },
    /// The service does not want this client (a bad token): do not try again, unless calls are up, which
    /// go on meanwhile.
    Refused {
        /// What the service said.
        reason: String,
    },
    /// Another socket has taken this connection over, by the same secret: connect again as a new one.
    TakenOver {
        /// What the service said.
        reason: String,
    },
}

impl LinkLoss {
    /// A loss that is tried again by back-off.
    pub fn lost(reason: impl Into<String>) -> Self {
        Self::Lost { reason: reason.into(), retry_after: None }
    }

    /// A refusal.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }
}

/// What a successful engine operation gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RtcOutcome {
    /// Nothing but its success.
    Done,
    /// The offer or answer that was made.
    Description(SessionDescription),
}

/// What a peer connection reports.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RtcEvent {
    /// A local candidate was gathered.
    Candidate(IceCandidate),
    /// A pair of addresses answers; keys are agreed on next.
    PathFound,
    /// The transports are connected.
    Connected,
    /// A transport has lost the peer for now.
    Disconnected,
    /// A transport has failed for good.
    Failed,
    /// The peer connection was closed by something else than this machine.
    Closed,
    /// A change waits for a new negotiation.
    NegotiationNeeded,
    /// The machine has other addresses than before: the path may be one that is gone.
    AddressesChanged,
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Output {
    /// Open a socket to the service, with a fresh token; answer with [`Input::LinkUp`] or
    /// [`Input::LinkDown`].
    Connect {
        /// 0 at the start; after a loss counting up from 1, until the service has greeted again.
        attempt: u32,
        /// Which connection to take up again, if any.
        resumption: Resumption,
    },
    /// Close the socket, after everything sent before has left.
    Disconnect,
    /// Send a frame on the open socket.
    Send(ClientFrame),
    /// Ask the engine for something. Operations of one call are carried out one after the other, in the
    /// order of the outputs.
    Rtc {
        /// Comes back with the result.
        op: OpId,
        /// The call.
        call: CallId,
        /// What to do.
        action: RtcAction,
    },
    /// Tell the application.
    Event(Event),
}

/// Which part a side plays in a call's set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// It offers first, and opens the data channels.
    Caller,
    /// It answers.
    Callee,
}

/// One operation on a call's peer connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RtcAction {
    /// Make the peer connection. A caller adds the data channels that were asked for.
    Open {
        /// Names the new connection in [`Input::RtcEvent`].
        generation: Generation,
        /// Our part.
        role: Role,
        /// STUN and TURN servers to use.
        ice_servers: Vec<IceServer>,
    },
    /// Make an offer; gives its description.
    MakeOffer {
        /// Start ICE anew.
        ice_restart: bool,
    },
    /// Go by these STUN and TURN servers from the next start of ICE on.
    SetIceServers(Vec<IceServer>),
    /// Accept an offer; gives the answer.
    AcceptOffer(SessionDescription),
    /// Accept an answer.
    AcceptAnswer(SessionDescription),
    /// Take the pending own offer back.
    Rollback,
    /// Add a candidate of the peer's.
    AddCandidate(IceCandidate),
    /// Close the peer connection. Always the last operation of its generation.
    Close,
}
