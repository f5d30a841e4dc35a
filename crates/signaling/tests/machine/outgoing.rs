//! A call we place, from the first wish to the answer.

use skapi_rtc_protocol::{
    ClientFrame, ErrorCode, HangupReason, IceServer, Ready, RtcContent, RtcSignal, ServerFrame,
    UserId,
};
use skapi_rtc_signaling::{
    CallEvent, CallPhase, Config, EndReason, PlaceError, PlaceOptions, Role, RtcAction, RtcEvent,
};

use super::{
    harness::{Desk, OWN_CID, cid, local, remote, secs},
    peer::Peer,
};

#[test]
fn it_is_offered_rung_accepted_and_connected() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = desk.place(&bob);
    assert_eq!(desk.phase(call), Some(CallPhase::Preparing));
    assert_eq!(desk.said(), []);
    let asked = desk.engine_works();
    let [RtcAction::Open { role: Role::Caller, .. }, RtcAction::MakeOffer { ice_restart: false }] =
        &asked[..]
    else {
        panic!("{asked:?}");
    };
    assert_eq!(desk.phase(call), Some(CallPhase::Dialing));
    let offer = desk.said().remove(0);
    assert!(matches!(offer.signal, RtcSignal::Offer(_)));
    assert!(offer.capabilities.is_some());
    bob.key = offer.call;

    desk.hears(&bob, RtcSignal::Ringing);
    desk.hears(&bob, RtcSignal::Ringing);
    assert_eq!(desk.call_events(), [CallEvent::Ringing]);
    assert_eq!(desk.session.call(call).unwrap().user, Some(bob.user.clone()));

    desk.hears(&bob, bob.answer());
    desk.hears(&bob, bob.pickup());
    assert_eq!(desk.call_events(), [CallEvent::Accepted]);
    assert!(matches!(desk.engine_works()[..], [RtcAction::AcceptAnswer(_)]));
    assert_eq!(desk.phase(call), Some(CallPhase::Connecting));

    desk.reports(call, RtcEvent::Connected);
    assert_eq!(desk.call_events(), [CallEvent::Connected]);
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
    // Nothing but the keep-alive goes on.
    desk.wait(secs(600));
    assert_eq!((desk.call_events(), desk.signals()), (vec![], vec![]));
}

#[test]
fn the_engine_may_connect_before_the_answer_is_applied() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.is_called(&mut desk);
    desk.hears(&bob, bob.answer());
    desk.reports(call, RtcEvent::Connected);
    desk.engine_works();
    assert_eq!(desk.call_events(), [CallEvent::Accepted, CallEvent::Connected]);
}

#[test]
fn a_pickup_before_the_answer_is_an_acceptance_too() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.is_called(&mut desk);
    desk.hears(&bob, bob.pickup());
    assert_eq!(desk.call_events(), [CallEvent::Accepted]);
    desk.wait(secs(29));
    assert_eq!(desk.phase(call), Some(CallPhase::Dialing));
    desk.wait(secs(1));
    assert_eq!(desk.end_of(call), local(EndReason::ConnectTimeout));
}

#[test]
fn nobody_answers_in_time() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.is_called(&mut desk);
    desk.hears(&bob, RtcSignal::Ringing);
    desk.wait(secs(30));
    let hangup = desk.said().remove(0);
    assert!(matches!(hangup.signal, RtcSignal::HungUp(_)));
    assert_eq!(hangup.reason, Some(HangupReason::NoAnswer));
    assert_eq!(desk.end_of(call), local(EndReason::NoAnswer));
}

#[test]
fn patience_can_be_set_for_one_call() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let options = PlaceOptions::default().no_answer_timeout(secs(3));
    let call = desk.session.place_call(desk.now, bob.cid, options).unwrap();
    desk.wait(secs(3));
    assert_eq!(desk.end_of(call), local(EndReason::NoAnswer));
    // Its offer was never sent, so there is nobody to tell.
    assert_eq!(desk.said(), []);
}

#[test]
fn nobody_has_the_called_id() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = desk.place(&bob);
    desk.engine_works();
    let reference = reference_of_offer(&mut desk);
    desk.refuse(reference, ErrorCode::UnknownConnection);
    assert_eq!(desk.end_of(call), remote(EndReason::Unreachable));
    assert_eq!(desk.said(), []);
}

#[test]
fn the_service_refuses_to_carry_the_offer() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = desk.place(&bob);
    desk.engine_works();
    let reference = reference_of_offer(&mut desk);
    desk.refuse(reference, ErrorCode::TooLarge);
    let refused = EndReason::ServiceRefused("no".to_owned());
    assert_eq!(desk.end_of(call), remote(refused));
}

#[test]
fn an_offer_that_arrived_or_whose_answer_is_late_changes_nothing() {
    let (mut desk, bob) = (Desk::up(), Peer::ours("bob"));
    let call = desk.place(&bob);
    desk.engine_works();
    let reference = reference_of_offer(&mut desk);
    desk.wait(secs(10));
    desk.done(reference);
    assert_eq!(desk.phase(call), Some(CallPhase::Dialing));
    assert_eq!(desk.session.usage().requests, 0);
}

#[test]
fn a_refusal_after_the_answer_is_too_late() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = desk.place(&bob);
    desk.engine_works();
    let sent = desk.sent();
    let Some(ClientFrame::Rtc { content, reference, .. }) = sent.last() else {
        panic!("{sent:?}");
    };
    bob.key = RtcContent::decode(content).unwrap().call;
    desk.hears(&bob, bob.answer());
    desk.refuse(reference.unwrap(), ErrorCode::UnknownConnection);
    assert_eq!(desk.phase(call), Some(CallPhase::Connecting));
}

#[test]
fn who_cannot_be_called() {
    let mut config = Config::default();
    config.max_calls = 2;
    let mut desk = Desk::up_with(config);
    let mut place = |name: &str| {
        let options = PlaceOptions::default();
        desk.session.place_call(desk.now, cid(name), options)
    };
    assert_eq!(place(OWN_CID), Err(PlaceError::ToSelf));
    let first = place("c-1").unwrap();
    assert_eq!(place("c-1"), Err(PlaceError::AlreadyInCall(first)));
    place("c-2").unwrap();
    assert_eq!(place("c-3"), Err(PlaceError::TooManyCalls(2)));
}

#[test]
fn an_answer_nobody_waits_for_is_dropped() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.answers(&mut desk);
    desk.hears(&bob, bob.answer());
    assert_eq!(desk.engine_works(), []);
    desk.hears(&bob, RtcSignal::Ringing);
    desk.hears(&bob, bob.pickup());
    assert_eq!(desk.call_events(), []);
    assert_eq!(desk.phase(call), Some(CallPhase::Connecting));
}

#[test]
fn the_engine_gets_the_services_ice_servers_and_our_own() {
    let server = |url: &str| IceServer { urls: vec![url.to_owned()], ..IceServer::default() };
    let mut config = Config::default();
    config.ice_servers = vec![server("stun:ours")];
    let mut desk = Desk::idle(config);
    desk.connect();
    desk.link_up();
    let mut ready = Ready::new(cid("m-1"), UserId::new("me").unwrap());
    ready.ice_servers = vec![server("turn:theirs")];
    desk.frame(ServerFrame::Ready(ready));
    desk.place(&Peer::ours("bob"));
    let asked = desk.engine_works();
    let RtcAction::Open { ice_servers, .. } = &asked[0] else {
        panic!("{asked:?}");
    };
    assert_eq!(ice_servers[..], [server("stun:ours"), server("turn:theirs")]);
}

fn reference_of_offer(desk: &mut Desk) -> u32 {
    let sent = desk.sent();
    let Some(ClientFrame::Rtc { reference, .. }) = sent.first() else {
        panic!("{sent:?}");
    };
    reference.expect("the offer asks for an answer")
}
