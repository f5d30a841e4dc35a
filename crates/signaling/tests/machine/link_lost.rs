//! Our own link is lost during a call.

use skapi_rtc_protocol::{HangupReason, RtcSignal};
use skapi_rtc_signaling::{
    CallPhase, CloseReason, EndReason, Event, Input, LinkLoss, RtcEvent, Usage,
};

use super::{
    harness::{Desk, candidate, local, remote, secs},
    peer::Peer,
};

#[test]
fn a_call_that_is_not_up_cannot_go_on() {
    for phase in [CallPhase::Preparing, CallPhase::Dialing, CallPhase::Ringing] {
        let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
        let call = match phase {
            CallPhase::Preparing => desk.place(&bob),
            CallPhase::Dialing => bob.is_called(&mut desk),
            _ => bob.calls(&mut desk),
        };
        desk.link_lost();
        assert_eq!(
            desk.end_of(call),
            local(EndReason::SignalingLost { lost_for: secs(0) }),
            "{phase:?}"
        );
        // The peer is told as soon as that is possible, if it knows of the call at all.
        desk.wait(secs(1));
        desk.link_up();
        desk.greet("m-2");
        let said = desk.said();
        match &said[..] {
            [] => assert_eq!(phase, CallPhase::Preparing),
            [hangup] => assert_eq!(hangup.reason, Some(HangupReason::Failed)),
            _ => panic!("{said:?}"),
        }
        assert_eq!(desk.session.usage().backlog, 0);
    }
}

#[test]
fn while_the_answer_is_being_made_a_call_cannot_go_on_either() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.calls(&mut desk);
    desk.accept(call);
    desk.link_lost();
    assert_eq!(desk.end_of(call), local(EndReason::SignalingLost { lost_for: secs(0) }));
}

#[test]
fn a_call_that_connects_goes_on_and_its_candidates_wait() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.answers(&mut desk);
    desk.link_lost();
    for name in ["a", "b"] {
        desk.reports(call, RtcEvent::Candidate(candidate(name, None)));
    }
    assert_eq!(desk.said(), []);
    assert_eq!(desk.session.usage().backlog, 2);
    desk.wait(secs(1));
    desk.link_up();
    desk.greet("m-2");
    let signals = desk.signals();
    let candidates: Vec<_> =
        signals.iter().filter(|signal| matches!(signal, RtcSignal::Candidate(_))).collect();
    let expected = ["a", "b"].map(|name| RtcSignal::Candidate(candidate(name, None)));
    assert_eq!(candidates, [&expected[0], &expected[1]]);
    desk.reports(call, RtcEvent::Connected);
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
}

#[test]
fn a_running_call_goes_on_and_its_peer_learns_our_new_id() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reconnect("m-2");
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
    let said = desk.said();
    assert_eq!((&said[0].signal, said[0].call), (&RtcSignal::None, bob.key));
    desk.frame(bob.hangs_up(None));
    assert_eq!(desk.end_of(call), remote(EndReason::HungUp));
}

#[test]
fn a_hang_up_without_a_link_is_told_later_and_in_order() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.link_lost();
    desk.reports(call, RtcEvent::Candidate(candidate("late", None)));
    desk.wait(secs(1));
    // The socket is open again, but the service has not greeted yet.
    desk.link_up();
    desk.hang_up(call);
    desk.greet("m-2");
    let signals = desk.signals();
    assert!(matches!(signals[..], [RtcSignal::Candidate(_), RtcSignal::HungUp(_)]), "{signals:?}");
    assert_eq!(desk.end_of(call), local(EndReason::HungUp));
}

#[test]
fn closing_before_the_greeting_still_tells_the_peer() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    bob.talks_as_callee(&mut desk);
    desk.link_lost();
    desk.wait(secs(1));
    desk.link_up();
    desk.close();
    assert!(matches!(desk.signals()[..], [RtcSignal::HungUp(_)]));
    assert_eq!(desk.session.usage(), Usage::default());
}

#[test]
fn what_waits_for_the_link_is_bounded() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.link_lost();
    for number in 0..2_000 {
        let candidate = candidate(&number.to_string(), None);
        desk.reports(call, RtcEvent::Candidate(candidate));
    }
    assert!(desk.session.usage().backlog <= 256);
    desk.hang_up(call);
    desk.wait(secs(1));
    desk.link_up();
    desk.greet("m-2");
    assert!(matches!(desk.signals().last(), Some(RtcSignal::HungUp(_))));
}

#[test]
fn a_refusal_closes_the_session_only_once_no_call_needs_it() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    let refused = || Input::LinkDown(LinkLoss::refused("expired token"));
    desk.link_lost();
    desk.wait(secs(60));
    desk.input(refused());
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
    assert!(!desk.events().iter().any(|event| matches!(event, Event::Closed(_))));

    desk.hang_up(call);
    desk.wait(secs(60));
    desk.input(refused());
    let closed = Event::Closed(CloseReason::Refused("expired token".to_owned()));
    assert_eq!(desk.events().last(), Some(&closed));
}

#[test]
fn an_end_by_a_lost_link_says_for_how_long() {
    let (mut desk, mut bob) = (Desk::up_resumable(), Peer::ours("bob"));
    // The service takes nobody up again for twelve seconds, and then knows nothing of the call.
    let call = bob.is_called(&mut desk);
    desk.link_lost();
    let lost = desk.now;
    while desk.now - lost < secs(12) {
        desk.wait(secs(1));
        desk.input(Input::LinkDown(LinkLoss::lost("refused")));
    }
    assert_eq!(desk.phase(call), Some(CallPhase::Dialing));
    desk.wait(secs(8));
    let lost_for = desk.now - lost;
    desk.link_up();
    desk.greet("m-2");
    assert_eq!(desk.end_of(call), local(EndReason::SignalingLost { lost_for }));
    // The next loss counts from its own beginning.
    desk.forget();
    let call = Peer::ours("eve").calls(&mut desk);
    desk.link_lost();
    assert_eq!(desk.end_of(call), local(EndReason::SignalingLost { lost_for: secs(0) }));
}

#[test]
fn a_call_whose_time_ends_while_the_link_is_down_was_not_unanswered() {
    let (mut desk, mut bob) = (Desk::up_resumable(), Peer::ours("bob"));
    let call = bob.is_called(&mut desk);
    desk.wait(secs(18));
    desk.link_lost();
    desk.wait(secs(12));
    let lost_for = secs(12);
    assert_eq!(desk.end_of(call), local(EndReason::SignalingLost { lost_for }));
}
