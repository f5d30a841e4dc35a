//! New offers in a running call: from either side, from both, and with engines that fail.

use skapi_rtc_protocol::{RtcSignal, SessionDescription};
use skapi_rtc_signaling::{CallPhase, RtcAction, RtcEvent};

use super::{
    harness::{Desk, candidate, sdp},
    peer::Peer,
};

fn offer(ufrag: &str) -> SessionDescription {
    SessionDescription::offer(sdp(ufrag))
}

#[test]
fn we_offer_and_the_peer_answers() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reports(call, RtcEvent::NegotiationNeeded);
    assert!(matches!(desk.engine_works()[..], [RtcAction::MakeOffer { .. }]));
    let said = desk.said();
    assert!(matches!(said[0].signal, RtcSignal::Offer(_)));
    assert_eq!((said[0].call, &said[0].capabilities), (bob.key, &None));
    desk.hears(&bob, bob.answer());
    assert!(matches!(desk.engine_works()[..], [RtcAction::AcceptAnswer(_)]));
    assert_eq!(desk.call_events(), []);
}

#[test]
fn the_peer_offers_and_we_answer_without_ringing() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    bob.talks_as_callee(&mut desk);
    desk.frame(bob.renegotiates("new"));
    assert_eq!(desk.engine_works(), [RtcAction::AcceptOffer(offer("new"))]);
    assert!(matches!(desk.signals()[..], [RtcSignal::Answer(_)]));
    assert_eq!(desk.events(), []);
}

#[test]
fn what_an_engine_says_before_the_first_negotiation_has_ended_does_not_count() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = desk.place(&bob);
    desk.reports(call, RtcEvent::NegotiationNeeded);
    desk.engine_works();
    desk.reports(call, RtcEvent::NegotiationNeeded);
    bob.key = desk.said()[0].call;
    desk.hears(&bob, bob.answer());
    desk.engine_works();
    desk.reports(call, RtcEvent::Connected);
    assert_eq!(desk.engine_works(), []);
}

#[test]
fn a_change_while_connecting_waits_until_the_call_is_up() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.answers(&mut desk);
    desk.reports(call, RtcEvent::NegotiationNeeded);
    assert_eq!(desk.engine_works(), []);
    desk.reports(call, RtcEvent::Connected);
    assert!(matches!(desk.engine_works()[..], [RtcAction::MakeOffer { .. }]));
}

#[test]
fn changes_during_a_negotiation_make_one_more() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    for _ in 0..3 {
        desk.reports(call, RtcEvent::NegotiationNeeded);
    }
    assert_eq!(desk.engine_works().len(), 1);
    desk.hears(&bob, bob.answer());
    let asked = desk.engine_works();
    assert!(matches!(asked[..], [RtcAction::AcceptAnswer(_), RtcAction::MakeOffer { .. }]));
}

#[test]
fn under_a_collision_the_caller_goes_on_with_its_own_offer() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reports(call, RtcEvent::NegotiationNeeded);
    desk.engine_works();
    desk.frame(bob.renegotiates("ignored"));
    desk.hears(&bob, RtcSignal::Candidate(candidate("x", Some("ignored"))));
    assert_eq!(desk.engine_works(), []);
    desk.hears(&bob, bob.answer());
    assert!(matches!(desk.engine_works()[..], [RtcAction::AcceptAnswer(_)]));
}

#[test]
fn under_a_collision_the_callee_takes_its_own_back_and_offers_again_later() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_caller(&mut desk);
    desk.reports(call, RtcEvent::NegotiationNeeded);
    desk.engine_works();
    desk.forget();
    desk.frame(bob.renegotiates("wins"));
    let asked = desk.engine_works();
    let [RtcAction::Rollback, RtcAction::AcceptOffer(taken), RtcAction::MakeOffer { .. }] =
        &asked[..]
    else {
        panic!("{asked:?}");
    };
    assert_eq!(*taken, offer("wins"));
    assert!(matches!(desk.signals()[..], [RtcSignal::Answer(_), RtcSignal::Offer(_)]));
}

#[test]
fn an_offer_that_was_taken_back_while_being_made_is_not_sent() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_caller(&mut desk);
    desk.reports(call, RtcEvent::NegotiationNeeded);
    desk.frame(bob.renegotiates("wins"));
    assert!(matches!(desk.engine_does_one(), Some(RtcAction::MakeOffer { .. })));
    assert_eq!(desk.signals(), []);
    desk.engine_works();
    assert!(matches!(desk.signals()[..], [RtcSignal::Answer(_), RtcSignal::Offer(_)]));
    desk.hears(&bob, bob.answer());
    assert!(matches!(desk.engine_works()[..], [RtcAction::AcceptAnswer(_)]));
}

#[test]
fn an_offer_that_comes_while_another_is_answered_waits_and_the_latest_counts() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    bob.talks_as_caller(&mut desk);
    for name in ["one", "two", "three"] {
        desk.frame(bob.renegotiates(name));
    }
    desk.hears(&bob, RtcSignal::Candidate(candidate("c", Some("three"))));
    let asked = desk.engine_works();
    let expected = [
        RtcAction::AcceptOffer(offer("one")),
        RtcAction::AcceptOffer(offer("three")),
        RtcAction::AddCandidate(candidate("c", Some("three"))),
    ];
    assert_eq!(asked, expected);
}

#[test]
fn an_offer_that_the_engine_refuses_leaves_the_call_as_it_was() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_caller(&mut desk);
    desk.frame(bob.renegotiates("bad"));
    desk.hears(&bob, RtcSignal::Candidate(candidate("c", Some("peer"))));
    assert!(matches!(desk.engine_fails(), RtcAction::AcceptOffer(_)));
    let kept = RtcAction::AddCandidate(candidate("c", Some("peer")));
    assert_eq!(desk.engine_works(), [kept]);
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
    desk.frame(bob.renegotiates("good"));
    assert_eq!(desk.engine_works(), [RtcAction::AcceptOffer(offer("good"))]);
}

#[test]
fn an_answer_that_the_engine_refuses_is_rolled_back() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reports(call, RtcEvent::NegotiationNeeded);
    desk.engine_works();
    desk.hears(&bob, bob.answer());
    assert!(matches!(desk.engine_fails(), RtcAction::AcceptAnswer(_)));
    assert_eq!(desk.engine_works(), [RtcAction::Rollback]);
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
    desk.reports(call, RtcEvent::NegotiationNeeded);
    assert!(matches!(desk.engine_works()[..], [RtcAction::MakeOffer { .. }]));
}

#[test]
fn an_offer_that_cannot_be_made_leaves_the_call_as_it_was() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reports(call, RtcEvent::NegotiationNeeded);
    desk.engine_fails();
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
    desk.reports(call, RtcEvent::NegotiationNeeded);
    assert!(matches!(desk.engine_works()[..], [RtcAction::MakeOffer { .. }]));
}
