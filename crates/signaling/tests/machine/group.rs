//! The group: join, switch, leave, and getting back into it.

use skapi_rtc_protocol::{ClientFrame, ErrorCode, GroupName};
use skapi_rtc_signaling::{Config, Event, RequestError, RequestId, Usage};

use super::harness::{Desk, secs};

fn name(name: &str) -> Option<GroupName> {
    Some(GroupName::new(name).unwrap())
}

fn join(desk: &mut Desk, group: Option<GroupName>) -> RequestId {
    let request = desk.session.join(desk.now, group).unwrap();
    desk.wait(secs(0));
    desk.input(skapi_rtc_signaling::Input::Timeout);
    request
}

/// The one `joinRoom` that was sent.
fn asked(desk: &mut Desk) -> (Option<GroupName>, Option<u32>) {
    let sent = desk.sent();
    let [ClientFrame::JoinRoom { group, reference, .. }] = &sent[..] else {
        panic!("{sent:?}");
    };
    (group.clone(), *reference)
}

fn answer(request: RequestId, result: Result<(), RequestError>) -> Event {
    Event::Request { request, result }
}

fn refused() -> Result<(), RequestError> {
    Err(RequestError::Refused { text: "no".to_owned(), code: Some(ErrorCode::TooFast) })
}

#[test]
fn join_switch_and_leave() {
    let mut desk = Desk::up();
    for group in [name("a"), name("b"), None] {
        let request = join(&mut desk, group.clone());
        let (asked_for, reference) = asked(&mut desk);
        assert_eq!(asked_for, group);
        assert_eq!(desk.events(), []);
        desk.done(reference.unwrap());
        assert_eq!(desk.events(), [Event::Joined(group.clone()), answer(request, Ok(()))]);
        assert_eq!(desk.session.group(), group.as_ref());
    }
    assert_eq!(desk.session.usage(), Usage::default());
}

#[test]
fn the_latest_wish_counts_and_the_service_is_believed() {
    let mut desk = Desk::up();
    let first = join(&mut desk, name("a"));
    let (_, to_a) = asked(&mut desk);
    let second = join(&mut desk, name("b"));
    let (_, to_b) = asked(&mut desk);
    assert_eq!(desk.events(), [answer(first, Err(RequestError::Superseded))]);
    desk.done(to_a.unwrap());
    assert_eq!(desk.events(), [Event::Joined(name("a"))]);
    desk.refuse(to_b.unwrap(), ErrorCode::TooFast);
    assert_eq!(desk.events(), [answer(second, refused())]);
    assert_eq!(desk.session.group(), name("a").as_ref());
}

#[test]
fn an_answer_to_an_earlier_wish_for_the_same_group_is_not_taken_for_the_later() {
    let mut desk = Desk::up();
    join(&mut desk, name("a"));
    let (_, first) = asked(&mut desk);
    join(&mut desk, None);
    desk.sent();
    let third = join(&mut desk, name("a"));
    let (_, last) = asked(&mut desk);
    desk.events();
    desk.done(first.unwrap());
    assert_eq!(desk.events(), [Event::Joined(name("a"))]);
    desk.done(last.unwrap());
    assert_eq!(desk.events(), [Event::Joined(name("a")), answer(third, Ok(()))]);
}

#[test]
fn a_refusal_leaves_everything_as_it_was() {
    let mut desk = Desk::up();
    let request = join(&mut desk, name("a"));
    let (_, reference) = asked(&mut desk);
    desk.refuse(reference.unwrap(), ErrorCode::TooFast);
    assert_eq!(desk.events(), [answer(request, refused())]);
    assert_eq!(desk.session.group(), None);
}

#[test]
fn a_service_that_does_not_answer_a_join_in_time() {
    let mut desk = Desk::up();
    let request = join(&mut desk, name("a"));
    desk.wait(secs(10));
    assert_eq!(desk.events(), [answer(request, Err(RequestError::NoAnswer))]);
    assert_eq!(desk.session.usage(), Usage::default());
}

#[test]
fn after_a_reconnect_the_group_is_joined_again() {
    let mut desk = Desk::up();
    join(&mut desk, name("a"));
    let (_, reference) = asked(&mut desk);
    desk.done(reference.unwrap());
    desk.reconnect("m-2");
    desk.events();
    let (group, reference) = asked_last(&mut desk);
    assert_eq!(group, name("a"));
    desk.done(reference.unwrap());
    assert_eq!(desk.events(), [Event::Joined(name("a"))]);
}

#[test]
fn a_group_that_cannot_be_joined_again_is_told() {
    let mut desk = Desk::up();
    join(&mut desk, name("a"));
    let (_, reference) = asked(&mut desk);
    desk.done(reference.unwrap());
    desk.reconnect("m-2");
    desk.events();
    let (_, reference) = asked_last(&mut desk);
    desk.refuse(reference.unwrap(), ErrorCode::TooFast);
    let error = Event::ServiceError { text: "no".to_owned(), code: Some(ErrorCode::TooFast) };
    assert_eq!(desk.events(), [error, Event::Joined(None)]);
    assert_eq!(desk.session.group(), None);
}

#[test]
fn a_join_without_a_link_waits_for_it() {
    let mut desk = Desk::idle(Config::default());
    let request = join(&mut desk, name("a"));
    assert_eq!(desk.sent(), []);
    desk.connect();
    desk.link_up();
    desk.greet("m-1");
    let (_, reference) = asked_last(&mut desk);
    desk.events();
    desk.done(reference.unwrap());
    assert_eq!(desk.events(), [Event::Joined(name("a")), answer(request, Ok(()))]);
}

#[test]
fn a_join_whose_link_is_lost_is_asked_again() {
    let mut desk = Desk::up();
    let request = join(&mut desk, name("a"));
    desk.sent();
    desk.reconnect("m-2");
    let (_, reference) = asked_last(&mut desk);
    desk.events();
    desk.done(reference.unwrap());
    assert_eq!(desk.events(), [Event::Joined(name("a")), answer(request, Ok(()))]);
}

#[test]
fn leaving_without_a_link_is_done_once_there_is_one() {
    let mut desk = Desk::idle(Config::default());
    let request = join(&mut desk, None);
    desk.connect();
    desk.link_up();
    desk.greet("m-1");
    let events = desk.events();
    assert_eq!(events[1..], [Event::Joined(None), answer(request, Ok(()))]);
}

#[test]
fn a_service_that_does_not_answer_is_believed_at_once() {
    let mut desk = Desk::up_at_skapi();
    let request = join(&mut desk, name("a"));
    assert_eq!(asked(&mut desk), (name("a"), None));
    assert_eq!(desk.events(), [Event::Joined(name("a")), answer(request, Ok(()))]);
}

#[test]
fn closing_answers_a_join_that_waits() {
    let mut desk = Desk::up();
    let request = join(&mut desk, name("a"));
    desk.close();
    assert_eq!(desk.events()[0], answer(request, Err(RequestError::Closed)));
    assert_eq!(desk.session.usage(), Usage::default());
}

/// The `joinRoom` among what was sent.
fn asked_last(desk: &mut Desk) -> (Option<GroupName>, Option<u32>) {
    desk.sent()
        .into_iter()
        .find_map(|frame| match frame {
            ClientFrame::JoinRoom { group, reference, .. } => Some((group, reference)),
            _ => None,
        })
        .expect("a join")
}
