//! What a peer can make the machine do and hold has bounds.

use skapi_rtc_protocol::{HangupReason, Json, RtcSignal, ServerFrame};
use skapi_rtc_signaling::{CallPhase, Config, Event, Usage};

use super::{
    harness::{Desk, OWN_CID, cid, secs},
    peer::Peer,
};

#[test]
fn contents_that_cannot_be_read_are_told_and_dropped() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    for content in [
        "[]",
        "17",
        "null",
        r#"{"sdpoffer":7}"#,
        r#"{"sdpoffer":{"type":"answer","sdp":""}}"#,
        r#"{"hungup":"x","pickup":"x"}"#,
        r#"{"candidate":[]}"#,
        r#"{"hungup":"x","call":"short"}"#,
    ] {
        desk.frame(ServerFrame::Rtc {
            content: Json::new(content).unwrap(),
            user: bob.user.clone(),
            from: bob.cid.clone(),
        });
        let events = desk.events();
        let [Event::BadContent { from, .. }] = &events[..] else {
            panic!("{content}: {events:?}");
        };
        assert_eq!(*from, bob.cid);
    }
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
}

#[test]
fn a_flood_of_offers_rings_up_to_the_limit_and_is_busy_beyond() {
    let mut config = Config::default();
    config.max_calls = 4;
    let mut desk = Desk::up_with(config);
    for number in 0..100 {
        let mut caller = Peer::ours(&format!("flood{number}"));
        caller.key = Some(skapi_rtc_protocol::CallKey(number));
        desk.hears(&caller, caller.offer());
    }
    assert_eq!(desk.session.calls().count(), 4);
    let busy = desk.said().into_iter().filter(|content| content.reason == Some(HangupReason::Busy));
    assert_eq!(busy.count(), 96);
    desk.wait(secs(40));
    assert_eq!(desk.session.usage(), Usage::default());
}

#[test]
fn a_flood_of_offers_without_keys_leaves_nothing_either() {
    let mut config = Config::default();
    config.max_calls = 4;
    let mut desk = Desk::up_with(config);
    for number in 0..2_000 {
        let caller = Peer::stock(&format!("flood{number}"));
        desk.hears(&caller, caller.offer());
    }
    assert!(desk.session.usage().index < 300, "{:?}", desk.session.usage());
    desk.wait(secs(40));
    assert_eq!(desk.session.usage(), Usage::default());
}

#[test]
fn one_caller_has_one_call_however_often_it_calls() {
    let mut desk = Desk::up();
    let mut bob = Peer::ours("bob");
    for number in 0..100 {
        bob.key = Some(skapi_rtc_protocol::CallKey(number));
        desk.hears(&bob, bob.offer());
    }
    assert_eq!(desk.session.calls().count(), 1);
}

#[test]
fn nobody_is_rung_by_oneself() {
    let mut desk = Desk::up();
    let mut own = Peer::ours("me");
    own.cid = cid(OWN_CID);
    desk.hears(&own, own.offer());
    assert_eq!((desk.events(), desk.signals()), (vec![], Vec::<RtcSignal>::new()));
}
