//! Both call each other at once: one call comes of it.

use skapi_rtc_protocol::{HangupReason, RtcContent, SessionDescription, UserId};

use super::{
    Calls, Ctx,
    call::{Call, Phase},
    delivery::Delivery,
    diagnosis::Diagnosis,
    negotiation::Negotiation,
};
use crate::{CallEvent, CallId, Role};

impl Calls {
    /// The peer's offer meets a call of ours, this one, that nobody has accepted.
    pub(super) fn on_glare(
        &mut self,
        id: CallId,
        content: RtcContent,
        offer: SessionDescription,
        user: UserId,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if !call.wins_glare(&content, ctx) {
            return self.yield_to(id, content, offer, user, ctx);
        }
        // The peer will accept ours; what it knows it has said here.
        call.beat(&content);
        if let Some(known) = content.capabilities {
            call.peer_learnt(known);
        }
    }

    fn yield_to(
        &mut self,
        id: CallId,
        content: RtcContent,
        offer: SessionDescription,
        user: UserId,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if let Some(key) = call.key {
            self.by_key.remove(&key);
        }
        if let Some(key) = content.call {
            self.by_key.insert(key, id);
            if call.peer_has_heard_of_it() {
                // Should the peer have taken its own call back meanwhile, ours rings there now.
                call.peer_learnt(content.capabilities.clone().unwrap_or_default());
                call.send_hangup(Some(HangupReason::Cancelled), &mut self.farewells, ctx);
            }
        } else if call.peer_has_heard_of_it() {
            self.leftovers.keep(&call.peer);
            call.rings_there = true;
        }
        call.yield_to(&content, offer, user, ctx);
        self.after_step(id, ctx);
    }
}

impl Call {
    /// A call that takes the place of another one goes on, which the peer knows or will. Otherwise one that the
    /// peer has not heard of yet gives way. Otherwise the smaller of the two keys wins, which
    /// both sides can tell. Skapi's client has no keys; there the connection ids decide, and without our own
    /// we give way.
    fn wins_glare(&self, content: &RtcContent, ctx: &Ctx<'_>) -> bool {
        if self.handover.is_taking() {
            return true;
        }
        if !self.peer_has_heard_of_it() {
            return false;
        }
        match (self.key, content.call) {
            (Some(ours), Some(theirs)) => ours < theirs,
            _ => ctx.own.is_some_and(|own| own.cid < self.peer),
        }
    }

    /// We and the peer have called each other, and the peer's call is the one that counts. Our user wants
    /// to talk, so it is accepted at once, on a peer connection that has nothing to do with our offer.
    fn yield_to(
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
}
