//! Engines that fail, answer late, or speak of the past.

use skapi_rtc_protocol::{HangupReason, RtcSignal, SessionDescription};
use skapi_rtc_signaling::{CallPhase, EndReason, RtcAction, RtcEvent, RtcOutcome};

use super::{
    harness::{Desk, candidate, local},
    peer::Peer,
};

fn broken() -> EndReason {
    EndReason::EngineFailed("broken".to_owned())
}

#[test]
fn no_peer_connection_for_our_call() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = desk.place(&bob);
    assert!(matches!(desk.engine_fails(), RtcAction::Open { .. }));
    assert_eq!(desk.said(), []);
    assert_eq!(desk.end_of(call), local(broken()));
}

#[test]
fn no_offer() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = desk.place(&bob);
    desk.engine_does_one();
    assert!(matches!(desk.engine_fails(), RtcAction::MakeOffer { .. }));
    assert_eq!(desk.said(), []);
    assert_eq!(desk.end_of(call), local(broken()));
}

#[test]
fn no_peer_connection_or_no_answer_for_the_peers_call() {
    for works_first in [0, 1] {
        let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
        let call = bob.calls(&mut desk);
        desk.accept(call);
        for _ in 0..works_first {
            desk.engine_does_one();
        }
        desk.engine_fails();
        assert_eq!(desk.said()[0].reason, Some(HangupReason::Failed));
        assert_eq!(desk.end_of(call), local(broken()));
    }
}

#[test]
fn the_peers_answer_is_refused() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.is_called(&mut desk);
    desk.hears(&bob, bob.answer());
    assert!(matches!(desk.engine_fails(), RtcAction::AcceptAnswer(_)));
    assert_eq!(desk.said()[0].reason, Some(HangupReason::Failed));
    assert_eq!(desk.end_of(call), local(broken()));
}

#[test]
fn a_refused_candidate_is_only_one_way_less() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.answers(&mut desk);
    desk.hears(&bob, RtcSignal::Candidate(candidate("bad", None)));
    desk.engine_fails();
    assert_eq!(desk.phase(call), Some(CallPhase::Connecting));
}

#[test]
fn success_without_the_description_that_was_asked_for() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = desk.place(&bob);
    desk.engine_does_one();
    let (op, ..) = desk.take_op().unwrap();
    desk.finish(op, Ok(RtcOutcome::Done));
    assert!(matches!(desk.end_of(call).reason, EndReason::EngineFailed(_)));
}

#[test]
fn a_result_that_comes_after_the_end_is_dropped() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = desk.place(&bob);
    desk.engine_does_one();
    let (op, ..) = desk.take_op().unwrap();
    desk.hang_up(call);
    desk.forget();
    let offer = SessionDescription::offer("late");
    desk.finish(op, Ok(RtcOutcome::Description(offer)));
    assert_eq!((desk.signals(), desk.events()), (vec![], vec![]));
}

#[test]
fn a_result_counts_once() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    desk.place(&bob);
    desk.engine_does_one();
    let (op, ..) = desk.take_op().unwrap();
    for _ in 0..2 {
        let offer = SessionDescription::offer("twice");
        desk.finish(op, Ok(RtcOutcome::Description(offer)));
    }
    assert!(matches!(desk.signals()[..], [RtcSignal::Offer(_)]));
}

#[test]
fn what_a_closed_peer_connection_reports_is_dropped() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.hang_up(call);
    desk.forget();
    desk.reports(call, RtcEvent::Connected);
    desk.reports(call, RtcEvent::Failed);
    assert_eq!(desk.events(), []);
}

#[test]
fn the_result_of_another_operation_is_not_taken_for_the_offer() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.hears(&bob, RtcSignal::Candidate(candidate("c", None)));
    desk.reports(call, RtcEvent::NegotiationNeeded);
    assert!(matches!(desk.engine_does_one(), Some(RtcAction::AddCandidate(_))));
    assert_eq!(desk.signals(), []);
    desk.engine_works();
    assert!(matches!(desk.signals()[..], [RtcSignal::Offer(_)]));
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
}

#[test]
fn the_failure_of_another_operation_is_not_taken_for_the_answers() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reports(call, RtcEvent::NegotiationNeeded);
    desk.engine_works();
    desk.hears(&bob, RtcSignal::Candidate(candidate("c", None)));
    desk.hears(&bob, bob.answer());
    assert!(matches!(desk.engine_fails(), RtcAction::AddCandidate(_)));
    assert!(matches!(desk.engine_works()[..], [RtcAction::AcceptAnswer(_)]));
}
