//! How a call ends: what a wish or a hang-up means in its phase, and who is told.

use skapi_rtc_protocol::{CallKey, ClientFrame, ConnectionId, HangupReason, RtcContent, RtcSignal};

use super::{
    Calls, Ctx,
    call::{Call, Phase},
    farewells::Farewells,
};
use crate::{CallEnd, CallEvent, EndReason, Side};

impl Calls {
    /// The peer searches for a call that has ended here, and was not told.
    pub(super) fn on_unknown_restart(
        &self,
        call: Option<CallKey>,
        from: ConnectionId,
        ctx: &mut Ctx<'_>,
    ) {
        if call.is_some_and(|key| !self.by_key.contains_key(&key)) {
            send_hangup(call, HangupReason::Failed, from, ctx);
        }
    }
}

impl Call {
    /// What the user's wish to end the call means in its phase.
    pub(super) fn end_by_user(&self) -> CallEnd {
        let reason = match self.phase {
            Phase::Preparing | Phase::Dialing { accepted: false, .. } => EndReason::Cancelled,
            Phase::Ringing { .. } => EndReason::Declined,
            _ => EndReason::HungUp,
        };
        CallEnd { reason, by: Side::Local }
    }

    /// What the peer's hang-up means. Our own peers give every reason but the plain one; what Skapi's
    /// client means has to be read from the phase.
    pub(super) fn end_by_peer(&self, said: Option<HangupReason>) -> CallEnd {
        let unsaid = match self.phase {
            Phase::Preparing | Phase::Dialing { accepted: false, .. } => EndReason::Declined,
            Phase::Ringing { .. } => EndReason::Cancelled,
            _ => EndReason::HungUp,
        };
        CallEnd { reason: EndReason::from_wire(said, unsaid), by: Side::Remote }
    }

    /// Ends the call: tells the peer if it is ours to tell, the engine, and the application.
    pub(super) fn finish(mut self, end: CallEnd, farewells: &mut Farewells, ctx: &mut Ctx<'_>) {
        self.turn_down_beaten(farewells, ctx);
        // One that is away may come back, and has to know that it was given up.
        let tells = end.by == Side::Local || self.peer_away_until.is_some() || self.rings_there;
        if tells && self.peer_has_heard_of_it() {
            self.send_hangup(end.reason.on_wire(), farewells, ctx);
        } else {
            self.acknowledge(ctx);
        }
        self.close_engine(ctx);
        ctx.out.call_event(self.id, CallEvent::Ended(end));
    }

    /// Whether the peer answers our hang-up with its own: Skapi's client does, unless it only rang.
    pub(super) fn hangup_is_echoed(&self) -> bool {
        let only_rang =
            matches!(self.phase, Phase::Preparing | Phase::Dialing { accepted: false, .. });
        self.peer_knows.is_none() && !only_rang
    }

    pub(super) fn send_hangup(
        &mut self,
        reason: Option<HangupReason>,
        farewells: &mut Farewells,
        ctx: &mut Ctx<'_>,
    ) {
        let mut content = self.content(RtcSignal::HungUp(ctx.own_user()), ctx.config);
        content.reason = reason;
        self.delivery.stamp(&mut content, ctx.now);
        if self.delivery.is_possible() {
            let certain = self.delivery.is_certain();
            let (to, user) = (self.peer.clone(), self.user.clone());
            farewells.say(content, to, user, certain, ctx.now, ctx.out);
        } else {
            ctx.out.send_or_keep(self.frame(content, None));
        }
    }
}

/// Hangs up something that is no call of ours, or no longer.
pub(super) fn send_hangup(
    call: Option<CallKey>,
    reason: HangupReason,
    to: ConnectionId,
    ctx: &mut Ctx<'_>,
) {
    let mut content = RtcContent::new(RtcSignal::HungUp(ctx.own_user())).reason(reason);
    content.call = call;
    let frame = ClientFrame::Rtc { to, content: content.encode(), token: None, reference: None };
    ctx.out.send_or_keep(frame);
}
