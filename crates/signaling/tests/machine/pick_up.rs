//! The device that takes a call over.

use skapi_rtc_protocol::{
    CallKey, ClientFrame, ConnectionId, ErrorCode, HangupReason, RtcContent, RtcSignal,
};
use skapi_rtc_signaling::{
    CallEvent, CallId, CallPhase, EndReason, Event, PlaceError, PlaceOptions, RtcEvent, Usage,
};

use super::{
    handover::{device, of_wish},
    harness::{Desk, OWN_CID, cid, local, remote, secs},
    peer::Peer,
};

const OLD: CallKey = CallKey(7);

/// We have asked the laptop for its call with bob.
struct PickUp {
    desk: Desk,
    laptop: Peer,
    bob: Peer,
    call: CallId,
    key: CallKey,
}

impl PickUp {
    fn asked() -> Self {
        let (mut desk, laptop, mut bob) = (Desk::up(), device("laptop"), Peer::ours("bob"));
        let call = pick_up(&mut desk, &laptop.cid, &bob.cid).unwrap();
        let wish = desk.said().remove(0);
        assert_eq!(wish.signal, RtcSignal::TakeOver(bob.cid.clone()));
        bob.key = wish.call;
        Self { desk, laptop, key: wish.call.unwrap(), bob, call }
    }

    fn laptop_says(&mut self, signal: RtcSignal) {
        let content = of_wish(signal, self.key);
        self.desk.frame(self.laptop.sends(&content));
    }

    /// The laptop lets it go, and the offer is out.
    fn granted() -> (Self, RtcContent) {
        let mut it = Self::asked();
        it.laptop_says(RtcSignal::Granted(OLD));
        it.desk.engine_works();
        let offer = it.desk.said().remove(0);
        it.desk.forget();
        (it, offer)
    }

    fn bob_answers(&mut self) {
        let (bob, answer) = (self.bob.clone(), self.bob.answer());
        self.desk.hears(&bob, answer);
        self.desk.engine_works();
    }
}

fn pick_up(
    desk: &mut Desk,
    from: &ConnectionId,
    peer: &ConnectionId,
) -> Result<CallId, PlaceError> {
    let options = PlaceOptions::default();
    let call = desk.session.pick_up(desk.now, from.clone(), peer.clone(), options);
    desk.collect();
    call
}

#[test]
fn the_peer_is_called_in_the_place_of_the_other_device_once_that_lets_go() {
    let mut it = PickUp::asked();
    assert!(it.desk.engine_works().is_empty(), "nothing is set up before");
    it.laptop_says(RtcSignal::Granted(OLD));
    it.desk.engine_works();
    let offer = it.desk.said().remove(0);
    assert!(matches!(offer.signal, RtcSignal::Offer(_)) && offer.capabilities.is_some());
    assert_eq!((offer.call, offer.replaces), (Some(it.key), Some(OLD)));
    it.laptop_says(RtcSignal::Granted(OLD));
    assert!(it.desk.engine_works().is_empty(), "once");

    it.bob_answers();
    assert!(!it.desk.signals().contains(&RtcSignal::Taken));
    it.desk.reports(it.call, RtcEvent::Connected);
    assert_eq!(it.desk.signals(), [RtcSignal::Taken]);
    assert_eq!(it.desk.call_events(), [CallEvent::Accepted, CallEvent::Connected]);

    // From here on it is a call like any other, also for the laptop.
    it.desk.hang_up(it.call);
    let said = it.desk.said();
    assert!(matches!(&said[..], [hangup] if hangup.call == Some(it.key)), "{said:?}");
    assert_eq!(it.desk.end_of(it.call), local(EndReason::HungUp));
}

#[test]
fn the_other_device_may_refuse_but_nobody_else() {
    for who in ["mallory", "bob"] {
        let mut it = PickUp::asked();
        let other = Peer::ours(who);
        for signal in [RtcSignal::HungUp(who.to_owned()), RtcSignal::Granted(OLD)] {
            it.desk.frame(other.sends(&of_wish(signal, it.key)));
        }
        assert_eq!(it.desk.phase(it.call), Some(CallPhase::Preparing));
        assert!(it.desk.engine_works().is_empty());
    }
    let mut it = PickUp::asked();
    let no = of_wish(RtcSignal::HungUp("me".to_owned()), it.key);
    it.desk.frame(it.laptop.sends(&no.reason(HangupReason::NotHandedOver)));
    assert_eq!(it.desk.end_of(it.call), remote(EndReason::NotHandedOver));
    it.desk.wait(secs(10));
    assert_eq!(it.desk.session.usage(), Usage::default());
}

#[test]
fn it_asks_again_and_gives_up() {
    let mut it = PickUp::asked();
    let wish = RtcSignal::TakeOver(it.bob.cid.clone());
    it.desk.wait(secs(29));
    assert_eq!(it.desk.signals(), vec![wish; 3], "after 2, 6 and 14 s");
    it.desk.wait(secs(1));
    let given_up = it.desk.signals().pop();
    assert!(matches!(given_up, Some(RtcSignal::HungUp(_))), "{given_up:?}");
    assert_eq!(it.desk.end_of(it.call), local(EndReason::NoAnswer));
    it.desk.wait(secs(61));
    assert_eq!(it.desk.session.usage(), Usage::default());
}

#[test]
fn a_device_that_is_gone_is_said_to_be() {
    let (mut desk, laptop) = (Desk::up(), device("laptop"));
    let call = pick_up(&mut desk, &laptop.cid, &cid("c-bob")).unwrap();
    let [ClientFrame::Rtc { reference: Some(reference), .. }] = desk.sent()[..] else { panic!() };
    desk.refuse(reference, ErrorCode::UnknownConnection);
    assert_eq!(desk.end_of(call), remote(EndReason::Unreachable));
}

#[test]
fn taking_it_back_leaves_the_call_to_the_other_devices() {
    let mut it = PickUp::asked();
    it.desk.hang_up(it.call);
    let [ClientFrame::Rtc { to, .. }] = &it.desk.sent()[..] else { panic!("to the laptop alone") };
    assert_eq!(*to, it.laptop.cid);
    assert_eq!(it.desk.end_of(it.call), local(EndReason::Cancelled));

    let (mut it, _) = PickUp::granted();
    it.desk.hang_up(it.call);
    let sent = it.desk.sent();
    let told: Vec<_> = sent
        .iter()
        .filter_map(|frame| match frame {
            ClientFrame::Rtc { to, .. } => Some(to.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(told, [it.bob.cid.clone(), it.laptop.cid.clone()]);
}

#[test]
fn the_peer_may_have_lost_the_call_or_given_it_away() {
    let (mut it, _) = PickUp::granted();
    it.desk.frame(it.bob.hangs_up(Some(HangupReason::NotHandedOver)));
    assert_eq!(it.desk.end_of(it.call), remote(EndReason::NotHandedOver));
}

#[test]
fn a_call_of_the_peers_does_not_win_over_it() {
    for granted in [false, true] {
        let mut it = if granted { PickUp::granted().0 } else { PickUp::asked() };
        let theirs = Peer { key: Some(CallKey(0)), ..it.bob.clone() };
        it.desk.hears(&theirs, theirs.offer());
        assert!(it.desk.engine_works().is_empty(), "theirs has the smaller key, and loses");
        let rings = |event: &Event| matches!(event, Event::Incoming { .. });
        assert!(!it.desk.events().iter().any(rings));
        if !granted {
            it.laptop_says(RtcSignal::Granted(OLD));
            it.desk.engine_works();
        }
        it.bob_answers();
        it.desk.reports(it.call, RtcEvent::Connected);
        assert_eq!(it.desk.phase(it.call), Some(CallPhase::Established));
    }
}

#[test]
fn even_the_offer_is_sent_again_and_outlives_a_lost_link() {
    let (mut it, offer) = PickUp::granted();
    it.desk.wait(secs(2));
    assert_eq!(it.desk.said(), std::slice::from_ref(&offer));
    it.desk.reconnect("m-other");
    assert!(it.desk.said().contains(&offer));
    it.desk.wait(secs(30));
    assert_eq!(it.desk.end_of(it.call), local(EndReason::NoAnswer));
}

#[test]
fn what_cannot_be_picked_up() {
    let (mut desk, mut bob, laptop) = (Desk::up(), Peer::ours("bob"), device("laptop"));
    let own = cid(OWN_CID);
    assert_eq!(pick_up(&mut desk, &own, &bob.cid), Err(PlaceError::ToSelf));
    assert_eq!(pick_up(&mut desk, &laptop.cid, &own), Err(PlaceError::ToSelf));
    let call = bob.is_called(&mut desk);
    assert_eq!(pick_up(&mut desk, &laptop.cid, &bob.cid), Err(PlaceError::AlreadyInCall(call)));
    let mut desk = Desk::up_at_skapi();
    assert_eq!(pick_up(&mut desk, &laptop.cid, &bob.cid), Err(PlaceError::NotGreeted));
}
