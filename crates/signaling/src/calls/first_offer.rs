//! An offer that begins a call: it rings, is busy, or meets a call of our own to the same peer.

use skapi_rtc_protocol::{
    Capability, ConnectionId, HangupReason, RtcContent, RtcSignal, SessionDescription, UserId,
};

use super::{Calls, Ctx, call::Call, ending::send_hangup};
use crate::{BusyPolicy, CallId};

impl Calls {
    /// An offer that belongs to no call: somebody calls, maybe while we call them.
    pub(super) fn on_first_offer(
        &mut self,
        content: RtcContent,
        offer: SessionDescription,
        user: UserId,
        from: ConnectionId,
        ctx: &mut Ctx<'_>,
    ) {
        if ctx.own.is_some_and(|own| own.cid == from) {
            return;
        }
        if let Some(key) = content.call {
            let running = content.capabilities.is_none();
            if running || self.by_key.contains_key(&key) {
                // It belongs to a call that has ended here meanwhile, or claims one of somebody else's.
                return;
            }
        }
        if let Some(call) = self.by_peer.get(&from).and_then(|id| self.calls.get(id)) {
            let id = call.id;
            // One that has heard of our call, and calls all the same, has ended ours.
            if call.is_calling() && !call.has_rung() {
                if self.we_win_glare(id, &content, &from, ctx) {
                    // The peer will accept ours; what it knows it has said here.
                    if let Some(call) = self.calls.get_mut(&id) {
                        call.beat(&content);
                        if let Some(known) = content.capabilities {
                            call.peer_learnt(known);
                        }
                    }
                    return;
                }
                return self.yield_to(id, content, offer, user, ctx);
            }
            // The peer calls anew, so for it the call before is over.
            let end = call.end_by_peer(None);
            self.finish(id, end, ctx);
        }
        let in_call = !self.calls.is_empty();
        let reject = ctx.config.busy == BusyPolicy::Reject && in_call;
        if reject || self.calls.len() >= ctx.config.max_calls {
            return self.say_busy(&content, user, from, ctx);
        }
        let call = Call::ring(self.new_id(), &content, offer, from, user, ctx);
        self.insert(call);
    }

    /// A call that never was one here. A peer that acknowledges gets the answer for certain: otherwise it
    /// would go on calling.
    fn say_busy(
        &mut self,
        content: &RtcContent,
        user: UserId,
        from: ConnectionId,
        ctx: &mut Ctx<'_>,
    ) {
        let acknowledges =
            content.capabilities.as_ref().is_some_and(|known| known.contains(&Capability::Ack));
        if content.call.is_none() {
            self.echoes.expect(from.clone(), ctx.now);
        } else if acknowledges {
            let mut hangup = RtcContent::new(RtcSignal::HungUp(ctx.own_user()));
            hangup = hangup.reason(HangupReason::Busy).seq(1);
            (hangup.call, hangup.ack) = (content.call, content.seq);
            return self.farewells.say(hangup, from, Some(user), true, ctx.now, ctx.out);
        }
        send_hangup(content.call, HangupReason::Busy, from, ctx);
    }

    /// Both have called each other. A call that the peer has not heard of yet gives way. Otherwise the
    /// smaller of the two keys wins, which both sides can tell. Skapi's client has no keys; there the
    /// connection ids decide, and without our own we give way.
    fn we_win_glare(
        &self,
        id: CallId,
        content: &RtcContent,
        from: &ConnectionId,
        ctx: &Ctx<'_>,
    ) -> bool {
        let Some(call) = self.calls.get(&id).filter(|call| call.peer_has_heard_of_it()) else {
            return false;
        };
        match (call.key, content.call) {
            (Some(ours), Some(theirs)) => ours < theirs,
            _ => ctx.own.is_some_and(|own| own.cid < *from),
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
        }
        call.yield_to(&content, offer, user, ctx);
        self.after_step(id, ctx);
    }
}
