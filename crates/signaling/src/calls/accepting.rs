//! A call is accepted: by our user, or by the peer.

use skapi_rtc_protocol::SessionDescription;

use super::{
    Ctx,
    call::{Call, Phase},
    negotiation::Offer,
};
use crate::CallEvent;

impl Call {
    /// The user accepts. Without effect unless the call rings here.
    pub(super) fn accept(&mut self, ctx: &mut Ctx<'_>) {
        if !matches!(self.phase, Phase::Ringing { .. }) {
            return;
        }
        let Phase::Ringing { offer } = std::mem::replace(&mut self.phase, Phase::Answering) else {
            return;
        };
        self.answer(offer, ctx);
    }

    pub(super) fn answer(&mut self, offer: SessionDescription, ctx: &mut Ctx<'_>) {
        self.deadline = Some(ctx.now + ctx.config.connect_timeout);
        self.open_engine(ctx);
        self.accept_offer(Offer { description: offer, round: None }, ctx);
    }

    pub(super) fn accepted(&mut self, ctx: &mut Ctx<'_>) {
        if let Phase::Dialing { accepted: accepted @ false, .. } = &mut self.phase {
            *accepted = true;
            self.deadline = Some(ctx.now + ctx.config.connect_timeout);
            ctx.out.call_event(self.id, CallEvent::Accepted);
        }
    }

    /// The other side wants the call, or this one does.
    pub(super) fn was_accepted(&self) -> bool {
        matches!(self.phase, Phase::Dialing { accepted: true, .. })
            || !(self.is_calling() || self.is_ringing())
    }
}
