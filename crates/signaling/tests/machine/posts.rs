//! Posts to a group and to a user, and how they are answered.

use skapi_rtc_protocol::{
    ClientFrame, ErrorCode, GroupName, Json, Notice, NoticeCode, Ready, ServerFrame, UserId,
};
use skapi_rtc_signaling::{
    CommandError, Config, Event, Input, Post, RequestError, RequestId, Usage,
};

use super::harness::{Desk, cid, secs};

fn bob() -> UserId {
    UserId::new("bob").unwrap()
}

fn post(desk: &mut Desk) -> (RequestId, Option<u32>) {
    let request = desk.session.post_to_user(desk.now, bob(), Json::from("hi")).unwrap();
    desk.input(Input::Timeout);
    let sent = desk.sent();
    let [ClientFrame::SendMessage { user, message }] = &sent[..] else {
        panic!("{sent:?}");
    };
    assert_eq!((user, &message.content), (&bob(), &Json::from("hi")));
    (request, message.reference)
}

fn answer(request: RequestId, result: Result<(), RequestError>) -> [Event; 1] {
    [Event::Request { request, result }]
}

#[test]
fn a_post_is_answered() {
    let mut desk = Desk::up();
    let (first, to_first) = post(&mut desk);
    let (second, to_second) = post(&mut desk);
    desk.refuse(to_second.unwrap(), ErrorCode::UserOffline);
    let refused =
        RequestError::Refused { text: "no".to_owned(), code: Some(ErrorCode::UserOffline) };
    assert_eq!(desk.events(), answer(second, Err(refused)));
    desk.done(to_first.unwrap());
    assert_eq!(desk.events(), answer(first, Ok(())));
    // An answer counts once, and one that nobody asked for not at all.
    desk.done(to_first.unwrap());
    desk.done(999);
    assert_eq!(desk.events(), []);
    assert_eq!(desk.session.usage(), Usage::default());
}

#[test]
fn a_post_that_is_not_answered() {
    let mut desk = Desk::up();
    let (request, _) = post(&mut desk);
    desk.wait(secs(10));
    assert_eq!(desk.events(), answer(request, Err(RequestError::NoAnswer)));
}

#[test]
fn a_post_whose_link_is_lost() {
    let mut desk = Desk::up();
    let (request, _) = post(&mut desk);
    desk.link_lost();
    assert_eq!(desk.events()[1..], answer(request, Err(RequestError::LinkLost)));
}

#[test]
fn a_post_under_way_at_the_close() {
    let mut desk = Desk::up();
    let (request, _) = post(&mut desk);
    desk.close();
    assert_eq!(desk.events()[..1], answer(request, Err(RequestError::Closed)));
}

#[test]
fn to_a_service_that_does_not_answer_sent_is_all_that_is_known() {
    let mut desk = Desk::up_at_skapi();
    let (request, reference) = post(&mut desk);
    assert_eq!(reference, None);
    assert_eq!(desk.events(), answer(request, Ok(())));
}

#[test]
fn a_post_needs_a_group_to_go_to() {
    let mut desk = Desk::up();
    let posted = desk.session.post_to_group(desk.now, Json::null());
    assert_eq!(posted, Err(CommandError::NotInGroup));
    let group = GroupName::new("a").unwrap();
    desk.session.join(desk.now, Some(group.clone())).unwrap();
    desk.session.post_to_group(desk.now, Json::null()).unwrap();
    desk.input(Input::Timeout);
    let posted_to = desk.sent().into_iter().find_map(|frame| match frame {
        ClientFrame::Broadcast { group, .. } => Some(group),
        _ => None,
    });
    assert_eq!(posted_to, Some(group));
}

#[test]
fn a_post_must_fit_into_the_services_frames() {
    let mut desk = Desk::idle(Config::default());
    desk.connect();
    desk.link_up();
    let mut ready = Ready::new(cid("m-1"), UserId::new("me").unwrap());
    ready.limits.max_frame_bytes = 200;
    desk.frame(ServerFrame::Ready(ready));
    let long = Json::from("x".repeat(200).as_str());
    let posted = desk.session.post_to_user(desk.now, bob(), long);
    assert!(matches!(posted, Err(CommandError::TooLarge { max: 200, .. })));
    assert_eq!(desk.session.usage(), Usage::default());
}

#[test]
fn a_service_that_stops_answering_is_noticed() {
    let mut desk = Desk::up();
    let results: Vec<_> =
        (0..2_000).map(|_| desk.session.post_to_user(desk.now, bob(), Json::null())).collect();
    assert_eq!(results.last(), Some(&Err(CommandError::TooManyRequests)));
    assert!(desk.session.usage().requests < 2_000);
    desk.wait(secs(10));
    assert_eq!(desk.session.usage(), Usage::default());
}

#[test]
fn what_others_post_and_do_is_passed_on() {
    let mut desk = Desk::up();
    let group = GroupName::new("a").unwrap();
    desk.frame(ServerFrame::Message {
        content: Json::from("hi"),
        user: bob(),
        from: cid("c-bob"),
        group: group.clone(),
    });
    desk.frame(ServerFrame::Private {
        content: Json::from("psst"),
        user: bob(),
        from: cid("c-bob"),
    });
    let notice = Notice {
        code: NoticeCode::UserJoined,
        user: bob(),
        from: cid("c-bob"),
        group: group.clone(),
    };
    desk.frame(ServerFrame::Notice(notice.clone()));
    desk.frame(ServerFrame::Error { text: "slow down".to_owned(), code: None, reference: None });
    let by_bob = |text| Post { content: Json::from(text), user: bob(), from: cid("c-bob") };
    let expected = [
        Event::Message { post: by_bob("hi"), group },
        Event::Private(by_bob("psst")),
        Event::Notice(notice),
        Event::ServiceError { text: "slow down".to_owned(), code: None },
    ];
    assert_eq!(desk.events(), expected);
}
