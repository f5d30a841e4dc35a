//! The peer of a call that another device of its peer's user takes over.

use skapi_rtc_protocol::{CallKey, Capability, HangupReason, RtcContent, RtcSignal};
use skapi_rtc_signaling::{
    BusyPolicy, CallEvent, CallId, CallPhase, Config, EndReason, Event, HandoverPolicy,
    PlaceOptions, RtcEvent, Usage,
};

use super::{
    handover::{SUCCESSOR, device, follows, of_wish},
    harness::{Desk, local, remote, secs},
    peer::Peer,
};

/// We are in a call with alice at her laptop.
struct Talk {
    desk: Desk,
    old: CallId,
    laptop: Peer,
}

impl Talk {
    /// Alice has called us.
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        let (mut desk, laptop) = (Desk::up_with(config), alices("laptop", CallKey(7)));
        let old = laptop.talks_as_caller(&mut desk);
        follows(&mut desk, &laptop);
        Self { desk, old, laptop }
    }

    /// We have called alice.
    fn placed() -> Self {
        let (mut desk, mut laptop) = (Desk::up(), alices("laptop", CallKey(7)));
        let old = laptop.talks_as_callee(&mut desk);
        follows(&mut desk, &laptop);
        Self { desk, old, laptop }
    }

    /// A device offers the successor of the call with this key.
    fn offers(&mut self, device: &Peer, old: Option<CallKey>) {
        let known = vec![Capability::Ack, Capability::Handover];
        let mut offer = RtcContent::new(device.offer()).seq(1).capabilities(known);
        (offer.call, offer.replaces) = (device.key, old);
        let frame = device.sends(&offer);
        self.desk.frame(frame);
    }

    /// The phone takes the call over; the answer is out.
    fn with_successor() -> (Self, Peer, CallId) {
        let mut it = Self::new();
        let phone = alices("phone", SUCCESSOR);
        it.offers(&phone, it.laptop.key);
        let new = it.announced().unwrap();
        it.desk.engine_works();
        it.desk.forget();
        (it, phone, new)
    }

    fn announced(&mut self) -> Option<CallId> {
        self.desk.events().into_iter().find_map(|event| {
            match event {
                Event::Successor { call, of, .. } => Some((call, of)),
                Event::Incoming { .. } => panic!("it rings"),
                _ => None,
            }
            .map(|(call, of)| {
                assert_eq!(of, self.old);
                call
            })
        })
    }

    fn is_taken(&mut self, phone: &Peer) {
        let mut taken = RtcContent::new(RtcSignal::Taken).seq(2);
        taken.call = phone.key;
        let frame = phone.sends(&taken);
        self.desk.frame(frame);
    }

    fn refuses(&mut self, device: &Peer, old: Option<CallKey>) {
        self.offers(device, old);
        assert_eq!(self.announced(), None);
        let said = self.desk.said();
        let is_no = |content: &RtcContent| {
            content.call == device.key && content.reason == Some(HangupReason::NotHandedOver)
        };
        assert!(said.iter().any(is_no), "{said:?}");
        assert!(self.desk.engine_works().is_empty());
    }

    fn old_goes_on(&self) {
        assert_eq!(self.desk.phase(self.old), Some(CallPhase::Established));
    }

    fn end(&mut self, call: CallId) -> Option<CallEvent> {
        let of_call = |event| match event {
            Event::Call { call: of, event } if of == call => Some(event),
            _ => None,
        };
        self.desk.events().into_iter().filter_map(of_call).next_back()
    }
}

fn alices(name: &str, key: CallKey) -> Peer {
    Peer { user: "alice".parse().unwrap(), key: Some(key), ..Peer::ours(name) }
}

#[test]
fn the_successor_does_not_ring_and_the_old_call_ends_once_it_is_up_at_both_ends() {
    for taken_first in [true, false] {
        let (mut it, phone, new) = Talk::with_successor();
        it.old_goes_on();
        assert_eq!(it.desk.phase(new), Some(CallPhase::Connecting));
        if taken_first {
            it.is_taken(&phone);
            it.old_goes_on();
            it.desk.reports(new, RtcEvent::Connected);
        } else {
            it.desk.reports(new, RtcEvent::Connected);
            it.old_goes_on();
            it.is_taken(&phone);
        }
        assert_eq!(it.end(it.old), Some(CallEvent::Ended(local(EndReason::Moved))));
        let said = it.desk.said();
        let moved = |content: &RtcContent| {
            content.call == it.laptop.key && content.reason == Some(HangupReason::Moved)
        };
        assert!(said.iter().any(moved), "{said:?}");
        assert_eq!(it.desk.phase(new), Some(CallPhase::Established));
        it.desk.hang_up(new);
        assert_eq!(it.desk.end_of(new), local(EndReason::HungUp));
        it.desk.wait(secs(61));
        assert_eq!(it.desk.session.usage(), Usage::default());
    }
}

#[test]
fn neither_a_busy_callee_nor_the_limit_of_calls_keeps_it_away() {
    let config = Config::default().busy(BusyPolicy::Reject).max_calls(1);
    let mut it = Talk::with(config);
    it.offers(&alices("phone", SUCCESSOR), it.laptop.key);
    assert!(it.announced().is_some());
}

#[test]
fn only_the_peers_user_who_knows_the_calls_key_may_take_it_over() {
    let mut it = Talk::new();
    let key = it.laptop.key;
    let mallory = Peer { key: Some(SUCCESSOR), ..Peer::ours("mallory") };
    it.refuses(&mallory, key);
    it.refuses(&alices("phone", CallKey(78)), Some(CallKey(8)));
    let again = Peer { key: Some(CallKey(79)), ..it.laptop.clone() };
    it.refuses(&again, key);
    it.old_goes_on();

    let mut it = Talk::with(Config::default().handover(HandoverPolicy::Refuse));
    it.refuses(&alices("phone", SUCCESSOR), key);
    it.old_goes_on();
}

#[test]
fn one_device_takes_it_over_at_a_time() {
    let (mut it, phone, new) = Talk::with_successor();
    it.refuses(&alices("tablet", CallKey(78)), it.laptop.key);
    // Not even by way of the successor, as long as that has not taken its place.
    it.desk.reports(new, RtcEvent::Connected);
    it.refuses(&alices("tablet", CallKey(79)), phone.key);
    it.is_taken(&phone);
    let tablet = alices("tablet", CallKey(80));
    it.desk.forget();
    it.old = new;
    it.offers(&tablet, phone.key);
    assert!(it.announced().is_some(), "a call may move again and again");
}

#[test]
fn when_the_successor_fails_the_old_call_goes_on_and_may_be_taken_over_again() {
    for how in 0..3 {
        let (mut it, phone, new) = Talk::with_successor();
        match how {
            0 => it.desk.frame(phone.hangs_up(Some(HangupReason::Cancelled))),
            1 => it.desk.wait(secs(30)),
            _ => {
                it.desk.reports(new, RtcEvent::Connected);
                it.desk.frame(phone.hangs_up(Some(HangupReason::Failed)));
            }
        }
        assert_eq!(it.desk.phase(new), None);
        it.old_goes_on();
        it.desk.forget();
        it.offers(&alices("phone", CallKey(78)), it.laptop.key);
        assert!(it.announced().is_some());
    }
}

#[test]
fn a_device_that_tries_anew_has_given_its_first_try_up() {
    let (mut it, _, first) = Talk::with_successor();
    it.offers(&alices("phone", CallKey(78)), it.laptop.key);
    assert!(it.announced().is_some());
    assert_eq!(it.desk.phase(first), None);
    it.old_goes_on();
}

#[test]
fn when_the_old_call_ends_in_the_middle_the_successor_goes_on() {
    let (mut it, phone, new) = Talk::with_successor();
    it.desk.frame(it.laptop.hangs_up(None));
    assert_eq!(it.end(it.old), Some(CallEvent::Ended(remote(EndReason::HungUp))));
    it.desk.reports(new, RtcEvent::Connected);
    it.is_taken(&phone);
    assert_eq!(it.desk.phase(new), Some(CallPhase::Established));
}

#[test]
fn when_we_hang_up_in_the_middle_both_are_over() {
    let (mut it, _, new) = Talk::with_successor();
    it.desk.hang_up(it.old);
    assert_eq!(it.desk.phase(new), None);
    let said = it.desk.said();
    let hung_up = |content: &&RtcContent| matches!(content.signal, RtcSignal::HungUp(_));
    assert_eq!(said.iter().filter(hung_up).count(), 2, "{said:?}");
}

#[test]
fn our_own_call_to_that_device_gives_way() {
    let mut it = Talk::new();
    let mut phone = alices("phone", CallKey(u64::MAX));
    let ours = phone.is_called(&mut it.desk);
    phone.key = Some(CallKey(u64::MAX));
    it.offers(&phone, it.laptop.key);
    let events = it.desk.events();
    let ended = CallEvent::Ended(remote(EndReason::Busy));
    assert!(events.contains(&Event::Call { call: ours, event: ended }), "{events:?}");
    assert!(events.iter().any(|event| matches!(event, Event::Successor { .. })), "{events:?}");
}

#[test]
fn of_two_handovers_at_both_ends_the_callers_goes_on() {
    let tablet = device("tablet");
    let wants = |it: &mut Talk| {
        let wish = RtcSignal::TakeOver(it.laptop.cid.clone());
        it.desk.frame(tablet.sends(&of_wish(wish, CallKey(90))));
        assert!(matches!(it.desk.signals()[..], [RtcSignal::Granted(_)]));
    };
    // We have placed the call, and let our own tablet have it.
    let mut it = Talk::placed();
    wants(&mut it);
    it.refuses(&alices("phone", SUCCESSOR), it.laptop.key);
    it.old_goes_on();
    // We were called: alice's handover counts, and our tablet has to ask again.
    let mut it = Talk::new();
    wants(&mut it);
    it.offers(&alices("phone", SUCCESSOR), it.laptop.key);
    assert!(it.announced().is_some());
    let wish = RtcSignal::TakeOver(it.laptop.cid.clone());
    it.desk.forget();
    it.desk.frame(tablet.sends(&of_wish(wish, CallKey(91))));
    assert_eq!(it.desk.said()[0].reason, Some(HangupReason::NotHandedOver));
}

#[test]
fn a_successor_that_carries_traffic_for_long_takes_its_place_though_nothing_was_heard() {
    let (mut it, _, new) = Talk::with_successor();
    it.desk.reports(new, RtcEvent::Connected);
    it.desk.wait(secs(29));
    it.old_goes_on();
    it.desk.reports(new, RtcEvent::Disconnected);
    it.desk.wait(secs(1));
    it.old_goes_on();
    it.desk.reports(new, RtcEvent::Connected);
    it.desk.wait(secs(30));
    assert_eq!(it.desk.phase(it.old), None);
    assert_eq!(it.desk.phase(new), Some(CallPhase::Established));
}

#[test]
fn of_two_successors_that_meet_the_smaller_key_counts() {
    for (key, ours_counts) in [(CallKey(u64::MAX), true), (CallKey(0), false)] {
        let mut it = Talk::new();
        // We take a call with alice's phone over from a tablet of ours, while the phone takes over the laptop's.
        let (tablet, phone) = (device("tablet"), alices("phone", key));
        let options = PlaceOptions::default();
        let (from, peer) = (tablet.cid.clone(), phone.cid.clone());
        let ours = it.desk.session.pick_up(it.desk.now, from, peer, options).unwrap();
        it.desk.collect();
        let wish = it.desk.said().remove(0).call.unwrap();
        it.desk.frame(tablet.sends(&of_wish(RtcSignal::Granted(CallKey(5)), wish)));
        it.desk.engine_works();
        it.desk.forget();
        it.offers(&phone, it.laptop.key);
        assert_eq!(it.announced().is_none(), ours_counts);
        assert_eq!(it.desk.phase(ours).is_some(), ours_counts);
        it.old_goes_on();
    }
}
