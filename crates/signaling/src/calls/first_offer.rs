//! An offer that begins a call: it rings (`ringing.rs`), is busy (`busy.rs`), or meets a call of our own to the
//! same peer (`glare.rs`), or takes the place of another call (`handover`).

use skapi_rtc_protocol::{ConnectionId, HangupReason, RtcContent, SessionDescription, UserId};

use super::{Calls, Ctx, call::Call};

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
        if content.replaces.is_some() {
            return self.on_successor(&content, offer, user, from, ctx);
        }
        if let Some(call) = self.by_peer.get(&from).and_then(|id| self.calls.get(id)) {
            let id = call.id;
            // One that has heard of our call, and calls all the same, has ended ours.
            if call.is_calling() && !call.has_rung() {
                return self.on_glare(id, content, offer, user, ctx);
            }
            // The peer calls anew, so for it the call before is over.
            let end = call.end_by_peer(None);
            self.finish(id, end, ctx);
        }
        if self.is_busy(ctx) {
            return self.turn_down(&content, HangupReason::Busy, user, from, ctx);
        }
        let call = Call::ring(self.new_id(), &content, offer, from, user, ctx);
        self.insert(call);
    }
}
