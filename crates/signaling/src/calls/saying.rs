//! What we say in a call: what a content carries beside its signal, and how surely it is to arrive.

use skapi_rtc_protocol::{Capability, ClientFrame, RtcContent, RtcSignal};

use super::{Ctx, call::Call};
use crate::{Config, HandoverPolicy, requests::Purpose};

/// What this version knows beyond Skapi, and the application wants.
pub(super) fn capabilities(config: &Config) -> Vec<Capability> {
    let mut known = vec![
        Capability::Ringing,
        Capability::Renegotiate,
        Capability::Ack,
        Capability::Restart,
        Capability::Hello,
    ];
    if config.handover != HandoverPolicy::Refuse {
        known.push(Capability::Handover);
    }
    known
}

impl Call {
    pub(super) fn send(&mut self, signal: RtcSignal, ctx: &mut Ctx<'_>) {
        self.send_content(self.content(signal, ctx.config), None, ctx);
    }

    /// Sends something that is worth nothing later. The service says so if it cannot be delivered.
    pub(super) fn send_now(&self, signal: RtcSignal, ctx: &mut Ctx<'_>) {
        let reference = if ctx.answers { ctx.open_request(Purpose::Reach(self.id)) } else { None };
        ctx.out.send(self.frame(self.content(signal, ctx.config), reference));
    }

    /// Sends something that the peer must get now: the service says so if it cannot.
    pub(super) fn send_to_reach(&mut self, signal: RtcSignal, ctx: &mut Ctx<'_>) {
        let reference = if ctx.answers { ctx.open_request(Purpose::Reach(self.id)) } else { None };
        self.send_content(self.content(signal, ctx.config), reference, ctx);
    }

    pub(super) fn send_content(
        &mut self,
        mut content: RtcContent,
        reference: Option<u32>,
        ctx: &mut Ctx<'_>,
    ) {
        self.delivery.stamp(&mut content, ctx.now);
        ctx.out.send_or_keep(self.frame(content, reference));
    }

    pub(super) fn content(&self, signal: RtcSignal, config: &Config) -> RtcContent {
        let introduces = match signal {
            // A later offer does not: that tells it from one that rings.
            RtcSignal::Offer(_) => self.is_calling(),
            RtcSignal::Answer(_) | RtcSignal::Ringing | RtcSignal::Hello | RtcSignal::None => true,
            _ => false,
        };
        let mut content = RtcContent::new(signal);
        content.call = self.key;
        if let RtcSignal::Offer(_) = content.signal {
            content.replaces = self.handover.replaces();
        }
        content.capabilities = introduces.then(|| capabilities(config));
        content
    }

    pub(super) fn frame(&self, content: RtcContent, reference: Option<u32>) -> ClientFrame {
        ClientFrame::Rtc {
            to: self.peer.clone(),
            content: content.encode(),
            token: None,
            reference,
        }
    }
}
