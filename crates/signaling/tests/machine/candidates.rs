//! Candidates, early and late, in both directions.

use skapi_rtc_protocol::{IceCandidate, RtcSignal};
use skapi_rtc_signaling::{RtcAction, RtcEvent};

use super::{
    harness::{Desk, candidate},
    peer::Peer,
};

fn added(actions: &[RtcAction]) -> Vec<&str> {
    actions
        .iter()
        .filter_map(|action| match action {
            RtcAction::AddCandidate(candidate) => Some(candidate.candidate.as_str()),
            _ => None,
        })
        .collect()
}

fn trickle(desk: &mut Desk, peer: &Peer, name: &str, ufrag: Option<&str>) {
    desk.hears(peer, RtcSignal::Candidate(candidate(name, ufrag)));
}

#[test]
fn the_callers_wait_until_the_call_is_accepted_and_its_offer_in_place() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.calls(&mut desk);
    trickle(&mut desk, &bob, "a", Some("peer"));
    trickle(&mut desk, &bob, "b", None);
    desk.accept(call);
    trickle(&mut desk, &bob, "c", Some("peer"));
    assert_eq!(desk.engine_does_one().map(|a| added(&[a]).len()), Some(0));
    let asked = desk.engine_works();
    assert!(matches!(asked[0], RtcAction::AcceptOffer(_)));
    assert_eq!(added(&asked), ["a", "b", "c"]);
    trickle(&mut desk, &bob, "d", Some("peer"));
    assert_eq!(added(&desk.engine_works()), ["d"]);
}

#[test]
fn the_callees_wait_until_its_answer_is_in_place() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    bob.is_called(&mut desk);
    trickle(&mut desk, &bob, "early", Some("peer"));
    desk.hears(&bob, bob.answer());
    trickle(&mut desk, &bob, "b", Some("peer"));
    let asked = desk.engine_works();
    assert!(matches!(asked[0], RtcAction::AcceptAnswer(_)));
    assert_eq!(added(&asked), ["early", "b"]);
}

#[test]
fn those_of_another_description_are_dropped() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    bob.is_called(&mut desk);
    trickle(&mut desk, &bob, "before", Some("other"));
    desk.hears(&bob, bob.answer());
    desk.engine_works();
    trickle(&mut desk, &bob, "after", Some("other"));
    trickle(&mut desk, &bob, "mine", Some("peer"));
    assert_eq!(added(&desk.engine_works()), ["mine"]);
}

#[test]
fn what_a_caller_can_make_us_hold_is_bounded() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.calls(&mut desk);
    for number in 0..1_000 {
        trickle(&mut desk, &bob, &number.to_string(), None);
    }
    desk.accept(call);
    assert_eq!(added(&desk.engine_works()).len(), 128);
}

#[test]
fn ours_follow_the_description_they_belong_to() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = desk.place(&bob);
    desk.engine_does_one();
    desk.reports(call, RtcEvent::Candidate(candidate("a", None)));
    assert_eq!(desk.signals(), []);
    desk.engine_works();
    desk.reports(call, RtcEvent::Candidate(candidate("b", None)));
    desk.reports(call, RtcEvent::Candidate(IceCandidate::default()));
    let signals = desk.signals();
    assert!(matches!(signals[0], RtcSignal::Offer(_)));
    let names = ["a", "b", ""].map(|name| RtcSignal::Candidate(candidate(name, None)));
    assert_eq!(signals[1..], names);
}

#[test]
fn the_callees_own_follow_answer_and_pickup() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.calls(&mut desk);
    desk.accept(call);
    desk.engine_does_one();
    desk.reports(call, RtcEvent::Candidate(candidate("a", None)));
    desk.engine_works();
    let signals = desk.signals();
    assert!(matches!(
        signals[..],
        [RtcSignal::Answer(_), RtcSignal::Pickup(_), RtcSignal::Candidate(_)]
    ));
}

#[test]
fn those_of_a_call_that_is_over_go_nowhere() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.answers(&mut desk);
    desk.hang_up(call);
    desk.engine_works();
    desk.forget();
    trickle(&mut desk, &bob, "late", None);
    desk.reports(call, RtcEvent::Candidate(candidate("ours", None)));
    assert_eq!((desk.engine_works(), desk.signals()), (vec![], vec![]));
}
