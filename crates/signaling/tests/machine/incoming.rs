//! A call that comes in, from the ring to the answer.

use skapi_rtc_protocol::{HangupReason, RtcSignal, SessionDescription};
use skapi_rtc_signaling::{
    BusyPolicy, CallEvent, CallPhase, Config, EndReason, Event, Role, RtcAction, RtcEvent,
};

use super::{
    harness::{Desk, local, remote, sdp, secs},
    peer::Peer,
};

#[test]
fn it_rings_is_accepted_and_connects() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    desk.hears(&bob, bob.offer());
    let ringing = desk.said();
    assert_eq!(ringing[0].signal, RtcSignal::Ringing);
    assert_eq!((ringing[0].call, ringing.len()), (bob.key, 1));
    let events = desk.events();
    let [Event::Incoming { call, from, user }] = &events[..] else {
        panic!("{events:?}");
    };
    let call = *call;
    assert_eq!((from, user), (&bob.cid, &bob.user));
    // Until it is accepted there is no engine: a caller cannot make us do work.
    assert_eq!(desk.engine_works(), []);

    desk.accept(call);
    desk.accept(call);
    assert_eq!(desk.phase(call), Some(CallPhase::Answering));
    let asked = desk.engine_works();
    let [RtcAction::Open { role: Role::Callee, .. }, RtcAction::AcceptOffer(_)] = &asked[..] else {
        panic!("{asked:?}");
    };
    let signals = desk.signals();
    assert!(matches!(signals[..], [RtcSignal::Answer(_), RtcSignal::Pickup(_)]));
    assert_eq!(desk.phase(call), Some(CallPhase::Connecting));
    desk.reports(call, RtcEvent::Connected);
    assert_eq!(desk.call_events(), [CallEvent::Connected]);
}

#[test]
fn it_is_declined() {
    for (reason, word) in
        [(EndReason::Declined, HangupReason::Declined), (EndReason::Busy, HangupReason::Busy)]
    {
        let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
        let call = bob.calls(&mut desk);
        desk.decline(call, reason.clone());
        assert_eq!(desk.said()[0].reason, Some(word));
        assert_eq!(desk.end_of(call), local(reason));
    }
}

#[test]
fn declining_what_was_accepted_hangs_up() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_caller(&mut desk);
    desk.decline(call, EndReason::Busy);
    assert_eq!(desk.said()[0].reason, None);
    assert_eq!(desk.end_of(call), local(EndReason::HungUp));
}

#[test]
fn a_hang_up_while_it_rings_declines() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.calls(&mut desk);
    desk.hang_up(call);
    assert_eq!(desk.said()[0].reason, Some(HangupReason::Declined));
    assert_eq!(desk.end_of(call), local(EndReason::Declined));
}

#[test]
fn the_caller_takes_it_back() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.calls(&mut desk);
    desk.frame(bob.hangs_up(Some(HangupReason::Cancelled)));
    assert_eq!(desk.end_of(call), remote(EndReason::Cancelled));
    assert_eq!(desk.said(), []);
}

#[test]
fn the_callers_patience_ends_first() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.calls(&mut desk);
    desk.wait(secs(34));
    assert_eq!(desk.phase(call), Some(CallPhase::Ringing));
    desk.wait(secs(1));
    assert_eq!(desk.said()[0].reason, Some(HangupReason::NoAnswer));
    assert_eq!(desk.end_of(call), local(EndReason::NoAnswer));
}

#[test]
fn it_rings_no_longer_than_the_callee_wants_though_the_caller_says_nothing() {
    let mut desk = Desk::up_with(Config::default().ring_timeout(secs(7)));
    let bob = Peer::ours("bob");
    let call = bob.calls(&mut desk);
    desk.wait(secs(6));
    assert_eq!(desk.phase(call), Some(CallPhase::Ringing));
    desk.wait(secs(1));
    assert_eq!(desk.said()[0].reason, Some(HangupReason::NoAnswer));
    assert_eq!(desk.end_of(call), local(EndReason::NoAnswer));
    // It is the caller's own time that counts for calls that go out.
    let mut bob = Peer::ours("bob");
    let call = bob.is_called(&mut desk);
    desk.wait(secs(29));
    assert_eq!(desk.phase(call), Some(CallPhase::Dialing));
}

#[test]
fn during_another_call_it_waits_if_the_application_wants_to_decide() {
    let (mut desk, bob, eve) = (Desk::up(), Peer::ours("bob"), with_key(Peer::ours("eve"), 2));
    let first = bob.talks_as_caller(&mut desk);
    let second = eve.calls(&mut desk);
    assert_eq!(desk.phase(first), Some(CallPhase::Established));
    assert_eq!(desk.phase(second), Some(CallPhase::Ringing));
}

#[test]
fn during_another_call_it_is_busy_if_the_application_does_not() {
    let mut config = Config::default();
    config.busy = BusyPolicy::Reject;
    let mut desk = Desk::up_with(config);
    let (bob, eve) = (Peer::ours("bob"), with_key(Peer::ours("eve"), 2));
    bob.calls(&mut desk);
    desk.hears(&eve, eve.offer());
    assert_eq!(desk.events(), []);
    let said = desk.said();
    assert!(matches!(said[0].signal, RtcSignal::HungUp(_)));
    assert_eq!((said[0].reason.clone(), said[0].call), (Some(HangupReason::Busy), eve.key));
    assert_eq!(desk.session.calls().count(), 1);
}

#[test]
fn a_second_offer_while_it_rings_replaces_the_first() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.calls(&mut desk);
    desk.frame(bob.renegotiates("later"));
    assert_eq!(desk.events(), []);
    desk.accept(call);
    let later = SessionDescription::offer(sdp("later"));
    assert_eq!(desk.engine_works()[1], RtcAction::AcceptOffer(later));
}

#[test]
fn whoever_calls_anew_has_ended_the_call_before() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let lost = bob.talks_as_caller(&mut desk);
    let again = with_key(bob.clone(), 2);
    desk.hears(&again, again.offer());
    let events = desk.events();
    let ended = Event::Call { call: lost, event: CallEvent::Ended(remote(EndReason::HungUp)) };
    assert!(matches!(&events[..], [first, Event::Incoming { .. }] if *first == ended));
    assert_eq!(desk.session.usage().calls, 1);
}

#[test]
fn whoever_calls_anew_while_it_rings_has_taken_the_first_back() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    bob.calls(&mut desk);
    let again = with_key(bob.clone(), 2);
    desk.hears(&again, again.offer());
    let ended = CallEvent::Ended(remote(EndReason::Cancelled));
    assert_eq!(desk.call_events(), [ended]);
    // What the peer still says about the first call is about nothing.
    desk.frame(bob.hangs_up(None));
    assert_eq!(desk.session.calls().count(), 1);
}

#[test]
fn an_offer_of_a_call_that_is_over_does_not_ring() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_caller(&mut desk);
    desk.hang_up(call);
    desk.forget();
    desk.frame(bob.renegotiates("crossing"));
    assert_eq!((desk.events(), desk.signals()), (vec![], vec![]));
}

#[test]
fn the_key_of_somebody_elses_call_does_not_ring() {
    let (mut desk, bob, eve) = (Desk::up(), Peer::ours("bob"), Peer::ours("eve"));
    let call = bob.talks_as_caller(&mut desk);
    desk.hears(&eve, eve.offer());
    assert_eq!(desk.events(), []);
    desk.frame(eve.hangs_up(None));
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
    desk.frame(bob.hangs_up(None));
    assert_eq!(desk.end_of(call), remote(EndReason::HungUp));
}

#[test]
fn other_signals_do_not_begin_a_call() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    for signal in [bob.answer(), bob.pickup(), RtcSignal::Ringing, RtcSignal::None] {
        desk.hears(&bob, signal);
    }
    desk.frame(bob.hangs_up(None));
    assert_eq!((desk.events(), desk.signals()), (vec![], vec![]));
}

fn with_key(mut peer: Peer, key: u64) -> Peer {
    peer.key = Some(skapi_rtc_protocol::CallKey(key));
    peer
}
