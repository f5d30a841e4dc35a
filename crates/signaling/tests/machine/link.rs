//! The link: connect, greet, keep alive, come back, close.

use std::time::Duration;

use skapi_rtc_protocol::{ClientFrame, Json, ServerFrame, UserId};
use skapi_rtc_signaling::{
    CloseReason, CommandError, Config, Event, Input, LinkLoss, Output, PlaceError, PlaceOptions,
    Usage,
};

use super::harness::{Desk, OWN_CID, cid, millis, secs};

fn connects(desk: &Desk) -> Vec<u32> {
    desk.socket
        .iter()
        .filter_map(|output| match output {
            Output::Connect { attempt, .. } => Some(*attempt),
            _ => None,
        })
        .collect()
}

fn retry_in(desk: &mut Desk) -> Duration {
    let events = desk.events();
    let [Event::Disconnected { retry_in, .. }] = &events[..] else {
        panic!("{events:?}");
    };
    *retry_in
}

#[test]
fn it_connects_once_asked_and_greets_the_application_once_greeted() {
    let mut desk = Desk::idle(Config::default());
    assert_eq!(desk.session.next_deadline(), None);
    desk.connect();
    desk.connect();
    assert_eq!(connects(&desk), [0]);
    desk.link_up();
    assert_eq!(desk.sent(), [ClientFrame::KeepAlive { received: None }]);
    assert_eq!(desk.events(), []);
    desk.greet(OWN_CID);
    let events = desk.events();
    let [Event::Connected { ready: Some(ready), again: false }] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(ready.cid, cid(OWN_CID));
    assert_eq!(desk.session.own().unwrap().cid, cid(OWN_CID));
}

#[test]
fn a_service_that_does_not_greet_is_given_two_seconds() {
    let mut desk = Desk::idle(Config::default());
    desk.connect();
    desk.link_up();
    desk.wait(millis(1_999));
    assert_eq!(desk.events(), []);
    desk.wait(millis(1));
    let connected = Event::Connected { ready: None, again: false };
    assert_eq!(desk.events(), [connected]);
}

#[test]
fn a_service_that_does_not_greet_is_known_by_its_first_frame() {
    let mut desk = Desk::idle(Config::default());
    desk.connect();
    desk.link_up();
    desk.frame(ServerFrame::Unknown(Json::null()));
    let events = desk.events();
    assert!(matches!(events[..], [Event::Connected { ready: None, .. }]));
}

#[test]
fn it_keeps_the_link_alive_every_15_seconds() {
    let mut desk = Desk::up();
    desk.wait(millis(14_999));
    assert_eq!(desk.sent(), []);
    desk.wait(millis(1));
    assert_eq!(desk.sent(), [ClientFrame::KeepAlive { received: None }]);
    desk.wait(secs(60));
    assert_eq!(desk.sent().len(), 4);
}

#[test]
fn a_lost_link_is_tried_again_by_back_off_with_jitter_and_a_cap() {
    let config = Config::default();
    let mut desk = Desk::up();
    for attempt in 0..12_u32 {
        desk.link_lost();
        let full = config.reconnect_max.min(config.reconnect_base * 2_u32.pow(attempt));
        let wait = retry_in(&mut desk);
        assert!(wait >= full / 2 && wait <= full, "{attempt}: {wait:?}");
        assert!(connects(&desk).is_empty());
        desk.wait(wait);
        assert_eq!(connects(&desk), [attempt + 1]);
        desk.forget();
    }
    // A socket alone is no success; a greeting is.
    desk.link_up();
    desk.link_lost();
    assert!(retry_in(&mut desk) >= config.reconnect_max / 2);
    desk.wait(secs(30));
    desk.link_up();
    desk.greet("m-2");
    assert!(matches!(desk.events()[..], [Event::Connected { again: true, .. }]));
    desk.link_lost();
    assert!(retry_in(&mut desk) <= config.reconnect_base);
}

#[test]
fn the_time_a_service_asks_for_comes_before_the_back_off() {
    let mut desk = Desk::up();
    desk.input(Input::LinkDown(LinkLoss::Lost {
        reason: "draining".to_owned(),
        retry_after: Some(secs(5)),
    }));
    let wait = retry_in(&mut desk);
    assert!(wait >= millis(5_625) && wait <= millis(6_250), "{wait:?}");
    desk.wait(secs(5));
    assert!(connects(&desk).is_empty());
    desk.wait(millis(1_250));
    assert_eq!(connects(&desk), [1]);
}

#[test]
fn what_would_be_done_after_a_while_can_be_done_now() {
    let mut desk = Desk::up();
    desk.try_link_now();
    assert_eq!(
        desk.sent(),
        [ClientFrame::KeepAlive { received: None }],
        "it shows that the link lives"
    );
    desk.link_lost();
    let before = connects(&desk).len();
    desk.try_link_now();
    assert_eq!(connects(&desk).len(), before + 1);
    // It is under way: nothing more can be done.
    desk.try_link_now();
    assert_eq!(connects(&desk).len(), before + 1);
}

#[test]
fn without_a_link_nothing_can_be_sent_and_old_frames_do_not_count() {
    let mut desk = Desk::up();
    desk.link_lost();
    assert_eq!(desk.session.own(), None);
    desk.forget();
    desk.link_lost();
    desk.frame(ServerFrame::Unknown(Json::null()));
    assert_eq!(desk.events(), []);
    let post = desk.session.post_to_user(desk.now, UserId::new("bob").unwrap(), Json::null());
    assert_eq!(post, Err(CommandError::NotConnected));
    let call = desk.session.place_call(desk.now, cid("c-bob"), PlaceOptions::default());
    assert_eq!(call, Err(PlaceError::NotConnected));
}

#[test]
fn a_refusal_is_the_end() {
    let mut desk = Desk::up();
    desk.input(Input::LinkDown(LinkLoss::refused("expired token")));
    let closed = Event::Closed(CloseReason::Refused("expired token".to_owned()));
    assert_eq!(desk.events(), [closed]);
    assert_eq!(desk.session.next_deadline(), None);
    desk.close();
    desk.connect();
    assert_eq!((desk.events(), desk.socket.len()), (vec![], 0));
}

#[test]
fn closing_closes_the_socket_and_is_said_once() {
    let mut desk = Desk::up();
    desk.close();
    desk.close();
    assert_eq!(desk.events(), [Event::Closed(CloseReason::Closed)]);
    assert_eq!(desk.socket, [Output::Disconnect]);
    assert_eq!(desk.session.usage(), Usage::default());
    assert_eq!(desk.session.next_deadline(), None);
    assert_eq!(desk.session.join(desk.now, None), Err(CommandError::Closed));
    let call = desk.session.place_call(desk.now, cid("c-bob"), PlaceOptions::default());
    assert_eq!(call, Err(PlaceError::Closed));
}

#[test]
fn a_socket_that_opens_after_the_close_is_closed_again() {
    let mut desk = Desk::idle(Config::default());
    desk.connect();
    desk.close();
    desk.forget();
    desk.link_up();
    assert_eq!(desk.socket, [Output::Disconnect]);
    assert_eq!(desk.sent(), []);
}

#[test]
fn closing_while_waiting_for_the_next_attempt_stops_it() {
    let mut desk = Desk::up();
    desk.link_lost();
    desk.forget();
    desk.close();
    desk.wait(secs(60));
    assert_eq!(desk.socket, []);
}
