//! One call: who it is with, and which phase it is in.
//!
//! ```text
//!   Caller                                       Callee
//!
//!   Preparing ── offer made ──▶ Dialing          Ringing ── accept ──▶ Answering
//!                                 │ answer                               │ answer made
//!                                 ▼                                      ▼
//!                             Connecting                            Connecting
//!                                 │        engines connected             │
//!                                 ▼                                      ▼
//!                             Established ◀─────────────────────▶  Established
//!
//!   Preparing, Dialing ── the peer's call meets ours and wins ──▶ Answering
//!   every phase ── hang up, `hungup`, time out, failure ──▶ ended: the call is gone
//! ```
//!
//! Each rule is in the file of its name: how it begins in `place.rs`, `ringing.rs` and `accepting.rs`, how it
//! ends in `ending.rs`, what the peer says in `content.rs`, what we say in `saying.rs`, what the engine says in
//! `engine.rs`, who offers when in `negotiation.rs`, that nothing is lost in `delivery.rs`, how a lost path is
//! found again in `restart.rs`, whether the peer is still there in `liveness.rs`, which time is over in
//! `timeouts.rs`, why a call never came up in `diagnosis.rs`, and how it goes on with another device in `handover`.

use std::ops::ControlFlow;

use skapi_rtc_protocol::{CallKey, Capability, ConnectionId, SessionDescription, UserId};

use super::{
    beaten::Beaten,
    candidates::{LocalCandidates, RemoteCandidates},
    delivery::Delivery,
    diagnosis::Diagnosis,
    engine::Engine,
    handover::Handover,
    negotiation::Negotiation,
    restart::Restart,
};
use crate::{CallEnd, CallId, EndReason, Instant, Role};

/// Goes on, or ends the call.
pub(super) type Flow = ControlFlow<CallEnd>;

#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: CallId,
    /// Absent when Skapi's own client called: it names no calls.
    pub(super) key: Option<CallKey>,
    pub(super) peer: ConnectionId,
    /// Unknown for a caller until the peer has spoken.
    pub(super) user: Option<UserId>,
    pub(super) role: Role,
    pub(super) phase: Phase,
    /// What the peer knows beyond Skapi; absent as long as it has not said so.
    pub(super) peer_knows: Option<Vec<Capability>>,
    pub(super) delivery: Delivery,
    pub(super) engine: Engine,
    pub(super) negotiation: Negotiation,
    pub(super) restart: Restart,
    pub(super) diagnosis: Diagnosis,
    pub(super) local: LocalCandidates,
    pub(super) remote: RemoteCandidates,
    pub(super) deadline: Option<Instant>,
    /// Why the call is about to end, unless the peer says a better reason in a moment.
    pub(super) failing: Option<EndReason>,
    /// The service said that the peer's connection is gone.
    pub(super) peer_link_lost: bool,
    /// The peer has said nothing since it, or we, may have got another connection.
    pub(super) peer_out_of_sight: bool,
    /// The service said that the peer has no socket; until then it may come back.
    pub(super) peer_away_until: Option<Instant>,
    /// The peer may answer earlier offers first, and has answered ours when it says `pickup`.
    pub(super) waits_for_pickup: bool,
    /// An offer of ours that gave way to a page's may still ring there.
    pub(super) rings_there: bool,
    /// Its last answer, until then.
    pub(super) held_answer: Option<SessionDescription>,
    /// The peer's own offer, which ours has beaten.
    pub(super) beaten: Option<Beaten>,
    pub(super) handover: Handover,
}

#[derive(Debug)]
pub(super) enum Phase {
    Preparing,
    Dialing { ringing: bool, accepted: bool },
    Ringing { offer: SessionDescription },
    Answering,
    Connecting,
    Established,
}

impl Call {
    pub(super) fn new(
        id: CallId,
        key: Option<CallKey>,
        peer: ConnectionId,
        role: Role,
        phase: Phase,
    ) -> Self {
        Self {
            id,
            key,
            peer,
            user: None,
            role,
            phase,
            peer_knows: None,
            delivery: Delivery::new(key.is_some()),
            engine: Engine::new(id),
            negotiation: Negotiation::default(),
            restart: Restart::default(),
            diagnosis: Diagnosis::default(),
            local: LocalCandidates::default(),
            remote: RemoteCandidates::default(),
            deadline: None,
            failing: None,
            peer_link_lost: false,
            peer_out_of_sight: false,
            peer_away_until: None,
            waits_for_pickup: false,
            rings_there: false,
            held_answer: None,
            beaten: None,
            handover: Handover::default(),
        }
    }

    pub(super) fn peer_has_heard_of_it(&self) -> bool {
        !matches!(self.phase, Phase::Preparing)
    }

    /// We call, and nobody has accepted: an offer of the peer's meets ours.
    pub(super) fn is_calling(&self) -> bool {
        matches!(self.phase, Phase::Preparing | Phase::Dialing { .. })
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Connecting | Phase::Established)
    }

    pub(super) fn is_established(&self) -> bool {
        matches!(self.phase, Phase::Established)
    }

    pub(super) fn peer_can(&self, capability: &Capability) -> bool {
        self.peer_knows.as_ref().is_some_and(|known| known.contains(capability))
    }
}
