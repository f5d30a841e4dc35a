//! Who can end a call, in which phase, and what both sides are told.

use skapi_rtc_protocol::{HangupReason, RtcSignal};
use skapi_rtc_signaling::{CallId, CallPhase, EndReason, RtcAction, UnknownCall};

use super::{
    harness::{Desk, local, remote, secs},
    peer::Peer,
};

/// Brings a call into each phase.
fn in_phase(phase: CallPhase) -> (Desk, Peer, CallId) {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = match phase {
        CallPhase::Preparing => desk.place(&bob),
        CallPhase::Dialing => bob.is_called(&mut desk),
        CallPhase::Ringing => bob.calls(&mut desk),
        CallPhase::Answering => {
            let call = bob.calls(&mut desk);
            desk.accept(call);
            call
        }
        CallPhase::Connecting => bob.answers(&mut desk),
        _ => bob.talks_as_callee(&mut desk),
    };
    assert_eq!(desk.phase(call), Some(phase));
    (desk, bob, call)
}

#[test]
fn we_hang_up() {
    use HangupReason as Word;
    for (phase, reason, word) in [
        (CallPhase::Dialing, EndReason::Cancelled, Some(Word::Cancelled)),
        (CallPhase::Ringing, EndReason::Declined, Some(Word::Declined)),
        (CallPhase::Answering, EndReason::HungUp, None),
        (CallPhase::Connecting, EndReason::HungUp, None),
        (CallPhase::Established, EndReason::HungUp, None),
    ] {
        let (mut desk, bob, call) = in_phase(phase);
        desk.hang_up(call);
        let said = desk.said();
        let [hangup] = &said[..] else {
            panic!("{phase:?}: {said:?}");
        };
        assert_eq!(hangup.signal, RtcSignal::HungUp("me".to_owned()));
        assert_eq!((hangup.call, &hangup.reason), (bob.key, &word), "{phase:?}");
        assert_eq!(desk.end_of(call), local(reason), "{phase:?}");
    }
}

#[test]
fn we_hang_up_before_the_peer_has_heard_of_it() {
    let (mut desk, _, call) = in_phase(CallPhase::Preparing);
    desk.hang_up(call);
    assert_eq!(desk.said(), []);
    assert_eq!(desk.end_of(call), local(EndReason::Cancelled));
}

#[test]
fn the_peer_hangs_up() {
    for phase in
        [CallPhase::Dialing, CallPhase::Answering, CallPhase::Connecting, CallPhase::Established]
    {
        let (mut desk, bob, call) = in_phase(phase);
        desk.frame(bob.hangs_up(None));
        assert_eq!(desk.end_of(call), remote(EndReason::HungUp), "{phase:?}");
        assert_eq!(desk.said(), [], "our own peers echo nothing");
    }
}

#[test]
fn the_peer_says_why() {
    use HangupReason as Word;
    for (word, reason) in [
        (Word::Declined, EndReason::Declined),
        (Word::Busy, EndReason::Busy),
        (Word::NoAnswer, EndReason::NoAnswer),
        (Word::AnsweredElsewhere, EndReason::AnsweredElsewhere),
        (Word::Cancelled, EndReason::Cancelled),
        (Word::Failed, EndReason::TransportFailed),
    ] {
        let (mut desk, bob, call) = in_phase(CallPhase::Dialing);
        desk.frame(bob.hangs_up(Some(word)));
        assert_eq!(desk.end_of(call), remote(reason));
    }
}

#[test]
fn a_reason_of_a_later_version_is_read_from_the_phase() {
    let (mut desk, bob, call) = in_phase(CallPhase::Dialing);
    desk.frame(bob.hangs_up(Some(HangupReason::Other("on_strike".to_owned()))));
    assert_eq!(desk.end_of(call), remote(EndReason::Declined));
}

#[test]
fn a_hang_up_of_something_earlier_does_not_touch_a_call_the_peer_does_not_know() {
    let (mut desk, _, call) = in_phase(CallPhase::Preparing);
    desk.frame(Peer::stock("bob").hangs_up(None));
    assert_eq!(desk.phase(call), Some(CallPhase::Preparing));
}

#[test]
fn an_engine_that_never_answers_is_not_waited_for() {
    let (mut desk, _, call) = in_phase(CallPhase::Answering);
    desk.wait(secs(30));
    assert_eq!(desk.end_of(call), local(EndReason::ConnectTimeout));
}

#[test]
fn what_has_ended_can_not_be_ended_again() {
    let (mut desk, bob, call) = in_phase(CallPhase::Established);
    desk.hang_up(call);
    desk.forget();
    let gone = Err(UnknownCall(call));
    assert_eq!(desk.session.hang_up(desk.now, call), gone);
    assert_eq!(desk.session.accept(desk.now, call), gone);
    assert_eq!(desk.session.decline(desk.now, call, EndReason::Busy), gone);
    desk.frame(bob.hangs_up(None));
    assert_eq!(desk.events(), []);
}

#[test]
fn closing_the_session_ends_its_calls_and_tells_their_peers() {
    for phase in [CallPhase::Dialing, CallPhase::Ringing, CallPhase::Established] {
        let (mut desk, _, call) = in_phase(phase);
        desk.close();
        assert!(matches!(desk.signals()[..], [RtcSignal::HungUp(_)]), "{phase:?}");
        desk.end_of(call);
        assert_eq!(desk.session.next_deadline(), None);
        assert_eq!(desk.session.usage(), skapi_rtc_signaling::Usage::default());
    }
}

#[test]
fn closing_is_the_engines_last_operation() {
    let (mut desk, _, call) = in_phase(CallPhase::Established);
    desk.hang_up(call);
    assert_eq!(desk.engine_works(), [RtcAction::Close]);
}
