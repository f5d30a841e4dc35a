//! Skapi's own client on the other side: no keys, no reasons, echoes, and nothing beyond its wire.

use skapi_rtc_protocol::{RtcSignal, SessionDescription};
use skapi_rtc_signaling::{CallEvent, CallPhase, EndReason, Event, RtcAction, RtcEvent};

use super::{
    harness::{Desk, candidate, local, millis, remote, sdp, secs},
    peer::Peer,
};

#[test]
fn it_takes_our_call() {
    let (mut desk, mut bob) = (Desk::up(), Peer::stock("bob"));
    let call = bob.is_called(&mut desk);
    desk.hears(&bob, bob.answer());
    desk.hears(&bob, RtcSignal::Candidate(candidate("c", Some("peer"))));
    desk.hears(&bob, bob.pickup());
    desk.engine_works();
    desk.reports(call, RtcEvent::Connected);
    assert_eq!(desk.call_events(), [CallEvent::Accepted, CallEvent::Connected]);
}

#[test]
fn it_calls_us_and_is_told_nothing_it_does_not_know() {
    let (mut desk, bob) = (Desk::up(), Peer::stock("bob"));
    desk.hears(&bob, bob.offer());
    let events = desk.events();
    let [Event::Incoming { call, .. }] = events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(desk.said(), [], "it does not know `ringing`");
    desk.hears(&bob, RtcSignal::Candidate(candidate("c", Some("peer"))));
    desk.accept(call);
    desk.engine_works();
    let signals = desk.signals();
    assert!(matches!(signals[..], [RtcSignal::Answer(_), RtcSignal::Pickup(_)]));
    desk.reports(call, RtcEvent::Connected);
    assert_eq!(desk.call_events(), [CallEvent::Connected]);
}

#[test]
fn a_pickup_or_hangup_never_carries_an_empty_text() {
    let (mut desk, bob) = (Desk::up_at_skapi(), Peer::stock("bob"));
    let call = bob.calls(&mut desk);
    desk.accept(call);
    desk.engine_works();
    desk.hang_up(call);
    for signal in desk.signals() {
        if let RtcSignal::Pickup(who) | RtcSignal::HungUp(who) = signal {
            assert!(!who.is_empty(), "Skapi's client reads that as nothing");
        }
    }
}

#[test]
fn its_hang_up_means_what_its_user_can_mean_in_that_phase() {
    let (mut desk, mut bob) = (Desk::up(), Peer::stock("bob"));
    let call = bob.is_called(&mut desk);
    desk.frame(bob.hangs_up(None));
    assert_eq!(desk.end_of(call), remote(EndReason::Declined));

    let (mut desk, bob) = (Desk::up(), Peer::stock("bob"));
    let call = bob.calls(&mut desk);
    desk.frame(bob.hangs_up(None));
    assert_eq!(desk.end_of(call), remote(EndReason::Cancelled));

    let (mut desk, mut bob) = (Desk::up(), Peer::stock("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.frame(bob.hangs_up(None));
    assert_eq!(desk.end_of(call), remote(EndReason::HungUp));
}

#[test]
fn its_echo_does_not_end_the_next_call() {
    let (mut desk, mut bob) = (Desk::up(), Peer::stock("bob"));
    let first = bob.talks_as_callee(&mut desk);
    desk.hang_up(first);
    desk.forget();
    let second = bob.is_called(&mut desk);
    desk.frame(bob.hangs_up(None));
    assert_eq!(desk.phase(second), Some(CallPhase::Dialing));
    desk.frame(bob.hangs_up(None));
    assert_eq!(desk.end_of(second), remote(EndReason::Declined));
}

#[test]
fn an_echo_that_came_between_two_calls_is_not_awaited_any_more() {
    let (mut desk, mut bob) = (Desk::up(), Peer::stock("bob"));
    let first = bob.talks_as_callee(&mut desk);
    desk.hang_up(first);
    desk.wait(millis(100));
    desk.frame(bob.hangs_up(None));
    let second = bob.is_called(&mut desk);
    desk.frame(bob.hangs_up(None));
    assert_eq!(desk.end_of(second), remote(EndReason::Declined));
}

#[test]
fn a_cancelled_call_is_not_echoed_so_the_next_refusal_counts() {
    let (mut desk, mut bob) = (Desk::up(), Peer::stock("bob"));
    let first = bob.is_called(&mut desk);
    desk.hang_up(first);
    assert_eq!(desk.end_of(first), local(EndReason::Cancelled));
    let second = bob.is_called(&mut desk);
    desk.frame(bob.hangs_up(None));
    assert_eq!(desk.end_of(second), remote(EndReason::Declined));
}

#[test]
fn after_a_call_it_did_not_take_only_its_last_answer_counts() {
    for take_back in [false, true] {
        let (mut desk, mut bob) = (Desk::up(), Peer::stock("bob"));
        let first = bob.is_called(&mut desk);
        if take_back {
            desk.hang_up(first);
        } else {
            desk.frame(bob.hangs_up(None));
        }
        desk.engine_works();
        desk.forget();
        let second = bob.is_called(&mut desk);
        let answer = |ufrag: &str| SessionDescription::answer(sdp(ufrag));
        // It has kept the first offer, and answers it as well.
        desk.hears(&bob, RtcSignal::Answer(answer("stale")));
        desk.hears(&bob, RtcSignal::Answer(answer("fresh")));
        assert_eq!(desk.engine_works(), [], "which one is ours is not known yet");
        desk.hears(&bob, bob.pickup());
        assert_eq!(desk.engine_works(), [RtcAction::AcceptAnswer(answer("fresh"))]);
        desk.reports(second, RtcEvent::Connected);
        assert_eq!(desk.call_events(), [CallEvent::Accepted, CallEvent::Connected]);

        // What it had kept is answered, so the next call is like the first.
        desk.hang_up(second);
        desk.frame(bob.hangs_up(None));
        desk.engine_works();
        desk.forget();
        bob.is_called(&mut desk);
        desk.hears(&bob, RtcSignal::Answer(answer("third")));
        assert_eq!(desk.engine_works(), [RtcAction::AcceptAnswer(answer("third"))]);
    }
}

/// Its client connects again by itself, and keeps under our id what it had kept before.
#[test]
fn what_it_has_kept_outlives_its_connection() {
    let (mut desk, mut bob) = (Desk::up(), Peer::stock("bob"));
    let first = bob.is_called(&mut desk);
    desk.hang_up(first);
    let gone = skapi_rtc_protocol::NoticeCode::UserDisconnected;
    desk.frame(super::peer_gone::notice(&bob, gone));
    bob.cid = super::harness::cid("bob-2");
    desk.engine_works();
    desk.forget();
    bob.is_called(&mut desk);
    let answer = |ufrag: &str| SessionDescription::answer(sdp(ufrag));
    desk.hears(&bob, RtcSignal::Answer(answer("stale")));
    desk.hears(&bob, RtcSignal::Answer(answer("fresh")));
    desk.hears(&bob, bob.pickup());
    assert_eq!(desk.engine_works(), [RtcAction::AcceptAnswer(answer("fresh"))]);
}

#[test]
fn an_echo_is_awaited_for_three_seconds() {
    let (mut desk, bob) = (Desk::up(), Peer::stock("bob"));
    let call = bob.calls(&mut desk);
    desk.decline(call, EndReason::Declined);
    assert_eq!(desk.session.usage().index, 1);
    desk.wait(secs(3));
    assert_eq!(desk.session.usage().index, 0);
}

#[test]
fn we_start_no_negotiation_that_would_ring_there() {
    let (mut desk, mut bob) = (Desk::up(), Peer::stock("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reports(call, RtcEvent::NegotiationNeeded);
    assert_eq!(desk.engine_works(), []);
}

#[test]
fn its_own_negotiation_does_not_ring_here() {
    let (mut desk, bob) = (Desk::up(), Peer::stock("bob"));
    bob.talks_as_caller(&mut desk);
    desk.frame(bob.renegotiates("new"));
    assert_eq!(desk.events(), []);
    let new = SessionDescription::offer(sdp("new"));
    assert_eq!(desk.engine_works(), [RtcAction::AcceptOffer(new)]);
    assert!(matches!(desk.signals()[..], [RtcSignal::Answer(_)]));
}

#[test]
fn after_a_reconnect_it_is_told_nothing_it_could_not_read() {
    let (mut desk, mut bob) = (Desk::up(), Peer::stock("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reconnect("m-2");
    assert_eq!(desk.said(), []);
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
}
