//! A call to a user, who has several devices.

use skapi_rtc_protocol::{HangupReason, RtcSignal};
use skapi_rtc_signaling::{
    CallEnd, CallEvent, CallId, EndReason, Event, PlaceError, PlaceOptions, RtcEvent, Usage,
    UserCallEvent, UserCallId,
};

use super::{
    harness::{Desk, OWN_CID, cid, local, remote, secs},
    peer::Peer,
};

/// We call a user who has this many devices, and every offer is out.
struct Ringing {
    desk: Desk,
    call: UserCallId,
    legs: Vec<(CallId, Peer)>,
}

impl Ringing {
    fn at(devices: usize, options: PlaceOptions) -> Self {
        let mut desk = Desk::up();
        let names = (0..devices).map(|device| format!("bob{device}"));
        let mut peers: Vec<_> = names.map(|name| Peer::ours(&name)).collect();
        let to = peers.iter().map(|peer| peer.cid.clone()).collect();
        let placed = desk.session.place_user_call(desk.now, to, options).unwrap();
        desk.collect();
        desk.engine_works();
        for (peer, offer) in peers.iter_mut().zip(desk.said()) {
            assert!(matches!(offer.signal, RtcSignal::Offer(_)));
            peer.key = offer.call;
        }
        desk.forget();
        let legs = placed.legs.into_iter().zip(peers).collect();
        Self { desk, call: placed.call, legs }
    }

    /// What was said about the call as a whole.
    fn told(&mut self) -> Vec<UserCallEvent> {
        let mut told = Vec::new();
        for event in self.desk.events() {
            if let Event::UserCall { call, event } = event {
                assert_eq!(call, self.call);
                told.push(event);
            }
        }
        told
    }

    fn hears(&mut self, device: usize, signal: RtcSignal) {
        let peer = self.legs[device].1.clone();
        self.desk.hears(&peer, signal);
    }

    fn hangs_up(&mut self, device: usize, reason: HangupReason) {
        let frame = self.legs[device].1.hangs_up(Some(reason));
        self.desk.frame(frame);
    }
}

#[test]
fn all_ring_the_first_accepts_and_the_others_stop() {
    let mut it = Ringing::at(3, PlaceOptions::default());
    it.hears(2, RtcSignal::Ringing);
    it.hears(0, RtcSignal::Ringing);
    assert_eq!(it.told(), [UserCallEvent::Ringing { leg: it.legs[2].0 }], "once is enough");

    let (answered, bob) = it.legs[1].clone();
    it.desk.hears(&bob, bob.answer());
    let events = it.desk.events();
    let told = Event::UserCall { call: it.call, event: UserCallEvent::Answered { leg: answered } };
    assert!(events.contains(&told), "{events:?}");
    for device in [0, 2] {
        let end = CallEvent::Ended(local(EndReason::AnsweredElsewhere));
        let ended = Event::Call { call: it.legs[device].0, event: end };
        assert!(events.contains(&ended), "{events:?}");
    }
    let reasons: Vec<_> = it.desk.said().into_iter().map(|content| content.reason).collect();
    let elsewhere = Some(HangupReason::AnsweredElsewhere);
    assert_eq!(reasons, [elsewhere.clone(), elsewhere]);

    // It goes on as a call like any other.
    it.desk.engine_works();
    it.desk.reports(answered, RtcEvent::Connected);
    it.desk.hang_up(answered);
    assert_eq!(it.desk.call_events().last(), Some(&CallEvent::Ended(local(EndReason::HungUp))));
}

#[test]
fn one_that_accepts_too_late_is_told_so_and_changes_nothing() {
    let mut it = Ringing::at(2, PlaceOptions::default());
    for device in [0, 1] {
        let answer = it.legs[device].1.answer();
        it.hears(device, answer);
    }
    assert_eq!(it.told(), [UserCallEvent::Answered { leg: it.legs[0].0 }]);
    assert_eq!(it.desk.said()[0].reason, Some(HangupReason::AnsweredElsewhere));
    assert_eq!(it.desk.session.calls().count(), 1);
}

#[test]
fn one_that_declines_leaves_the_others_ringing_unless_it_speaks_for_all() {
    let mut it = Ringing::at(2, PlaceOptions::default());
    it.hangs_up(0, HangupReason::Declined);
    assert_eq!(it.told(), []);
    assert_eq!(it.desk.session.calls().count(), 1);
    it.hangs_up(1, HangupReason::Busy);
    assert_eq!(it.told(), [UserCallEvent::Ended(remote(EndReason::Declined))]);

    let mut it = Ringing::at(3, PlaceOptions::default().decline_ends_all(true));
    it.hangs_up(0, HangupReason::Busy);
    assert_eq!(it.told(), [], "a device that is busy speaks for itself");
    it.hangs_up(1, HangupReason::Declined);
    assert_eq!(it.told(), [UserCallEvent::Ended(remote(EndReason::Declined))]);
    assert_eq!(it.desk.said()[0].reason, Some(HangupReason::Declined));
    assert_eq!(it.desk.session.calls().count(), 0);
}

#[test]
fn the_best_reason_is_told() {
    for (reasons, best) in [
        ([HangupReason::Busy, HangupReason::Declined], EndReason::Declined),
        ([HangupReason::Failed, HangupReason::Busy], EndReason::Busy),
        ([HangupReason::NoAnswer, HangupReason::Failed], EndReason::NoAnswer),
    ] {
        let mut it = Ringing::at(2, PlaceOptions::default());
        for (device, reason) in reasons.into_iter().enumerate() {
            it.hangs_up(device, reason);
        }
        assert_eq!(it.told(), [UserCallEvent::Ended(remote(best))]);
    }
}

#[test]
fn nobody_answers() {
    let mut it = Ringing::at(2, PlaceOptions::default().no_answer_timeout(secs(10)));
    it.desk.wait(secs(10));
    let end = CallEnd { ..local(EndReason::NoAnswer) };
    assert_eq!(it.told(), [UserCallEvent::Ended(end)]);
}

#[test]
fn taking_it_back_takes_every_leg_back() {
    let mut it = Ringing::at(3, PlaceOptions::default());
    it.desk.session.cancel_user_call(it.desk.now, it.call);
    it.desk.collect();
    let reasons: Vec<_> = it.desk.said().into_iter().map(|content| content.reason).collect();
    assert_eq!(reasons, vec![Some(HangupReason::Cancelled); 3]);
    assert_eq!(it.told(), [UserCallEvent::Ended(local(EndReason::Cancelled))]);
    // One that was answered is not taken back that way.
    it.desk.session.cancel_user_call(it.desk.now, it.call);
    it.desk.collect();
    assert_eq!(it.told(), []);
}

#[test]
fn hanging_up_every_leg_ends_it_too_and_nothing_is_left() {
    let mut it = Ringing::at(2, PlaceOptions::default());
    for (leg, _) in it.legs.clone() {
        it.desk.hang_up(leg);
    }
    assert_eq!(it.told(), [UserCallEvent::Ended(local(EndReason::Cancelled))]);
    it.desk.engine_works();
    it.desk.wait(secs(61));
    assert_eq!(it.desk.session.usage(), Usage::default());
}

#[test]
fn a_session_that_closes_ends_it() {
    let mut it = Ringing::at(2, PlaceOptions::default());
    it.desk.close();
    assert!(matches!(it.told()[..], [UserCallEvent::Ended(_)]));
    assert_eq!(it.desk.session.usage(), Usage::default());
}

#[test]
fn connections_that_cannot_be_called_are_left_out() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let before = bob.is_called(&mut desk);
    let mut place = |to: &[&str]| {
        let to = to.iter().map(|name| cid(name)).collect();
        let placed = desk.session.place_user_call(desk.now, to, PlaceOptions::default());
        placed.map(|placed| placed.legs.len())
    };
    assert_eq!(place(&[]), Err(PlaceError::NobodyThere));
    assert_eq!(place(&[OWN_CID]), Err(PlaceError::ToSelf));
    assert_eq!(place(&["c-bob"]), Err(PlaceError::AlreadyInCall(before)));
    assert_eq!(place(&["c-bob", "c-phone", OWN_CID]), Ok(1));
}
