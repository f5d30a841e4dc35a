//! Both call each other at the same moment.

use skapi_rtc_protocol::{CallKey, HangupReason, RtcContent, RtcSignal};
use skapi_rtc_signaling::{CallEvent, CallPhase, EndReason, Role, RtcAction, RtcEvent};

use super::{
    harness::{Desk, candidate, remote},
    peer::Peer,
};

/// A peer whose own call has this key, and the key of ours.
fn both_call(key: u64) -> (Desk, Peer, skapi_rtc_signaling::CallId, CallKey) {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.is_called(&mut desk);
    let own_key = bob.key.unwrap();
    bob.key = Some(CallKey(key));
    (desk, bob, call, own_key)
}

#[test]
fn the_smaller_key_is_ours_and_wins() {
    let (mut desk, mut bob, call, own_key) = both_call(u64::MAX);
    desk.hears(&bob, bob.offer());
    desk.hears(&bob, RtcSignal::Candidate(candidate("theirs", None)));
    assert_eq!((desk.events(), desk.signals()), (vec![], vec![]));
    assert_eq!(desk.phase(call), Some(CallPhase::Dialing));
    // The peer takes its own call back by name, which is not ours.
    desk.frame(bob.hangs_up(Some(HangupReason::Cancelled)));
    assert_eq!(desk.phase(call), Some(CallPhase::Dialing));
    bob.key = Some(own_key);
    desk.hears(&bob, bob.answer());
    desk.engine_works();
    desk.reports(call, RtcEvent::Connected);
    assert_eq!(desk.call_events(), [CallEvent::Accepted, CallEvent::Connected]);
}

#[test]
fn the_smaller_key_is_the_peers_and_we_answer_at_once() {
    let (mut desk, bob, call, own_key) = both_call(0);
    let first = desk.generation(call);
    desk.hears(&bob, bob.offer());
    // The peer may have cancelled, and ours would ring there.
    let said = desk.said();
    assert_eq!((said[0].call, &said[0].reason), (Some(own_key), &Some(HangupReason::Cancelled)));
    let asked = desk.engine_works();
    let [
        RtcAction::Close,
        RtcAction::Open { generation, role: Role::Callee, .. },
        RtcAction::AcceptOffer(_),
    ] = &asked[..]
    else {
        panic!("{asked:?}");
    };
    assert!(*generation > first);
    let answers = desk.said();
    assert!(answers.iter().all(|content| content.call == bob.key));
    assert!(matches!(answers[0].signal, RtcSignal::Answer(_)));
    desk.reports(call, RtcEvent::Connected);
    assert_eq!(desk.call_events(), [CallEvent::Accepted, CallEvent::Connected]);
    desk.frame(bob.hangs_up(None));
    assert_eq!(desk.end_of(call), remote(EndReason::HungUp));
    assert_eq!(desk.session.usage().index, 0);
}

#[test]
fn what_the_first_peer_connection_still_says_is_dropped() {
    let (mut desk, bob, call, _) = both_call(0);
    let first = desk.generation(call);
    desk.hears(&bob, bob.offer());
    for event in
        [RtcEvent::Candidate(candidate("old", None)), RtcEvent::Connected, RtcEvent::Failed]
    {
        desk.input(skapi_rtc_signaling::Input::RtcEvent { call, generation: first, event });
    }
    desk.engine_works();
    assert!(!desk.signals().contains(&RtcSignal::Candidate(candidate("old", None))));
    assert_eq!(desk.phase(call), Some(CallPhase::Connecting));
}

#[test]
fn a_call_that_has_not_left_yet_gives_way_whatever_its_key() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    bob.key = Some(CallKey(u64::MAX));
    let call = desk.place(&bob);
    desk.hears(&bob, bob.offer());
    assert_eq!(desk.phase(call), Some(CallPhase::Answering));
    desk.engine_works();
    let said = desk.said();
    assert!(said.iter().all(|content| content.call == bob.key), "{said:?}");
    assert!(matches!(said[0].signal, RtcSignal::Answer(_)));
}

#[test]
fn the_peer_takes_its_winning_call_back() {
    let (mut desk, bob, call, _) = both_call(0);
    desk.hears(&bob, bob.offer());
    desk.frame(bob.hangs_up(Some(HangupReason::Cancelled)));
    assert_eq!(desk.end_of(call), remote(EndReason::Cancelled));
}

#[test]
fn against_skapis_client_the_connection_ids_decide() {
    // Ours is `m-own`.
    let (mut desk, mut zoe) = (Desk::up(), Peer::stock("zoe"));
    zoe.cid = super::harness::cid("z-zoe");
    let ours = zoe.is_called(&mut desk);
    desk.hears(&zoe, zoe.offer());
    assert_eq!(desk.phase(ours), Some(CallPhase::Dialing));

    let (mut desk, mut bob) = (Desk::up(), Peer::stock("bob"));
    let theirs = bob.is_called(&mut desk);
    desk.hears(&bob, bob.offer());
    assert_eq!(desk.phase(theirs), Some(CallPhase::Answering));
    desk.engine_works();
    let signals: Vec<RtcContent> = desk.said();
    assert!(matches!(signals[0].signal, RtcSignal::Answer(_)), "no hang-up, it would end both");
}

/// Its client rings when we call it while it calls us; should its user decline ours, or let its own go,
/// nothing is left that stands in the way of a second try.
#[test]
fn glare_with_skapis_client_that_fails_is_mended_by_a_second_try() {
    for we_win in [true, false] {
        let (mut desk, mut zoe) = (Desk::up(), Peer::stock("zoe"));
        zoe.cid = super::harness::cid(if we_win { "z-zoe" } else { "a-zoe" });
        let first = zoe.is_called(&mut desk);
        desk.hears(&zoe, zoe.offer());
        desk.engine_works();
        desk.frame(zoe.hangs_up(None));
        assert_eq!(desk.end_of(first).by, skapi_rtc_signaling::Side::Remote);
        assert_eq!(desk.session.usage().index, 0);
        let second = zoe.is_called(&mut desk);
        desk.hears(&zoe, zoe.answer());
        desk.hears(&zoe, zoe.pickup());
        desk.engine_works();
        desk.reports(second, RtcEvent::Connected);
        assert_eq!(desk.phase(second), Some(CallPhase::Established));
    }
}

#[test]
fn without_an_own_id_we_give_way_to_skapis_client() {
    let (mut desk, mut zoe) = (Desk::up_at_skapi(), Peer::stock("zoe"));
    zoe.cid = super::harness::cid("z-zoe");
    let call = zoe.is_called(&mut desk);
    desk.hears(&zoe, zoe.offer());
    assert_eq!(desk.phase(call), Some(CallPhase::Answering));
}

#[test]
fn the_candidates_of_the_first_peer_connection_are_forgotten() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = desk.place(&bob);
    desk.reports(call, RtcEvent::Candidate(candidate("old", None)));
    desk.hears(&bob, bob.offer());
    desk.engine_works();
    assert!(!desk.signals().contains(&RtcSignal::Candidate(candidate("old", None))));
}

#[test]
fn the_candidates_of_the_second_peer_connection_wait_for_its_answer() {
    let (mut desk, bob, call, _) = both_call(0);
    desk.hears(&bob, bob.offer());
    desk.forget();
    desk.reports(call, RtcEvent::Candidate(candidate("new", None)));
    assert_eq!(desk.signals(), []);
    desk.engine_works();
    let last = desk.signals().pop();
    assert_eq!(last, Some(RtcSignal::Candidate(candidate("new", None))));
}
