//! A call rings: here, there, and for how long.
//!
//! The callee says `ringing` as soon as its application knows of the call, to a caller that knows the word.
//! Whoever's time is over first ends the call as not answered, and says so: the caller's, as a rule. A callee
//! has a time of its own all the same, so that it does not ring on for a caller that is gone.

use skapi_rtc_protocol::{
    Capability, ConnectionId, RtcContent, RtcSignal, SessionDescription, UserId,
};

use super::{
    Ctx,
    call::{Call, Phase},
    place::PlaceOptions,
};
use crate::{CallEvent, CallId, Event, Instant, Role};

impl Call {
    /// It rings here.
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
        call.deadline = Some(ctx.now + ctx.config.ring_time());
        call.takes(content, ctx);
        if call.peer_can(&Capability::Ringing) {
            call.send(RtcSignal::Ringing, ctx);
        }
        ctx.out.event(Event::Incoming { call: id, from, user });
        call
    }

    /// Until when a call that we place may ring.
    pub(super) fn patience(options: &PlaceOptions, ctx: &Ctx<'_>) -> Instant {
        ctx.now + options.no_answer_timeout.unwrap_or(ctx.config.no_answer_timeout)
    }

    /// It rings there.
    pub(super) fn on_ringing(&mut self, ctx: &mut Ctx<'_>) {
        if let Phase::Dialing { ringing: ringing @ false, .. } = &mut self.phase {
            *ringing = true;
            ctx.out.call_event(self.id, CallEvent::Ringing);
        }
    }

    pub(super) fn is_ringing(&self) -> bool {
        matches!(self.phase, Phase::Ringing { .. })
    }

    /// The peer has said that our call rings there.
    pub(super) fn has_rung(&self) -> bool {
        matches!(self.phase, Phase::Dialing { ringing: true, .. })
    }
}
