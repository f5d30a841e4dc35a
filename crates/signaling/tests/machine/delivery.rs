//! Contents that are numbered and acknowledged.

use skapi_rtc_protocol::{CallKey, Capability, HangupReason, RtcContent, RtcSignal};
use skapi_rtc_signaling::{CallPhase, EndReason, RtcEvent};

use super::{
    harness::{Desk, candidate, local, millis, remote, secs},
    peer::Peer,
};

fn caps() -> Vec<Capability> {
    vec![Capability::Ringing, Capability::Renegotiate, Capability::Ack]
}

/// A content of a peer that counts.
fn numbered(bob: &Peer, signal: RtcSignal, seq: u32, ack: u32) -> RtcContent {
    RtcContent::new(signal).call(bob.key.unwrap_or(CallKey(1))).seq(seq).ack(ack)
}

fn ring(bob: &Peer) -> RtcContent {
    numbered(bob, RtcSignal::Ringing, 1, 1).capabilities(caps())
}

/// We have called a peer that counts, and it rings there.
fn dialing() -> (Desk, Peer, skapi_rtc_signaling::CallId) {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.is_called(&mut desk);
    desk.frame(bob.sends(&ring(&bob)));
    desk.forget();
    (desk, bob, call)
}

#[test]
fn everything_has_its_number_from_the_offer_on() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = desk.place(&bob);
    desk.engine_works();
    desk.reports(call, RtcEvent::Candidate(candidate("a", None)));
    let numbers: Vec<_> = desk.said().iter().map(|content| content.seq).collect();
    assert_eq!(numbers, [Some(1), Some(2)]);
}

#[test]
fn what_is_not_acknowledged_is_sent_again_ever_more_rarely() {
    let (mut desk, _, call) = dialing();
    desk.reports(call, RtcEvent::Candidate(candidate("a", None)));
    assert_eq!(desk.said()[0].seq, Some(2));
    let mut times = 0;
    for wait in [2, 4, 8] {
        desk.wait(secs(wait) - millis(1));
        let early = desk.said();
        assert!(early.iter().all(|content| content.seq.is_none()), "{early:?}");
        desk.wait(millis(1));
        let again = desk.said();
        assert_eq!(again.iter().filter(|content| content.seq == Some(2)).count(), 1, "{wait}");
        times += 1;
    }
    assert_eq!(times, 3);
}

#[test]
fn an_acknowledgement_ends_it() {
    let (mut desk, bob, call) = dialing();
    desk.reports(call, RtcEvent::Candidate(candidate("a", None)));
    desk.reports(call, RtcEvent::Candidate(candidate("b", None)));
    assert_eq!(desk.session.usage().unacknowledged, 2);
    let ack = RtcContent::new(RtcSignal::None).call(bob.key.unwrap()).ack(3);
    desk.frame(bob.sends(&ack));
    assert_eq!(desk.session.usage().unacknowledged, 0);
    desk.wait(secs(1)); // our own acknowledgement of its ringing
    desk.forget();
    desk.wait(secs(20));
    assert_eq!(desk.said(), []);
}

#[test]
fn each_counts_once_and_in_its_turn() {
    let (mut desk, bob, call) = dialing();
    let answer = numbered(&bob, bob.answer(), 3, 1);
    desk.frame(bob.sends(&answer));
    assert_eq!(desk.phase(call), Some(CallPhase::Dialing), "number 2 is missing");
    desk.wait(millis(500));
    let asks = desk.said().remove(0);
    assert_eq!((asks.signal, asks.ack, asks.seq), (RtcSignal::None, Some(1), None));
    assert!(asks.capabilities.is_some(), "it asks for what is missing");
    desk.frame(bob.sends(&numbered(&bob, RtcSignal::Candidate(candidate("a", None)), 2, 1)));
    desk.frame(bob.sends(&answer));
    assert_eq!(desk.phase(call), Some(CallPhase::Connecting));
    desk.engine_works();
    desk.frame(bob.sends(&numbered(&bob, RtcSignal::Candidate(candidate("a", None)), 2, 1)));
    assert_eq!(desk.engine_works(), [], "twice is once");
}

#[test]
fn a_peer_that_is_back_gets_the_rest_at_once() {
    let (mut desk, mut bob, call) = dialing();
    desk.reports(call, RtcEvent::Candidate(candidate("a", None)));
    desk.forget();
    bob.cid = super::harness::cid("c-bob-again");
    let here = RtcContent::new(RtcSignal::None).call(bob.key.unwrap()).ack(1).capabilities(caps());
    desk.frame(bob.sends(&here));
    let said = desk.said();
    assert_eq!(said[0].seq, Some(2));
}

#[test]
fn a_call_that_rings_at_a_peer_that_counts_outlives_a_new_connection() {
    let (mut desk, bob, call) = dialing();
    desk.link_lost();
    desk.reports(call, RtcEvent::Candidate(candidate("a", None)));
    desk.wait(secs(1));
    desk.link_up();
    desk.greet("m-2");
    let said = desk.said();
    assert!(said.iter().any(|content| content.signal == RtcSignal::None), "{said:?}");
    assert!(said.iter().any(|content| content.seq == Some(2)), "{said:?}");
    desk.frame(bob.sends(&numbered(&bob, bob.answer(), 2, 2)));
    assert_eq!(desk.phase(call), Some(CallPhase::Connecting));
}

#[test]
fn a_hang_up_is_sent_again_until_it_has_arrived() {
    let (mut desk, bob, call) = dialing();
    desk.hang_up(call);
    desk.end_of(call);
    desk.forget();
    desk.wait(secs(2));
    let again = desk.said().remove(0);
    assert_eq!((again.reason, again.seq), (Some(HangupReason::Cancelled), Some(2)));
    let ack = RtcContent::new(RtcSignal::None).call(bob.key.unwrap()).ack(2);
    desk.frame(bob.sends(&ack));
    assert_eq!(desk.session.usage().index, 0);
    desk.wait(secs(120));
    assert_eq!(desk.said(), []);
}

#[test]
fn a_hang_up_that_nobody_acknowledges_is_given_up_after_a_minute() {
    let (mut desk, _, call) = dialing();
    desk.hang_up(call);
    desk.wait(secs(61));
    assert_eq!(desk.session.usage(), skapi_rtc_signaling::Usage::default());
}

#[test]
fn a_hang_up_is_acknowledged_whatever_is_missing_and_though_there_is_no_such_call() {
    let (mut desk, bob, call) = dialing();
    let mut hangup = numbered(&bob, RtcSignal::HungUp("bob".to_owned()), 9, 1);
    hangup.reason = Some(HangupReason::Declined);
    for _ in 0..2 {
        desk.frame(bob.sends(&hangup));
        let said = desk.said();
        assert_eq!(said.len(), 1, "{said:?}");
        assert_eq!((said[0].ack, said[0].seq), (Some(9), None));
    }
    assert_eq!(desk.end_of(call), remote(EndReason::Declined));
}

#[test]
fn an_offer_that_comes_again_after_the_call_was_declined_does_not_ring_again() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let offer = numbered(&bob, bob.offer(), 1, 0).capabilities(caps());
    desk.frame(bob.sends(&offer));
    let call = desk.session.calls().next().unwrap().call;
    desk.decline(call, EndReason::Declined);
    desk.forget();
    desk.frame(bob.sends(&offer));
    assert_eq!(desk.events(), []);
}

#[test]
fn a_peer_that_does_not_count_is_not_waited_for() {
    for mut bob in [Peer::ours("bob"), Peer::stock("bob")] {
        let mut desk = Desk::up();
        let call = bob.answers(&mut desk);
        desk.reports(call, RtcEvent::Candidate(candidate("a", None)));
        assert_eq!(desk.said()[0].seq, None);
        assert_eq!(desk.session.usage().unacknowledged, 0);
    }
}

#[test]
fn a_peer_that_acknowledges_nothing_is_given_up() {
    let (mut desk, _, call) = dialing();
    for number in 0..300 {
        desk.reports(call, RtcEvent::Candidate(candidate(&number.to_string(), None)));
    }
    assert!(desk.session.usage().unacknowledged <= 256);
    desk.wait(millis(1));
    assert_eq!(desk.end_of(call), local(EndReason::Undelivered));
}
