//! One call: who it is with, which phase it is in, and what its user can do to it.
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
//! How it ends is in `ending.rs`, what the peer says in `content.rs`, what the engine says in
//! `engine.rs`, who offers when in `negotiation.rs`, that nothing is lost in `delivery.rs`, how a lost
//! path is found again in `restart.rs`, and whether the peer is still there in
//! `liveness.rs`, and why a call never came up in `diagnosis.rs`.

use std::{ops::ControlFlow, time::Duration};

use skapi_rtc_protocol::{
    CallKey, Capability, ClientFrame, ConnectionId, RtcContent, RtcSignal, SessionDescription,
    UserId,
};

use super::{
    Ctx,
    beaten::Beaten,
    candidates::{LocalCandidates, RemoteCandidates},
    delivery::Delivery,
    diagnosis::Diagnosis,
    engine::Engine,
    negotiation::{Negotiation, Offer},
    restart::Restart,
};
use crate::{
    CallEnd, CallEvent, CallId, EndReason, Event, Instant, Role, RtcAction, Side, requests::Purpose,
};

/// What this version knows beyond Skapi.
pub(super) const CAPABILITIES: [Capability; 4] =
    [Capability::Ringing, Capability::Renegotiate, Capability::Ack, Capability::Restart];

/// How much longer a callee rings than a caller waits, so that the caller is the one who gives up.
const CALLEE_PATIENCE: Duration = Duration::from_secs(5);

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
    /// The service said that the peer's link is gone.
    pub(super) peer_link_lost: bool,
    /// The peer may answer earlier offers first, and has answered ours when it says `pickup`.
    pub(super) waits_for_pickup: bool,
    /// Its last answer, until then.
    pub(super) held_answer: Option<SessionDescription>,
    /// The peer's own offer, which ours has beaten.
    pub(super) beaten: Option<Beaten>,
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

/// How a call is to be placed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlaceOptions {
    /// How long it may ring; the session's
    /// [`no_answer_timeout`](crate::Config::no_answer_timeout) if `None`.
    pub no_answer_timeout: Option<Duration>,
    /// In a call to a user: whether one of the user's connections that declines does so for all. Default:
    /// no, the others ring on.
    pub decline_ends_all: bool,
}

impl PlaceOptions {
    /// Sets how long it may ring.
    pub fn no_answer_timeout(mut self, timeout: Duration) -> Self {
        self.no_answer_timeout = Some(timeout);
        self
    }

    /// Sets whether one connection of a user that declines does so for all.
    pub fn decline_ends_all(mut self, all: bool) -> Self {
        self.decline_ends_all = all;
        self
    }
}

impl Call {
    pub(super) fn place(
        id: CallId,
        key: CallKey,
        peer: ConnectionId,
        options: &PlaceOptions,
        ctx: &mut Ctx<'_>,
    ) -> Self {
        let patience = options.no_answer_timeout.unwrap_or(ctx.config.no_answer_timeout);
        let mut call = Self::new(id, Some(key), peer, Role::Caller, Phase::Preparing);
        call.deadline = Some(ctx.now + patience);
        call.open_engine(ctx);
        call.make_offer(ctx);
        call
    }

    pub(super) fn ring(
        id: CallId,
        content: &RtcContent,
        offer: SessionDescription,
        from: ConnectionId,
        user: UserId,
        ctx: &mut Ctx<'_>,
    ) -> Self {
        let mut call =
            Self::new(id, content.call, from.clone(), Role::Callee, Phase::Ringing { offer });
        call.user = Some(user.clone());
        call.deadline = Some(ctx.now + ctx.config.no_answer_timeout + CALLEE_PATIENCE);
        call.takes(content, ctx);
        if call.peer_can(&Capability::Ringing) {
            call.send(RtcSignal::Ringing, ctx);
        }
        ctx.out.event(Event::Incoming { call: id, from, user });
        call
    }

    fn new(id: CallId, key: Option<CallKey>, peer: ConnectionId, role: Role, phase: Phase) -> Self {
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
            waits_for_pickup: false,
            held_answer: None,
            beaten: None,
        }
    }

    pub(super) fn info(&self) -> CallInfo {
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

    /// The user accepts. Without effect unless the call rings here.
    pub(super) fn accept(&mut self, ctx: &mut Ctx<'_>) {
        if !matches!(self.phase, Phase::Ringing { .. }) {
            return;
        }
        let Phase::Ringing { offer } = std::mem::replace(&mut self.phase, Phase::Answering) else {
            return;
        };
        self.answer(offer, ctx);
    }

    /// We and the peer have called each other, and the peer's call is the one that counts. Our user wants
    /// to talk, so it is accepted at once, on a peer connection that has nothing to do with our offer.
    pub(super) fn yield_to(
        &mut self,
        content: &RtcContent,
        offer: SessionDescription,
        user: UserId,
        ctx: &mut Ctx<'_>,
    ) {
        self.close_engine(ctx);
        self.key = content.call;
        self.delivery = Delivery::new(content.call.is_some());
        self.peer_knows = None;
        self.takes(content, ctx);
        self.user = Some(user);
        self.role = Role::Callee;
        self.phase = Phase::Answering;
        self.negotiation = Negotiation::default();
        self.diagnosis = Diagnosis::default();
        self.local.clear();
        self.remote.clear();
        self.failing = None;
        ctx.out.call_event(self.id, CallEvent::Accepted);
        self.answer(offer, ctx);
    }

    fn answer(&mut self, offer: SessionDescription, ctx: &mut Ctx<'_>) {
        self.deadline = Some(ctx.now + ctx.config.connect_timeout);
        self.open_engine(ctx);
        self.accept_offer(Offer { description: offer, round: None }, ctx);
    }

    pub(super) fn peer_has_heard_of_it(&self) -> bool {
        !matches!(self.phase, Phase::Preparing)
    }

    pub(super) fn is_ringing(&self) -> bool {
        matches!(self.phase, Phase::Ringing { .. })
    }

    /// The peer has said that our call rings there.
    pub(super) fn has_rung(&self) -> bool {
        matches!(self.phase, Phase::Dialing { ringing: true, .. })
    }

    /// The other side wants the call, or this one does.
    pub(super) fn was_accepted(&self) -> bool {
        matches!(self.phase, Phase::Dialing { accepted: true, .. })
            || !(self.is_calling() || self.is_ringing())
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

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let timers = [
            self.deadline,
            self.delivery.next_deadline(),
            self.negotiation.next_deadline(),
            self.restart.next_deadline(),
        ];
        timers.into_iter().flatten().min()
    }

    pub(super) fn on_timeout(&mut self, ctx: &mut Ctx<'_>) -> Flow {
        self.on_negotiation_timeout(ctx);
        self.on_restart_timeout(ctx)?;
        self.on_phase_timeout(ctx)
    }

    fn on_phase_timeout(&mut self, ctx: &Ctx<'_>) -> Flow {
        if self.deadline.is_none_or(|deadline| deadline > ctx.now) {
            return Flow::Continue(());
        }
        self.deadline = None;
        let reason = match self.phase {
            _ if self.failing.is_some() => self.failing.take().unwrap_or(EndReason::HungUp),
            Phase::Dialing { accepted: true, .. } | Phase::Answering => EndReason::ConnectTimeout,
            Phase::Connecting => self.diagnosis.why_never_up(),
            Phase::Preparing | Phase::Dialing { .. } | Phase::Ringing { .. } => EndReason::NoAnswer,
            Phase::Established => return self.on_grace_over(),
        };
        Flow::Break(CallEnd { reason, by: Side::Local })
    }

    pub(super) fn accepted(&mut self, ctx: &mut Ctx<'_>) {
        if let Phase::Dialing { accepted: accepted @ false, .. } = &mut self.phase {
            *accepted = true;
            self.deadline = Some(ctx.now + ctx.config.connect_timeout);
            ctx.out.call_event(self.id, CallEvent::Accepted);
        }
    }

    pub(super) fn send(&mut self, signal: RtcSignal, ctx: &mut Ctx<'_>) {
        self.send_content(self.content(signal), None, ctx);
    }

    /// Sends something that is worth nothing later. The service says so if it cannot be delivered.
    pub(super) fn send_now(&self, signal: RtcSignal, ctx: &mut Ctx<'_>) {
        let reference = if ctx.answers { ctx.open_request(Purpose::Reach(self.id)) } else { None };
        ctx.out.send(self.frame(self.content(signal), reference));
    }

    /// Sends something that the peer must get now: the service says so if it cannot.
    pub(super) fn send_to_reach(&mut self, signal: RtcSignal, ctx: &mut Ctx<'_>) {
        let reference = if ctx.answers { ctx.open_request(Purpose::Reach(self.id)) } else { None };
        self.send_content(self.content(signal), reference, ctx);
    }

    pub(super) fn send_content(
        &mut self,
        mut content: RtcContent,
        reference: Option<u32>,
        ctx: &mut Ctx<'_>,
    ) {
        self.delivery.stamp(&mut content, ctx.now);
        ctx.out.send_or_keep(self.frame(content, reference));
    }

    pub(super) fn content(&self, signal: RtcSignal) -> RtcContent {
        let introduces = match signal {
            // A later offer does not: that tells it from one that rings.
            RtcSignal::Offer(_) => self.is_calling(),
            RtcSignal::Answer(_) | RtcSignal::Ringing | RtcSignal::None => true,
            _ => false,
        };
        let mut content = RtcContent::new(signal);
        content.call = self.key;
        content.capabilities = introduces.then(|| CAPABILITIES.to_vec());
        content
    }

    pub(super) fn frame(&self, content: RtcContent, reference: Option<u32>) -> ClientFrame {
        ClientFrame::Rtc {
            to: self.peer.clone(),
            content: content.encode(),
            token: None,
            reference,
        }
    }

    fn open_engine(&mut self, ctx: &mut Ctx<'_>) {
        let generation = self.engine.next_generation();
        let ice_servers = ctx.ice_servers();
        self.engine.ice_servers.clone_from(&ice_servers);
        let action = RtcAction::Open { generation, role: self.role, ice_servers };
        let op = self.engine.ask(action, ctx.out);
        self.engine.opening = Some(op);
    }

    pub(super) fn close_engine(&mut self, ctx: &mut Ctx<'_>) {
        if self.engine.is_open() {
            self.engine.ask(RtcAction::Close, ctx.out);
            self.engine.closed();
        }
    }
}
