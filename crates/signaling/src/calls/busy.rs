//! A call that comes in during another one: it waits for the application, or is answered `busy`.

use skapi_rtc_protocol::{Capability, ConnectionId, HangupReason, RtcContent, RtcSignal, UserId};

use super::{Calls, Ctx, ending::send_hangup};
use crate::BusyPolicy;

impl Calls {
    /// Whether one more call is turned down, because the application wants no second one or there are as many
    /// as there may be.
    pub(super) fn is_busy(&self, ctx: &Ctx<'_>) -> bool {
        let rejects = match ctx.config.busy {
            BusyPolicy::Reject => !self.calls.is_empty(),
            BusyPolicy::CallWaiting => false,
        };
        rejects || self.calls.len() >= ctx.config.max_calls
    }

    /// A call that never was one here. A peer that acknowledges gets the answer for certain: otherwise it
    /// would go on calling.
    pub(super) fn turn_down(
        &mut self,
        content: &RtcContent,
        reason: HangupReason,
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
            hangup = hangup.reason(reason).seq(1);
            (hangup.call, hangup.ack) = (content.call, content.seq);
            return self.farewells.say(hangup, from, Some(user), true, ctx.now, ctx.out);
        }
        send_hangup(content.call, reason, from, ctx);
    }
}
