//! Groups, notices, posts and signals, over real sockets.

mod support;

use skapi_rtc_protocol::{ErrorCode, Json, NoticeCode, ServerFrame};
use support::{TestServer, broadcast, private, rtc};

#[tokio::test]
async fn the_group_hears_of_who_comes_switches_and_goes_but_not_of_oneself() {
    let server = TestServer::start().await;
    let mut alice = server.member("alice", "G").await;
    let mut bob = server.member("bob", "G").await;
    alice.expect_notice(NoticeCode::UserJoined, &bob.cid()).await;

    // Joining again, as clients do after a reconnect, is not news.
    bob.join(Some("G")).await;
    alice.expect_nothing().await;

    let mut carol = server.member("carol", "H").await;
    bob.join(Some("H")).await;
    alice.expect_notice(NoticeCode::UserLeft, &bob.cid()).await;
    carol.expect_notice(NoticeCode::UserJoined, &bob.cid()).await;

    bob.join(None).await;
    carol.expect_notice(NoticeCode::UserLeft, &bob.cid()).await;
    bob.expect_nothing().await;

    let gone = carol.cid();
    let mut dave = server.member("dave", "H").await;
    carol.expect_notice(NoticeCode::UserJoined, &dave.cid()).await;
    drop(carol);
    dave.expect_notice(NoticeCode::UserDisconnected, &gone).await;
    alice.expect_nothing().await;
    server.server.shutdown().await;
}

#[tokio::test]
async fn the_first_frame_tells_who_one_is() {
    let server = TestServer::start().await;
    let alice = server.client("alice").await;
    let ready = &alice.ready;
    assert_eq!(ready.user_id.as_str(), "alice");
    assert!(ready.cid.as_str().len() >= 24, "at least 96 bits: {:?}", ready.cid);
    assert_eq!(ready.limits.max_frame_bytes, 128 * 1024);
    assert!(ready.server.starts_with("skapi-rtc/"));
    assert_ne!(ready.cid, server.client("alice").await.ready.cid);
}

#[tokio::test]
async fn posts_reach_the_group_and_private_ones_every_connection_of_the_user() {
    let server = TestServer::start().await;
    let mut alice = server.member("alice", "G").await;
    let mut bob = server.member("bob", "G").await;
    let mut phone = server.client("bob").await;
    alice.expect_notice(NoticeCode::UserJoined, &bob.cid()).await;

    let content = "100% <ünï> \u{2028} 😀 \\u0025";
    alice.send(&broadcast("G", content)).await;
    for client in [&mut alice, &mut bob] {
        match client.next("the post").await {
            ServerFrame::Message { content: got, user, group, .. } => {
                assert_eq!(got, Json::from(content));
                assert_eq!((user.as_str(), group.as_str()), ("alice", "G"));
            }
            other => panic!("expected the post, got {other:?}"),
        }
    }
    bob.send(&private("bob", "note to self")).await;
    for client in [&mut bob, &mut phone] {
        let frame = client.next("the private post").await;
        assert!(matches!(frame, ServerFrame::Private { user, .. } if user.as_str() == "bob"));
    }
    alice.expect_nothing().await;
    phone.send(&broadcast("G", "hello?")).await;
    phone.expect_error(ErrorCode::NotInGroup).await;
}

#[tokio::test]
async fn the_text_of_a_frame_survives_what_the_browser_client_does_to_it() {
    let server = TestServer::start().await;
    let mut alice = server.member("alice", "100%").await;
    alice.send(&broadcast("100%", "50% %41 %zz")).await;
    let text = alice.next_text("the post").await;
    // `decodeURI` would alter or drop it.
    assert!(!text.contains('%'), "{text}");
}

#[tokio::test]
async fn the_signals_of_a_call_keep_their_order() {
    let server = TestServer::start().await;
    let mut alice = server.client("alice").await;
    let mut bob = server.client("bob").await;
    let mut carol = server.client("carol").await;
    // What a call starts with, and some more; within the limit on frames.
    for n in 0..60 {
        alice.send(&rtc(bob.cid(), &format!("a{n}"), None)).await;
        carol.send(&rtc(bob.cid(), &format!("c{n}"), None)).await;
    }
    let (mut from_alice, mut from_carol) = (0, 0);
    for _ in 0..120 {
        let ServerFrame::Rtc { content, user, from } = bob.next("a signal").await else {
            panic!("expected a signal");
        };
        let (letter, count, cid) = match user.as_str() {
            "alice" => ('a', &mut from_alice, alice.cid()),
            _ => ('c', &mut from_carol, carol.cid()),
        };
        assert_eq!(content, Json::from(format!("{letter}{count}").as_str()));
        assert_eq!(from, cid);
        *count += 1;
    }
    bob.send(&rtc(alice.cid(), "answer", Some(77))).await;
    assert_eq!(bob.next("done").await, ServerFrame::Done { reference: 77 });
    assert!(matches!(alice.next("the answer").await, ServerFrame::Rtc { .. }));
    carol.expect_nothing().await;
}

#[tokio::test]
async fn a_frame_to_who_is_not_there_is_silent_unless_it_asks() {
    let server = TestServer::start().await;
    let mut alice = server.client("alice").await;
    alice.send(&rtc(support::cid("dead"), "hungup", None)).await;
    alice.send(&private("nobody", "hello")).await;
    alice.expect_nothing().await;
    alice.send_text(r#"{"action":"sendMessage","uid":"nobody","content":1,"ref":5}"#.into()).await;
    let (_, reference) = alice.expect_error(ErrorCode::UserOffline).await;
    assert_eq!(reference, Some(5));
}

#[tokio::test]
async fn the_frames_of_the_browser_client_are_understood() {
    let server = TestServer::start().await;
    let mut alice = server.client("alice").await;
    let cid = alice.cid();
    for frame in [
        r#"{"action":"keepAlive"}"#.to_owned(),
        r#"{"action":"joinRoom","rid":"G","token":"T"}"#.to_owned(),
        r#"{"action":"broadcast","rid":"G","content":{"a":1},"notification":"","notificationConfig":{},"token":"IdT:s:o:t"}"#.to_owned(),
        r#"{"action":"sendMessage","uid":"alice","content":null,"notification":"","notificationConfig":{},"token":"IdT:s:o:t"}"#.to_owned(),
        format!(r#"{{"action":"rtc","uid":"{cid}","content":{{"hungup":"alice"}},"token":"T"}}"#),
        r#"{"action":"joinRoom","rid":null,"token":"T"}"#.to_owned(),
    ] {
        alice.send_text(frame).await;
    }
    assert!(matches!(alice.next("the post").await, ServerFrame::Message { .. }));
    assert!(matches!(alice.next("the private post").await, ServerFrame::Private { .. }));
    assert!(matches!(alice.next("the signal").await, ServerFrame::Rtc { .. }));
    alice.expect_nothing().await;
}
