//! The device that has a call, when another one of the same user wants to go on with it.

use skapi_rtc_protocol::{CallKey, Capability, HangupReason, HeldCall, RtcContent, RtcSignal};
use skapi_rtc_signaling::{
    CallEvent, CallId, Config, EndReason, Event, HandoverPolicy, RtcEvent, Usage,
};

use super::{
    harness::{Desk, cid, millis, remote, secs},
    peer::Peer,
};

pub(crate) const SUCCESSOR: CallKey = CallKey(77);

/// Another connection of the desk's own user.
pub(crate) fn device(name: &str) -> Peer {
    Peer { user: "me".parse().unwrap(), key: None, ..Peer::ours(name) }
}

/// The peer says that it follows a call to another device.
pub(crate) fn follows(desk: &mut Desk, peer: &Peer) {
    let known = vec![Capability::Ringing, Capability::Renegotiate, Capability::Handover];
    let mut here = RtcContent::new(RtcSignal::None).capabilities(known);
    here.call = peer.key;
    desk.frame(peer.sends(&here));
    desk.forget();
}

/// In a call that we have placed, with a peer that follows.
pub(crate) fn talking(desk: &mut Desk) -> (CallId, Peer) {
    let mut bob = Peer::ours("bob");
    let call = bob.talks_as_callee(desk);
    follows(desk, &bob);
    (call, bob)
}

/// What a device says about its wish to have a call.
pub(crate) fn of_wish(signal: RtcSignal, key: CallKey) -> RtcContent {
    RtcContent::new(signal).call(key)
}

fn wants(desk: &mut Desk, by: &Peer, peer: &Peer, key: CallKey) -> Vec<RtcContent> {
    desk.frame(by.sends(&of_wish(RtcSignal::TakeOver(peer.cid.clone()), key)));
    desk.said()
}

fn granted(bob: &Peer, key: CallKey) -> Vec<RtcContent> {
    vec![of_wish(RtcSignal::Granted(bob.key.unwrap()), key)]
}

fn refused(key: CallKey) -> Vec<RtcContent> {
    let hangup = of_wish(RtcSignal::HungUp("me".to_owned()), key);
    vec![hangup.reason(HangupReason::NotHandedOver)]
}

fn asked(desk: &mut Desk) -> usize {
    let events = desk.events();
    events.iter().filter(|event| matches!(event, Event::HandoverAsked { .. })).count()
}

#[test]
fn only_devices_of_the_same_user_learn_which_calls_there_are() {
    let mut desk = Desk::up();
    let (_, bob) = talking(&mut desk);
    let mut told = |who: &Peer| {
        desk.frame(who.sends(&RtcContent::new(RtcSignal::AskCalls)));
        desk.signals()
    };
    let calls = vec![HeldCall::new(bob.cid.clone(), bob.user.clone())];
    assert_eq!(told(&device("phone")), [RtcSignal::Calls(calls)]);
    assert_eq!(told(&Peer::ours("mallory")), []);
    assert_eq!(told(&bob), []);
}

#[test]
fn only_calls_that_are_up_with_a_peer_that_follows_are_told() {
    let tells = |desk: &mut Desk| {
        desk.forget();
        desk.frame(device("phone").sends(&RtcContent::new(RtcSignal::AskCalls)));
        desk.signals()
    };
    let nothing = [RtcSignal::Calls(Vec::new())];
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    assert_eq!(tells(&mut desk), nothing);
    let call = bob.answers(&mut desk);
    follows(&mut desk, &bob);
    assert_eq!(tells(&mut desk), nothing, "it is not up yet");
    desk.reports(call, RtcEvent::Connected);
    assert_ne!(tells(&mut desk), nothing);

    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    bob.talks_as_callee(&mut desk);
    assert_eq!(tells(&mut desk), nothing, "the peer does not follow");

    let mut desk = Desk::up_with(Config::default().handover(HandoverPolicy::Refuse));
    talking(&mut desk);
    assert_eq!(tells(&mut desk), nothing);
}

#[test]
fn the_first_device_may_have_it_and_the_application_is_told() {
    let mut desk = Desk::up();
    let (call, bob) = talking(&mut desk);
    let (phone, tablet) = (device("phone"), device("tablet"));
    assert_eq!(wants(&mut desk, &phone, &bob, SUCCESSOR), granted(&bob, SUCCESSOR));
    let told = Event::HandoverAsked { call, by: phone.cid.clone(), granted: true };
    assert_eq!(desk.events(), [told]);
    assert_eq!(wants(&mut desk, &tablet, &bob, CallKey(78)), refused(CallKey(78)));
    // One that has not got the answer asks again.
    assert_eq!(wants(&mut desk, &phone, &bob, SUCCESSOR), granted(&bob, SUCCESSOR));
    assert_eq!(asked(&mut desk), 0);

    // The peer ends the call here when it is up there.
    desk.frame(bob.hangs_up(Some(HangupReason::Moved)));
    assert_eq!(desk.end_of(call), remote(EndReason::Moved));
    desk.wait(secs(61));
    assert_eq!(desk.session.usage(), Usage::default());
}

#[test]
fn another_device_may_have_it_when_the_first_has_given_up_or_was_not_heard_for_long() {
    let mut desk = Desk::up();
    let (_, bob) = talking(&mut desk);
    let (phone, tablet) = (device("phone"), device("tablet"));
    wants(&mut desk, &phone, &bob, SUCCESSOR);
    let gives_up = of_wish(RtcSignal::HungUp("me".to_owned()), SUCCESSOR);
    let mallory = Peer::ours("mallory");
    desk.frame(mallory.sends(&gives_up));
    assert_eq!(wants(&mut desk, &tablet, &bob, CallKey(78)), refused(CallKey(78)));
    desk.frame(phone.sends(&gives_up));
    assert_eq!(wants(&mut desk, &tablet, &bob, CallKey(78)), granted(&bob, CallKey(78)));
    assert_eq!(wants(&mut desk, &phone, &bob, SUCCESSOR), refused(SUCCESSOR));
    desk.wait(secs(45));
    desk.forget();
    assert_eq!(wants(&mut desk, &phone, &bob, SUCCESSOR), granted(&bob, SUCCESSOR));
}

#[test]
fn nobody_else_and_nothing_else_is_handed_over() {
    let mut desk = Desk::up();
    let (call, bob) = talking(&mut desk);
    let (phone, mallory) = (device("phone"), Peer::ours("mallory"));
    assert_eq!(wants(&mut desk, &mallory, &bob, SUCCESSOR), [], "a stranger");
    assert_eq!(wants(&mut desk, &bob, &bob, SUCCESSOR), [], "the peer itself");
    assert_eq!(wants(&mut desk, &phone, &mallory, SUCCESSOR), refused(SUCCESSOR), "no such call");
    desk.hang_up(call);
    desk.forget();
    assert_eq!(wants(&mut desk, &phone, &bob, SUCCESSOR), refused(SUCCESSOR), "it is over");
    assert_eq!(asked(&mut desk), 0);

    let mut desk = Desk::up_with(Config::default().handover(HandoverPolicy::Refuse));
    let (_, bob) = talking(&mut desk);
    assert_eq!(wants(&mut desk, &phone, &bob, SUCCESSOR), refused(SUCCESSOR));
    assert_eq!(asked(&mut desk), 0);
}

#[test]
fn the_application_may_be_asked() {
    let mut desk = Desk::up_with(Config::default().handover(HandoverPolicy::Ask));
    let (call, bob) = talking(&mut desk);
    let (phone, tablet) = (device("phone"), device("tablet"));
    assert_eq!(wants(&mut desk, &phone, &bob, SUCCESSOR), []);
    let told = Event::HandoverAsked { call, by: phone.cid.clone(), granted: false };
    assert_eq!(desk.events(), [told]);
    assert_eq!(wants(&mut desk, &phone, &bob, SUCCESSOR), [], "it asks again");
    assert_eq!(asked(&mut desk), 0);
    let answers = |desk: &mut Desk, by: &Peer, allow| {
        desk.session.answer_handover(desk.now, call, &by.cid, allow).unwrap();
        desk.collect();
        desk.said()
    };
    assert_eq!(answers(&mut desk, &tablet, true), [], "that one has not asked");
    assert_eq!(answers(&mut desk, &phone, true), granted(&bob, SUCCESSOR));
    assert_eq!(answers(&mut desk, &phone, false), [], "it has the answer");

    desk.wait(secs(45));
    desk.forget();
    wants(&mut desk, &tablet, &bob, CallKey(78));
    assert_eq!(answers(&mut desk, &tablet, false), refused(CallKey(78)));

    // One that still waits when the call ends is told.
    wants(&mut desk, &phone, &bob, SUCCESSOR);
    desk.hang_up(call);
    assert!(desk.said().contains(&refused(SUCCESSOR)[0]));
    assert!(desk.session.answer_handover(desk.now, call, &phone.cid, true).is_err());
}

#[test]
fn devices_are_asked_and_answer_or_do_not() {
    let mut desk = Desk::up();
    let (phone, tablet) = (device("phone"), device("tablet"));
    let ask = |desk: &mut Desk, devices: &[&Peer]| {
        let mut cids: Vec<_> = devices.iter().map(|device| device.cid.clone()).collect();
        cids.push(cid("m-own"));
        let request = desk.session.ask_calls(desk.now, cids).unwrap();
        desk.collect();
        request
    };
    let answers = |desk: &mut Desk, device: &Peer, names: &[&str]| {
        let held = |name: &&str| HeldCall::new(cid(name), "bob".parse().unwrap());
        let calls = RtcSignal::Calls(names.iter().map(held).collect());
        desk.frame(device.sends(&RtcContent::new(calls)));
        desk.events()
    };
    let request = ask(&mut desk, &[&phone, &tablet]);
    assert_eq!(desk.signals(), [RtcSignal::AskCalls, RtcSignal::AskCalls], "never ourselves");
    assert_eq!(answers(&mut desk, &phone, &["x", "y"]), []);
    assert_eq!(answers(&mut desk, &Peer::ours("mallory"), &["z"]), []);
    assert_eq!(answers(&mut desk, &phone, &["z"]), [], "once");
    let events = answers(&mut desk, &tablet, &[]);
    let [Event::DeviceCalls { request: of, calls }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((*of, calls.len()), (request, 2));
    assert_eq!((&calls[0].device, &calls[0].peer), (&phone.cid, &cid("x")));

    // A page with Skapi's own client never answers.
    ask(&mut desk, &[&phone, &tablet]);
    answers(&mut desk, &tablet, &["x"]);
    desk.wait(millis(1999));
    assert_eq!(desk.events(), []);
    desk.wait(millis(1));
    assert!(matches!(&desk.events()[..], [Event::DeviceCalls { calls, .. }] if calls.len() == 1));

    ask(&mut desk, &[]);
    assert!(matches!(&desk.events()[..], [Event::DeviceCalls { calls, .. }] if calls.is_empty()));
    for _ in 0..16 {
        ask(&mut desk, &[&phone]);
    }
    desk.session.ask_calls(desk.now, vec![phone.cid.clone()]).unwrap_err();
    desk.close();
    let told = desk.events();
    assert_eq!(told.iter().filter(|it| matches!(it, Event::DeviceCalls { .. })).count(), 16);
    assert_eq!(desk.session.usage(), Usage::default());
}

#[test]
fn a_hang_up_of_the_old_call_is_the_end_of_it_here() {
    let mut desk = Desk::up();
    let (call, bob) = talking(&mut desk);
    wants(&mut desk, &device("phone"), &bob, SUCCESSOR);
    desk.hang_up(call);
    assert_eq!(desk.said().len(), 1, "the device has its answer already");
    let ended = |event: &CallEvent| matches!(event, CallEvent::Ended(_));
    assert!(desk.call_events().iter().any(ended));
}

#[test]
fn who_does_not_follow_a_call_does_not_say_that_it_would() {
    let shows = |policy| {
        let (mut desk, bob) =
            (Desk::up_with(Config::default().handover(policy)), Peer::ours("bob"));
        desk.place(&bob);
        desk.engine_works();
        desk.said()[0].capabilities.as_ref().unwrap().contains(&Capability::Handover)
    };
    assert!(shows(HandoverPolicy::Allow) && shows(HandoverPolicy::Ask));
    assert!(!shows(HandoverPolicy::Refuse));
}
