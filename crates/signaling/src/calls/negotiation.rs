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
//! In a running call this is the perfect negotiation of W3C WebRTC §10.7: the callee is the polite side.

use skapi_rtc_protocol::{Capability, RtcSignal, SessionDescription};

use super::{
    Ctx,
    call::{Call, Flow, Phase},
    engine::engine_failed,
};
use crate::{OpId, Role, RtcAction, RtcOutcome};

#[derive(Debug, Default)]
pub(super) struct Negotiation {
    state: State,
    /// A change waits for an offer of ours.
    needed: bool,
    /// An offer of the peer's that came while an answer was being made or applied.
    waiting: Option<SessionDescription>,
    /// The remote description in place.
    remote: Option<SessionDescription>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Idle,
    Offering(OpId),
    Offered,
    Applying(OpId, SessionDescription),
    Answering(OpId, SessionDescription),
    Stable,
}

impl Call {
    pub(super) fn make_offer(&mut self, ctx: &mut Ctx<'_>) {
        self.negotiation.needed = false;
        let op = self.engine.ask(RtcAction::MakeOffer { ice_restart: false }, ctx.out);
        self.negotiation.state = State::Offering(op);
    }

    /// Accepts an offer, whatever was before.
    pub(super) fn accept_offer(&mut self, offer: SessionDescription, ctx: &mut Ctx<'_>) {
        self.remote.suspend();
        let op = self.engine.ask(RtcAction::AcceptOffer(offer.clone()), ctx.out);
        self.negotiation.state = State::Answering(op, offer);
    }

    pub(super) fn on_answer(&mut self, answer: SessionDescription, ctx: &mut Ctx<'_>) {
        if !matches!(self.negotiation.state, State::Offered) {
            return; // stale: the offer it answers was taken back or never made
        }
        self.remote.suspend();
        let op = self.engine.ask(RtcAction::AcceptAnswer(answer.clone()), ctx.out);
        self.negotiation.state = State::Applying(op, answer);
        if self.is_calling() {
            self.accepted(ctx);
            self.start_connecting(ctx);
        }
    }

    /// An offer in a call that is up.
    pub(super) fn on_renegotiation(&mut self, offer: SessionDescription, ctx: &mut Ctx<'_>) {
        match self.negotiation.state {
            State::Stable => self.accept_offer(offer, ctx),
            State::Offering(_) | State::Offered => {
                if self.role == Role::Callee {
                    self.engine.ask(RtcAction::Rollback, ctx.out);
                    self.negotiation.needed = true;
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
        self.negotiation.needed = true;
        self.negotiate_if_needed(ctx);
    }

    /// Offers if something waits for it, nothing else is going on, and the peer takes an offer in a
    /// running call for what it is: at Skapi's own client it would ring again.
    pub(super) fn negotiate_if_needed(&mut self, ctx: &mut Ctx<'_>) {
        let now = self.negotiation.needed
            && self.is_established()
            && matches!(self.negotiation.state, State::Stable)
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
                self.negotiation.state = State::Offered;
                if matches!(self.phase, Phase::Preparing) {
                    self.phase = Phase::Dialing { ringing: false, accepted: false };
                    self.send_to_reach(RtcSignal::Offer(offer), ctx);
                } else {
                    self.send(RtcSignal::Offer(offer), ctx);
                }
                self.release_local_candidates(ctx);
                Flow::Continue(())
            }
            Ok(RtcOutcome::Done) => engine_failed("it made no offer".to_owned()),
            Err(what) => self.on_step_failed(what, ctx),
        }
    }

    fn on_answer_made(
        &mut self,
        offer: SessionDescription,
        result: Result<RtcOutcome, String>,
        ctx: &mut Ctx<'_>,
    ) -> Flow {
        let answer = match result {
            Ok(RtcOutcome::Description(answer)) => answer,
            Ok(RtcOutcome::Done) => return engine_failed("it made no answer".to_owned()),
            Err(what) => return self.on_step_failed(what, ctx),
        };
        let first = matches!(self.phase, Phase::Answering);
        self.send(RtcSignal::Answer(answer), ctx);
        if first {
            // Skapi's client takes the answer first and the pickup second.
            self.send(RtcSignal::Pickup(ctx.own_user()), ctx);
        }
        self.release_local_candidates(ctx);
        self.described(offer, ctx);
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
            return self.on_step_failed(what, ctx);
        }
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

    fn described(&mut self, remote: SessionDescription, ctx: &mut Ctx<'_>) {
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
