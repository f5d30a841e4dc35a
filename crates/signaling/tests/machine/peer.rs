//! The other side of a call, as a script: one of ours, or Skapi's own client.

use skapi_rtc_protocol::{
    CallKey, Capability, ConnectionId, HangupReason, RtcContent, RtcSignal, ServerFrame,
    SessionDescription, UserId,
};
use skapi_rtc_signaling::{CallId, CallPhase, Event, RtcEvent};

use super::harness::{Desk, cid, sdp};

#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) cid: ConnectionId,
    pub(crate) user: UserId,
    /// The key of the call it is in; Skapi's client has none.
    pub(crate) key: Option<CallKey>,
    pub(crate) ours: bool,
    pub(crate) restarts: bool,
}

impl Peer {
    /// One that knows everything beyond Skapi but restarts. For a call of its own it takes a key that wins under glare.
    pub(crate) fn ours(name: &str) -> Self {
        Self {
            cid: cid(&format!("c-{name}")),
            user: UserId::new(name).unwrap(),
            key: Some(CallKey(1)),
            ours: true,
            restarts: false,
        }
    }

    /// One that knows everything beyond Skapi.
    pub(crate) fn restarts(name: &str) -> Self {
        Self { restarts: true, ..Self::ours(name) }
    }

    /// Skapi's own client.
    pub(crate) fn stock(name: &str) -> Self {
        Self { key: None, ours: false, ..Self::ours(name) }
    }

    pub(crate) fn says(&self, signal: RtcSignal) -> ServerFrame {
        let introduces = self.ours
            && matches!(
                signal,
                RtcSignal::Offer(_)
                    | RtcSignal::Answer(_)
                    | RtcSignal::Ringing
                    | RtcSignal::Hello
                    | RtcSignal::None
            );
        let mut content = RtcContent::new(signal);
        content.call = self.key;
        content.capabilities = introduces.then(|| {
            let mut known = vec![Capability::Ringing, Capability::Renegotiate];
            if self.restarts {
                known.extend([Capability::Restart, Capability::Hello]);
            }
            known
        });
        self.sends(&content)
    }

    pub(crate) fn sends(&self, content: &RtcContent) -> ServerFrame {
        ServerFrame::Rtc {
            content: content.encode(),
            user: self.user.clone(),
            from: self.cid.clone(),
        }
    }

    pub(crate) fn hangs_up(&self, reason: Option<HangupReason>) -> ServerFrame {
        let mut content = RtcContent::new(RtcSignal::HungUp(self.user.to_string()));
        content.call = self.key;
        content.reason = reason;
        self.sends(&content)
    }

    pub(crate) fn offer(&self) -> RtcSignal {
        RtcSignal::Offer(SessionDescription::offer(sdp("peer")))
    }

    pub(crate) fn answer(&self) -> RtcSignal {
        RtcSignal::Answer(SessionDescription::answer(sdp("peer")))
    }

    pub(crate) fn pickup(&self) -> RtcSignal {
        RtcSignal::Pickup(self.user.to_string())
    }

    /// The answer to an offer in a running call.
    pub(crate) fn answers_round(&self, round: u32) -> ServerFrame {
        let mut content = RtcContent::new(self.answer()).round(round);
        content.call = self.key;
        self.sends(&content)
    }

    /// An offer in a running call.
    pub(crate) fn renegotiates(&self, ufrag: &str) -> ServerFrame {
        let mut content = RtcContent::new(RtcSignal::Offer(SessionDescription::offer(sdp(ufrag))));
        content.call = self.key;
        self.sends(&content)
    }

    // Whole beginnings of stories. All of them forget what led there.

    /// We call it, and our offer is out.
    pub(crate) fn is_called(&mut self, desk: &mut Desk) -> CallId {
        let call = desk.place(self);
        desk.engine_works();
        let offer = desk.said().remove(0);
        if self.ours {
            self.key = offer.call;
        }
        desk.forget();
        call
    }

    /// It calls us, and it rings here.
    pub(crate) fn calls(&self, desk: &mut Desk) -> CallId {
        desk.hears(self, self.offer());
        let call = desk
            .events()
            .iter()
            .find_map(|event| match event {
                Event::Incoming { call, .. } => Some(*call),
                _ => None,
            })
            .expect("the call rings");
        desk.forget();
        call
    }

    /// It has answered our call; the engines look for each other.
    pub(crate) fn answers(&mut self, desk: &mut Desk) -> CallId {
        let call = self.is_called(desk);
        desk.hears(self, self.answer());
        desk.hears(self, self.pickup());
        desk.engine_works();
        assert_eq!(desk.phase(call), Some(CallPhase::Connecting));
        desk.forget();
        call
    }

    /// We have answered its call; the engines look for each other.
    pub(crate) fn is_answered(&self, desk: &mut Desk) -> CallId {
        let call = self.calls(desk);
        desk.accept(call);
        desk.engine_works();
        assert_eq!(desk.phase(call), Some(CallPhase::Connecting));
        desk.forget();
        call
    }

    /// In a running call that we placed.
    pub(crate) fn talks_as_callee(&mut self, desk: &mut Desk) -> CallId {
        let call = self.answers(desk);
        desk.reports(call, RtcEvent::Connected);
        desk.forget();
        call
    }

    /// In a running call that it placed.
    pub(crate) fn talks_as_caller(&self, desk: &mut Desk) -> CallId {
        let call = self.is_answered(desk);
        desk.reports(call, RtcEvent::Connected);
        desk.forget();
        call
    }
}
