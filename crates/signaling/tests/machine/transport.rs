//! The engines' connection: interrupted, back, failed, closed.

use skapi_rtc_protocol::{HangupReason, RtcSignal};
use skapi_rtc_signaling::{CallEvent, CallPhase, EndReason, RtcEvent, Side};

use super::{
    harness::{Desk, local, millis, remote, secs},
    peer::Peer,
};

#[test]
fn an_interruption_and_its_end_are_told_once_each() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    for event in
        [RtcEvent::Disconnected, RtcEvent::Disconnected, RtcEvent::Connected, RtcEvent::Connected]
    {
        desk.reports(call, event);
    }
    let told = [CallEvent::Reconnecting, CallEvent::Reconnected];
    assert_eq!(desk.call_events(), told);
    desk.wait(secs(60));
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
}

#[test]
fn a_failure_ends_the_call_a_second_later() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reports(call, RtcEvent::Failed);
    desk.wait(millis(999));
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
    desk.wait(millis(1));
    assert_eq!(desk.said()[0].reason, Some(HangupReason::Failed));
    assert_eq!(desk.end_of(call), local(EndReason::TransportFailed));
}

#[test]
fn a_hang_up_that_follows_a_failure_is_the_better_reason() {
    for event in [RtcEvent::Failed, RtcEvent::Closed] {
        let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
        let call = bob.talks_as_callee(&mut desk);
        desk.reports(call, event);
        desk.wait(millis(300));
        desk.frame(bob.hangs_up(None));
        assert_eq!(desk.end_of(call), remote(EndReason::HungUp));
        assert_eq!(desk.session.usage().index, 0);
    }
}

#[test]
fn a_connection_that_was_closed_from_outside_says_so() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reports(call, RtcEvent::Closed);
    desk.wait(secs(1));
    assert!(matches!(desk.end_of(call).reason, EndReason::EngineFailed(_)));
}

#[test]
fn a_failure_that_mends_in_time_is_none() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reports(call, RtcEvent::Disconnected);
    desk.reports(call, RtcEvent::Failed);
    desk.reports(call, RtcEvent::Connected);
    desk.wait(secs(60));
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
    let told = [CallEvent::Reconnecting, CallEvent::Reconnected];
    assert_eq!(desk.call_events(), told);
}

#[test]
fn a_failure_before_the_call_is_up_is_its_end() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.answers(&mut desk);
    desk.reports(call, RtcEvent::Disconnected);
    assert_eq!(desk.call_events(), []);
    desk.reports(call, RtcEvent::Failed);
    desk.wait(secs(1));
    assert_eq!(desk.end_of(call), local(EndReason::NoCandidates(Side::Local)));
}

#[test]
fn without_a_link_an_interruption_asks_nobody() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.link_lost();
    desk.forget();
    desk.reports(call, RtcEvent::Disconnected);
    assert_eq!(desk.session.usage().requests, 0);
    desk.reports(call, RtcEvent::Connected);
    let told = [CallEvent::Reconnecting, CallEvent::Reconnected];
    assert_eq!(desk.call_events(), told);
    assert!(!desk.signals().contains(&RtcSignal::HungUp("me".to_owned())));
}

#[test]
fn a_failure_that_mends_before_the_answer_is_made_leaves_a_call_that_still_has_to_come_up() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.calls(&mut desk);
    desk.accept(call);
    desk.reports(call, RtcEvent::Failed);
    desk.reports(call, RtcEvent::Connected);
    desk.wait(secs(30));
    assert_eq!(desk.end_of(call), local(EndReason::ConnectTimeout));
}
