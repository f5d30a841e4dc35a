//! Who offers when, and what happens when both do.
//!
//! ```text
//!   Idle ── make offer ──▶ Offering ── made ──▶ Offered ── answer ──▶ Applying ── applied ──▶ Stable
//!    │                                             │                                            │ ▲
//!    │                             peer's offer wins: roll back                                 │ │
//!    │                                             ▼                                            │ │
//!    └────────────── accept offer ────────────▶ Answering ◀─────────── peer's offer ────────────┘ │
//!                                                  │                                              │
//!                                                  └────────────────── answer made ───────────────┘
//! ```
//!
//! In a running call this is the perfect negotiation of W3C WebRTC §10.7: the callee is the polite side,
//! which both sides know from the beginning, and which glare has settled before. Connection ids would not
//! do: one that is lost comes back as another.
//!
//! Every offer in a running call has a number, which the answer repeats: an answer to an offer that was
//! taken back meanwhile is dropped. An offer that is refused, or not answered in time, is taken back.

use std::time::Duration;

use skapi_rtc_protocol::{Capability, RtcSignal, SessionDescription};

use super::{
    Ctx,
    call::{Call, Flow, Phase},
    change::Change,
    engine::engine_failed,
};
use crate::{ChangeError, Instant, OpId, Role, RtcAction, RtcOutcome};

/// How long an offer in a running call waits for its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// How often a change is offered that nobody answers.
const MAX_TRIES: u8 = 3;

/// How long a change waits after the peer has refused an offer. An engine wants it offered again at once.
const REFUSED_PAUSE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Negotiation {
    state: State,
    /// What waits for an offer of ours.
    wanted: Wanted,
    pub(super) change: Change,
    /// Offers of ours in the running call so far.
    rounds: u32,
    /// How often in a row an offer was not answered.
    unanswered: u8,
    /// Until when no change is offered, because the peer has refused one.
    quiet_until: Option<Instant>,
    /// An offer of the peer's that came while an answer was being made or applied.
    waiting: Option<Offer>,
    /// The remote description in place.
    remote: Option<SessionDescription>,
}

/// What waits for an offer of ours.
#[derive(Debug, Default, Clone, Copy)]
struct Wanted {
    /// Something was added or removed.
    change: bool,
    /// New ICE credentials and candidates.
    restart: bool,
}

/// An offer of the peer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) description: SessionDescription,
    pub(super) round: Option<u32>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Idle,
    Offering(OpId),
    Offered {
        /// Absent in the first offer of a call.
        round: Option<u32>,
        /// Until when an answer is awaited; the first one as long as the call rings.
        until: Option<Instant>,
    },
    Applying(OpId, SessionDescription),
    Answering(OpId, Offer),
    Stable,
}

impl Negotiation {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        match self.state {
            State::Offered { until, .. } => until,
            State::Stable if self.wanted.change => self.quiet_until,
            _ => None,
        }
    }

    /// The ICE credentials that the peer goes by.
    pub(super) fn remote_ufrag(&self) -> Option<&str> {
        self.remote.as_ref()?.ice_ufrag()
    }
}

impl Call {
    pub(super) fn make_offer(&mut self, ctx: &mut Ctx<'_>) {
        let Wanted { restart, .. } = std::mem::take(&mut self.negotiation.wanted);
        if restart {
            self.renew_ice_servers(ctx);
        }
        self.negotiation.change.goes_out();
        let op = self.engine.ask(RtcAction::MakeOffer { ice_restart: restart }, ctx.out);
        self.negotiation.state = State::Offering(op);
    }

    /// Accepts an offer, whatever was before.
    pub(super) fn accept_offer(&mut self, offer: Offer, ctx: &mut Ctx<'_>) {
        self.remote.suspend();
        let before = self.negotiation.remote_ufrag();
        let restarts = before.is_some() && before != offer.description.ice_ufrag();
        if restarts {
            self.on_peer_restarts(ctx);
        }
        let action = RtcAction::AcceptOffer(offer.description.clone());
        let op = self.engine.ask(action, ctx.out);
        self.negotiation.state = State::Answering(op, offer);
    }

    pub(super) fn on_answer(
        &mut self,
        answer: SessionDescription,
        round: Option<u32>,
        ctx: &mut Ctx<'_>,
    ) {
        if !self.awaits_answer(round) {
            return; // stale: the offer it answers was taken back or never made
        }
        self.negotiation.unanswered = 0;
        self.remote.suspend();
        let op = self.engine.ask(RtcAction::AcceptAnswer(answer.clone()), ctx.out);
        self.negotiation.state = State::Applying(op, answer);
        if self.is_calling() {
            self.accepted(ctx);
            self.start_connecting(ctx);
        }
    }

    /// The peer's engine cannot accept our offer: what it was to carry over is given up.
    pub(super) fn on_refused(&mut self, round: Option<u32>, ctx: &mut Ctx<'_>) {
        let ours = round.is_some() && self.awaits_answer(round) && self.is_up();
        if ours {
            self.negotiation.quiet_until = Some(ctx.now + REFUSED_PAUSE);
            self.engine.ask(RtcAction::Rollback, ctx.out);
            self.change_failed(ChangeError::Refused, ctx);
            self.settle(ctx);
        }
    }

    fn is_stable(&self) -> bool {
        matches!(self.negotiation.state, State::Stable)
    }

    /// Whether our offer waits for an answer to this round. A peer that counts no rounds means the latest.
    fn awaits_answer(&self, answered: Option<u32>) -> bool {
        match self.negotiation.state {
            State::Offered { round, .. } => answered.is_none() || answered == round,
            _ => false,
        }
    }

    /// An offer of ours has waited long enough, and may have been lost; or a change has, after a refusal.
    pub(super) fn on_negotiation_timeout(&mut self, ctx: &mut Ctx<'_>) {
        if self.negotiation.next_deadline().is_none_or(|until| until > ctx.now) {
            return;
        }
        if self.negotiation.quiet_until.take().is_some_and(|_| self.is_stable()) {
            return self.negotiate_if_needed(ctx);
        }
        self.negotiation.unanswered += 1;
        if self.negotiation.unanswered >= MAX_TRIES {
            self.negotiation.unanswered = 0;
            self.change_failed(ChangeError::Unanswered, ctx);
            self.take_offer_back(ctx);
            self.negotiation.wanted = Wanted::default();
        } else {
            self.take_offer_back(ctx);
        }
        self.settle(ctx);
    }

    /// Takes an offer of ours back, made or being made; what it was to carry over waits for the next.
    fn take_offer_back(&mut self, ctx: &mut Ctx<'_>) {
        self.engine.ask(RtcAction::Rollback, ctx.out);
        self.negotiation.wanted.change = true;
        self.negotiation.change.comes_back();
    }

    /// Starts ICE anew, with whatever else waits; an offer that is out is taken back for it.
    pub(super) fn negotiate_restart(&mut self, ctx: &mut Ctx<'_>) {
        self.negotiation.wanted.restart = true;
        if matches!(self.negotiation.state, State::Offering(_) | State::Offered { .. }) {
            self.take_offer_back(ctx);
            self.negotiation.state = State::Stable;
        }
        self.negotiate_if_needed(ctx);
    }

    /// An offer in a call that is up.
    pub(super) fn on_renegotiation(&mut self, offer: Offer, ctx: &mut Ctx<'_>) {
        match self.negotiation.state {
            State::Stable => self.accept_offer(offer, ctx),
            State::Offering(_) | State::Offered { .. } => {
                if self.role == Role::Callee {
                    self.take_offer_back(ctx);
                    self.accept_offer(offer, ctx);
                }
            }
            State::Applying(..) | State::Answering(..) => self.negotiation.waiting = Some(offer),
            State::Idle => {}
        }
    }

    /// An engine says so again whenever a negotiation has ended without carrying all changes over (W3C
    /// WebRTC §4.7.3), so what it says before the first one has ended does not count: that is about the
    /// very channels that the first offer carries.
    pub(super) fn on_negotiation_needed(&mut self, ctx: &mut Ctx<'_>) {
        if self.negotiation.remote.is_none() {
            return;
        }
        self.negotiation.wanted.change = true;
        self.change_wanted(ctx);
        self.negotiate_if_needed(ctx);
    }

    /// Offers if something waits for it, nothing else is going on, and the peer takes an offer in a
    /// running call for what it is: at Skapi's own client it would ring again.
    pub(super) fn negotiate_if_needed(&mut self, ctx: &mut Ctx<'_>) {
        let Wanted { change, restart } = self.negotiation.wanted;
        let quiet = self.negotiation.quiet_until.is_some_and(|until| until > ctx.now);
        let now = (restart || change && !quiet)
            && self.is_established()
            && self.is_stable()
            && self.peer_can(&Capability::Renegotiate);
        if now {
            self.make_offer(ctx);
        }
    }

    pub(super) fn on_negotiated(
        &mut self,
        op: OpId,
        result: Result<RtcOutcome, String>,
        ctx: &mut Ctx<'_>,
    ) -> Flow {
        match std::mem::take(&mut self.negotiation.state) {
            State::Offering(own) if own == op => self.on_offer_made(result, ctx),
            State::Answering(own, offer) if own == op => self.on_answer_made(offer, result, ctx),
            State::Applying(own, answer) if own == op => {
                self.on_answer_applied(answer, result, ctx)
            }
            // The result of something superseded, or of an operation nobody waits for.
            state => {
                self.negotiation.state = state;
                Flow::Continue(())
            }
        }
    }

    fn on_offer_made(&mut self, result: Result<RtcOutcome, String>, ctx: &mut Ctx<'_>) -> Flow {
        match result {
            Ok(RtcOutcome::Description(offer)) => {
                self.diagnosis.note_our_description(&offer);
                if matches!(self.phase, Phase::Preparing) {
                    self.negotiation.state = State::Offered { round: None, until: None };
                    self.phase = Phase::Dialing { ringing: false, accepted: false };
                    self.send_to_reach(RtcSignal::Offer(offer), ctx);
                } else {
                    self.negotiation.rounds = self.negotiation.rounds.wrapping_add(1);
                    let round = Some(self.negotiation.rounds);
                    let until = Some(ctx.now + ANSWER_TIMEOUT);
                    self.negotiation.state = State::Offered { round, until };
                    self.send_of_round(RtcSignal::Offer(offer), round, ctx);
                }
                self.release_local_candidates(ctx);
                Flow::Continue(())
            }
            Ok(RtcOutcome::Done) => engine_failed("it made no offer".to_owned()),
            Err(what) => {
                self.change_failed(ChangeError::Engine(what.clone()), ctx);
                self.on_step_failed(what, ctx)
            }
        }
    }

    fn on_answer_made(
        &mut self,
        offer: Offer,
        result: Result<RtcOutcome, String>,
        ctx: &mut Ctx<'_>,
    ) -> Flow {
        let answer = match result {
            Ok(RtcOutcome::Description(answer)) => answer,
            Ok(RtcOutcome::Done) => return engine_failed("it made no answer".to_owned()),
            Err(what) => {
                if self.is_up() && offer.round.is_some() {
                    self.send_of_round(RtcSignal::Refused, offer.round, ctx);
                }
                return self.on_step_failed(what, ctx);
            }
        };
        self.diagnosis.note_our_description(&answer);
        let first = matches!(self.phase, Phase::Answering);
        self.send_of_round(RtcSignal::Answer(answer), offer.round, ctx);
        if first {
            // Skapi's client takes the answer first and the pickup second.
            self.send(RtcSignal::Pickup(ctx.own_user()), ctx);
        }
        self.release_local_candidates(ctx);
        self.described(offer.description, ctx);
        if first {
            self.start_connecting(ctx);
        }
        self.settle(ctx);
        Flow::Continue(())
    }

    fn on_answer_applied(
        &mut self,
        answer: SessionDescription,
        result: Result<RtcOutcome, String>,
        ctx: &mut Ctx<'_>,
    ) -> Flow {
        if let Err(what) = result {
            if self.negotiation.remote.is_some() {
                self.engine.ask(RtcAction::Rollback, ctx.out);
            }
            self.change_failed(ChangeError::Engine(what.clone()), ctx);
            return self.on_step_failed(what, ctx);
        }
        self.negotiation.change.has_arrived();
        self.described(answer, ctx);
        self.settle(ctx);
        Flow::Continue(())
    }

    /// A step of the first negotiation failed: there is no call. Later ones leave the call as it was.
    fn on_step_failed(&mut self, what: String, ctx: &mut Ctx<'_>) -> Flow {
        let Some(remote) = &self.negotiation.remote else {
            return engine_failed(what);
        };
        let ufrag = remote.ice_ufrag().map(str::to_owned);
        for candidate in self.remote.resume(ufrag) {
            self.engine.ask(RtcAction::AddCandidate(candidate), ctx.out);
        }
        self.settle(ctx);
        Flow::Continue(())
    }

    fn send_of_round(&mut self, signal: RtcSignal, round: Option<u32>, ctx: &mut Ctx<'_>) {
        let mut content = self.content(signal, ctx.config);
        content.round = round;
        self.send_content(content, None, ctx);
    }

    fn described(&mut self, remote: SessionDescription, ctx: &mut Ctx<'_>) {
        self.diagnosis.note_peers_description(&remote);
        if self.negotiation.waiting.is_none() {
            // Otherwise what is held may be meant for the offer that waits, which comes next.
            self.release_remote_candidates(&remote, ctx);
        }
        self.negotiation.remote = Some(remote);
    }

    /// The negotiation is over: whatever waited for that goes next.
    fn settle(&mut self, ctx: &mut Ctx<'_>) {
        self.negotiation.state = State::Stable;
        match self.negotiation.waiting.take() {
            Some(offer) => self.accept_offer(offer, ctx),
            None => self.negotiate_if_needed(ctx),
        }
    }
}
