//! What the peer says about a call, as Skapi's client and our own peers say it.

use skapi_rtc_protocol::{CallKey, HangupReason, RtcContent, RtcSignal};

use super::{
    Ctx,
    call::{Call, Flow, Phase},
    negotiation::Offer,
};
use crate::{CallEnd, EndReason, RtcAction, Side};

impl Call {
    pub(super) fn on_content(&mut self, content: RtcContent, ctx: &mut Ctx<'_>) -> Flow {
        // Whoever speaks is there.
        self.peer_link_lost = false;
        self.peer_away_until = None;
        self.peer_out_of_sight = false;
        if !self.takes(&content, ctx) {
            return Flow::Continue(());
        }
        match content.signal {
            RtcSignal::Offer(description) => {
                self.on_offer(Offer { description, round: content.round }, ctx);
            }
            // Of an earlier call: the peer has not heard of this one.
            RtcSignal::Answer(_) | RtcSignal::Candidate(_) | RtcSignal::Pickup(_)
                if !self.peer_has_heard_of_it() => {}
            RtcSignal::Answer(answer) => {
                if let Some(answer) = self.hold_answer(answer, ctx) {
                    self.on_answer(answer, content.round, ctx);
                }
            }
            RtcSignal::Refused => self.on_refused(content.round, ctx),
            RtcSignal::Restart(transports) => self.on_peer_transports(&transports, ctx),
            RtcSignal::Candidate(candidate) => {
                self.diagnosis.note_peers(&candidate);
                if let Some(candidate) = self.remote.offer(candidate) {
                    self.engine.ask(RtcAction::AddCandidate(candidate), ctx.out);
                }
            }
            RtcSignal::Pickup(_) => self.on_pickup(ctx),
            RtcSignal::HungUp(_) => return self.on_hung_up(content.call, content.reason),
            RtcSignal::Ringing => self.on_ringing(ctx),
            RtcSignal::Taken => self.on_taken(),
            RtcSignal::Hello => self.on_hello(ctx),
            _ => {}
        }
        Flow::Continue(())
    }

    fn on_offer(&mut self, offer: Offer, ctx: &mut Ctx<'_>) {
        match &mut self.phase {
            // The caller has changed its mind about what it offers before anybody answered.
            Phase::Ringing { offer: current } => *current = offer.description,
            Phase::Answering | Phase::Connecting | Phase::Established => {
                self.on_renegotiation(offer, ctx);
            }
            // Glare is settled before a call is asked.
            Phase::Preparing | Phase::Dialing { .. } => {}
        }
    }

    fn on_hung_up(&self, key: Option<CallKey>, reason: Option<HangupReason>) -> Flow {
        match self.phase {
            // It knows nothing of this call yet, so it means an earlier one.
            Phase::Preparing => Flow::Continue(()),
            // A peer that names the call also says why, unless somebody just hung up.
            _ if key.is_some() && reason.is_none() => {
                Flow::Break(CallEnd { reason: EndReason::HungUp, by: Side::Remote })
            }
            _ => Flow::Break(self.end_by_peer(reason)),
        }
    }
}
