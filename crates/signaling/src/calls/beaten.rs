//! A peer's offer that lost against ours: when ours comes to nothing, the peer must not go on calling nobody.
//!
//! The peer may have ended our call before it placed its own, and the word of that been lost or late. Then
//! nothing of ours rings there any more, and it waits for an answer that we have thrown away.

use skapi_rtc_protocol::{CallKey, Capability, HangupReason, RtcContent, RtcSignal};

use super::{
    Ctx,
    call::{Call, Phase},
    farewells::Farewells,
};

/// What has to be known of such an offer to turn it down later.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beaten {
    key: CallKey,
    seq: Option<u32>,
    acknowledged: bool,
}

impl Call {
    /// Remembers the offer that our own has just beaten.
    pub(super) fn beat(&mut self, offer: &RtcContent) {
        self.beaten = offer.call.map(|key| Beaten {
            key,
            seq: offer.seq,
            acknowledged: offer
                .capabilities
                .as_ref()
                .is_some_and(|known| known.contains(&Capability::Ack)),
        });
    }

    /// Turns that offer down, unless the peer has accepted ours and so has given its own up.
    pub(super) fn turn_down_beaten(&mut self, farewells: &mut Farewells, ctx: &mut Ctx<'_>) {
        let gave_up =
            !matches!(self.phase, Phase::Preparing | Phase::Dialing { accepted: false, .. });
        let Some(beaten) = self.beaten.take().filter(|_| !gave_up) else {
            return;
        };
        let mut hangup =
            RtcContent::new(RtcSignal::HungUp(ctx.own_user())).reason(HangupReason::Busy);
        if beaten.acknowledged {
            hangup = hangup.seq(1);
            hangup.ack = beaten.seq;
        }
        hangup.call = Some(beaten.key);
        let (to, user) = (self.peer.clone(), self.user.clone());
        farewells.say(hangup, to, user, beaten.acknowledged, ctx.now, ctx.out);
    }
}
