//! A session without calls: connecting, groups, posts, queries, and what can go wrong.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

mod support;

use std::time::Duration;

use serde_json::json;
use skapi_rtc::{
    CloseReason, CommandError, ConnectError, ConnectOptions, NoticeCode, OpenError, PostError,
    RealtimeEvent, Recipient, connect_realtime,
};
use support::{Service, next, soon};

#[tokio::test]
async fn members_of_a_group_see_each_other_and_their_posts() {
    let service = Service::start().await;
    let (alice, mut alice_events) = service.member("alice", "lobby").await;
    let (bob, mut bob_events) = service.member("bob", "lobby").await;
    let joined = next("bob's joining", &mut alice_events, |event| match event {
        RealtimeEvent::Notice(notice) => Some(notice),
        _ => None,
    })
    .await;
    assert_eq!(joined.code, NoticeCode::UserJoined);
    assert_eq!(joined.from, bob.cid().unwrap());

    let users = soon("users", alice.realtime_users("lobby".parse().unwrap())).await.unwrap();
    let mut cids: Vec<_> = users.iter().map(|entry| entry.cid.clone()).collect();
    cids.sort();
    let mut expected = vec![alice.cid().unwrap(), bob.cid().unwrap()];
    expected.sort();
    assert_eq!(cids, expected);
    let groups = soon("groups", alice.realtime_groups()).await.unwrap();
    assert_eq!((groups[0].group.as_str(), groups[0].connections), ("lobby", 2));

    let content = json!({"text": "100% <ok> \u{2028} 😀", "n": [1, 2.5, null]});
    soon("posting", alice.post_realtime(Recipient::Group, &content)).await.unwrap();
    for events in [&mut alice_events, &mut bob_events] {
        let post = next("the post", events, |event| match event {
            RealtimeEvent::Message { post, .. } => Some(post),
            _ => None,
        })
        .await;
        assert_eq!(post.content.parse::<serde_json::Value>().unwrap(), content);
        assert_eq!(post.from, alice.cid().unwrap());
    }

    let to_bob = bob.user_id().unwrap();
    soon("a private post", alice.post_realtime(to_bob, "psst")).await.unwrap();
    let private = next("the private post", &mut bob_events, |event| match event {
        RealtimeEvent::Private(post) => Some(post),
        _ => None,
    })
    .await;
    assert_eq!(private.content.as_str(), r#""psst""#);

    soon("leaving", bob.leave_realtime()).await.unwrap();
    let left = next("bob's leaving", &mut alice_events, |event| match event {
        RealtimeEvent::Notice(notice) => Some(notice),
        _ => None,
    })
    .await;
    assert_eq!(left.code, NoticeCode::UserLeft);
}

#[tokio::test]
async fn what_cannot_be_posted_says_why() {
    let service = Service::start().await;
    let (alice, _events) = service.connect("alice").await;
    let nowhere = soon("refusal", alice.post_realtime(Recipient::Group, "x")).await;
    assert_eq!(nowhere, Err(PostError::Command(CommandError::NotInGroup)));
    let offline =
        soon("refusal", alice.post_realtime("nobody".parse::<skapi_rtc::UserId>().unwrap(), "x"))
            .await;
    assert!(matches!(offline, Err(PostError::Request(_))), "{offline:?}");
    let large = "x".repeat(200 * 1024);
    let too_large = soon("refusal", alice.post_realtime(alice.user_id().unwrap(), &large)).await;
    assert!(
        matches!(too_large, Err(PostError::Command(CommandError::TooLarge { .. }))),
        "{too_large:?}"
    );
}

#[tokio::test]
async fn a_bad_token_and_a_missing_service_are_told_apart() {
    let service = Service::start().await;
    let connect =
        |token: String| connect_realtime(ConnectOptions::new(&service.url(), token).unwrap());
    let wrong = soon("refusal", connect("wrong".to_owned())).await.unwrap_err();
    assert!(matches!(wrong, ConnectError::Open(OpenError::Unauthorized { .. })), "{wrong:?}");
    assert!(!wrong.is_retryable());

    let url = service.url();
    service.server.shutdown().await;
    let options = ConnectOptions::new(&url, "any".to_owned()).unwrap();
    let missing = soon("refusal", connect_realtime(options)).await.unwrap_err();
    assert!(matches!(missing, ConnectError::Open(OpenError::Failed { .. })), "{missing:?}");
    assert!(missing.to_string().contains(url.trim_start_matches("http://")), "{missing}");
}

#[tokio::test]
async fn a_service_that_is_back_finds_a_patient_client() {
    let service = Service::start().await;
    let options = service.options("alice").retry_first(true);
    let restarting = service.restart_after(Duration::from_millis(300));
    // The first attempts find nothing.
    let (service, connected) = soon("the connection", async {
        tokio::join!(restarting, async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            connect_realtime(options).await
        })
    })
    .await;
    connected.unwrap();
    service.server.shutdown().await;
}

#[tokio::test]
async fn closing_ends_the_events_and_every_further_wish() {
    let service = Service::start().await;
    let (alice, mut events) = service.member("alice", "lobby").await;
    soon("closing", alice.close_realtime()).await;
    let reason = next("the last event", &mut events, |event| match event {
        RealtimeEvent::Closed(reason) => Some(reason),
        _ => None,
    })
    .await;
    assert_eq!(reason, CloseReason::Closed);
    assert!(soon("the end", events.next()).await.is_none());
    let late = soon("refusal", alice.join_realtime("x".parse().unwrap())).await;
    assert_eq!(late, Err(PostError::Command(CommandError::Closed)));
    assert_eq!(alice.cid(), None);
}

#[tokio::test]
async fn dropping_the_last_handle_closes_the_session() {
    let service = Service::start().await;
    let (_watcher, mut watcher_events) = service.member("watcher", "lobby").await;
    let (alice, events) = service.member("alice", "lobby").await;
    let cid = alice.cid().unwrap();
    drop(alice);
    drop(events);
    next("alice's disconnect", &mut watcher_events, |event| match event {
        RealtimeEvent::Notice(notice) if notice.code == NoticeCode::UserDisconnected => {
            assert_eq!(notice.from, cid);
            Some(())
        }
        _ => None,
    })
    .await;
}
