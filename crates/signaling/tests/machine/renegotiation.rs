//! New offers in a running call: from either side, from both, and with engines that fail.

use skapi_rtc_protocol::{RtcContent, RtcSignal, SessionDescription};
use skapi_rtc_signaling::{CallEvent, CallPhase, ChangeError, RtcAction, RtcEvent};

use super::{
    harness::{Desk, candidate, sdp, secs},
    peer::Peer,
};

fn offer(ufrag: &str) -> SessionDescription {
    SessionDescription::offer(sdp(ufrag))
}

fn broken() -> CallEvent {
    CallEvent::ChangeFailed(ChangeError::Engine("broken".to_owned()))
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
    assert_eq!(desk.call_events(), [broken()]);
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
    assert_eq!(desk.call_events(), [broken()]);
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
    desk.reports(call, RtcEvent::NegotiationNeeded);
    assert!(matches!(desk.engine_works()[..], [RtcAction::MakeOffer { .. }]));
}

fn refuses(bob: &Peer, round: u32) -> skapi_rtc_protocol::ServerFrame {
    let mut content = RtcContent::new(RtcSignal::Refused).round(round);
    content.call = bob.key;
    bob.sends(&content)
}

#[test]
fn an_offer_that_the_engine_refuses_is_refused_by_name() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    bob.talks_as_caller(&mut desk);
    let mut content = RtcContent::new(RtcSignal::Offer(offer("bad"))).round(7);
    content.call = bob.key;
    desk.frame(bob.sends(&content));
    desk.engine_fails();
    let said = desk.said();
    assert_eq!((&said[0].signal, said[0].round), (&RtcSignal::Refused, Some(7)));
    assert_eq!(said[0].call, bob.key);
}

#[test]
fn an_offer_that_the_peer_refuses_is_taken_back_and_made_again_only_after_a_while() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reports(call, RtcEvent::NegotiationNeeded);
    desk.engine_works();
    desk.frame(refuses(&bob, 2));
    assert_eq!(desk.engine_works(), [], "that is another one");
    assert_eq!(desk.call_events(), []);
    desk.frame(refuses(&bob, 1));
    assert_eq!(desk.engine_works(), [RtcAction::Rollback]);
    assert_eq!(desk.call_events(), [CallEvent::ChangeFailed(ChangeError::Refused)]);
    // An engine says so again after a rollback.
    desk.reports(call, RtcEvent::NegotiationNeeded);
    desk.wait(secs(9));
    assert_eq!(desk.engine_works(), []);
    desk.wait(secs(1));
    assert!(matches!(desk.engine_works()[..], [RtcAction::MakeOffer { .. }]));
    // The peer's own offers are not held back.
    desk.frame(refuses(&bob, 2));
    desk.engine_works();
    desk.frame(bob.renegotiates("new"));
    assert_eq!(desk.engine_works(), [RtcAction::AcceptOffer(offer("new"))]);
}

#[test]
fn an_offer_that_nobody_answers_is_made_three_times() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reports(call, RtcEvent::NegotiationNeeded);
    let mut offers = 0;
    for _ in 0..10 {
        let asked = desk.engine_works();
        offers += asked.iter().filter(|a| matches!(a, RtcAction::MakeOffer { .. })).count();
        desk.wait(secs(15));
    }
    assert_eq!(offers, 3);
    assert_eq!(desk.call_events(), [CallEvent::ChangeFailed(ChangeError::Unanswered)]);
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
    desk.reports(call, RtcEvent::NegotiationNeeded);
    assert!(matches!(desk.engine_works()[..], [RtcAction::MakeOffer { .. }]));
}

#[test]
fn an_answer_to_an_offer_that_was_taken_back_is_dropped() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_caller(&mut desk);
    desk.reports(call, RtcEvent::NegotiationNeeded);
    desk.engine_works();
    // The peer's offer crosses ours and wins; ours goes out anew, with another number.
    desk.frame(bob.renegotiates("wins"));
    desk.engine_works();
    let rounds: Vec<_> = desk.said().iter().filter_map(|content| content.round).collect();
    assert_eq!(rounds, [1, 2]);
    desk.frame(bob.answers_round(1));
    assert_eq!(desk.engine_works(), []);
    desk.frame(bob.answers_round(2));
    assert!(matches!(desk.engine_works()[..], [RtcAction::AcceptAnswer(_)]));
}

#[test]
fn an_answer_repeats_the_number_of_its_offer() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    bob.talks_as_caller(&mut desk);
    let mut content = RtcContent::new(RtcSignal::Offer(offer("new"))).round(3);
    content.call = bob.key;
    desk.frame(bob.sends(&content));
    desk.engine_works();
    assert_eq!(desk.said()[0].round, Some(3));
}

#[test]
fn a_change_that_crosses_the_peers_is_told_only_when_its_own_turn_fails() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_caller(&mut desk);
    desk.reports(call, RtcEvent::NegotiationNeeded);
    desk.engine_works();
    desk.frame(bob.renegotiates("wins"));
    desk.engine_works();
    // The first offer of ours was taken back: a refusal of it is about nothing.
    desk.frame(refuses(&bob, 1));
    assert_eq!(desk.call_events(), []);
    desk.frame(refuses(&bob, 2));
    assert_eq!(desk.call_events(), [CallEvent::ChangeFailed(ChangeError::Refused)]);
}

#[test]
fn a_refusal_of_the_peers_own_wish_is_told_to_nobody_here() {
    let (mut desk, mut bob) = (Desk::up(), Peer::restarts("bob"));
    let call = bob.talks_as_callee(&mut desk);
    // The machine offers for a restart, which is no change of the application's.
    desk.reports(call, RtcEvent::Failed);
    desk.hears(&bob, RtcSignal::Restart(skapi_rtc_protocol::Transports::Lost));
    assert!(desk.engine_works().contains(&RtcAction::MakeOffer { ice_restart: true }));
    desk.frame(refuses(&bob, 1));
    assert_eq!(desk.call_events(), [CallEvent::Reconnecting]);
}

#[test]
fn a_peer_that_takes_no_changes_is_offered_none_and_the_author_is_told_once() {
    let (mut desk, mut page) = (Desk::up(), Peer::stock("page"));
    let call = page.talks_as_callee(&mut desk);
    for _ in 0..3 {
        desk.reports(call, RtcEvent::NegotiationNeeded);
    }
    assert_eq!(desk.engine_works(), []);
    assert_eq!(desk.call_events(), [CallEvent::ChangeFailed(ChangeError::Unsupported)]);
}
