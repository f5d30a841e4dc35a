//! Clients that send too much, read too little, or send nonsense: it is their problem alone.

mod support;

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use skapi_rtc_protocol::{ErrorCode, NoticeCode, ServerFrame};
use skapi_rtc_server::{CloseReason, Config};
use support::{Client, TestServer, broadcast, refusal, rtc, within};
use tokio_tungstenite::tungstenite::Message;

fn said(reason: CloseReason) -> (u16, String) {
    (reason.code(), reason.text().to_owned())
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected_and_nobody_waits_for_it() {
    // A queue small enough that the socket buffers of the system fill before the test gets long.
    let config = Config::default().max_queued_frames(64).frame_rate(1_000_000, 1e6);
    let server = TestServer::with(config).await;
    let mut alice = server.member("alice", "G").await;
    let mut bob = server.member("bob", "G").await;
    alice.expect_notice(NoticeCode::UserJoined, &bob.cid()).await;
    let mut sleeper = server.member("sleeper", "G").await;
    for client in [&mut alice, &mut bob] {
        client.expect_notice(NoticeCode::UserJoined, &sleeper.cid()).await;
    }

    let post = broadcast("G", &"x".repeat(100_000));
    let mut sent = 0;
    'posting: loop {
        assert!(sent < 2000, "the sleeper is never disconnected");
        sent += 1;
        alice.send(&post).await;
        // Each post reaches the others at once, however much waits for the sleeper.
        for client in [&mut alice, &mut bob] {
            match client.next("the post, or news of the sleeper").await {
                ServerFrame::Message { .. } => {}
                ServerFrame::Notice(notice) => {
                    assert_eq!(notice.code, NoticeCode::UserDisconnected);
                    assert_eq!(notice.from, sleeper.cid());
                    break 'posting;
                }
                other => panic!("got {other:?}"),
            }
        }
    }
    assert_eq!(server.server.metrics().slow_consumers_total, 1);
    // When it wakes up in time, it learns why.
    assert_eq!(sleeper.closed().await, said(CloseReason::SlowConsumer));
    bob.send(&rtc(sleeper.cid(), "hello?", Some(1))).await;
    loop {
        match bob.next("an error").await {
            ServerFrame::Error { code, .. } => {
                assert_eq!(code, Some(ErrorCode::UnknownConnection));
                break;
            }
            ServerFrame::Message { .. } | ServerFrame::Notice(_) => {}
            other => panic!("got {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_client_that_writes_a_lot_before_it_reads_is_served() {
    let server = TestServer::start().await;
    let mut alice = server.member("alice", "G").await;
    let content = "x".repeat(60_000);
    for _ in 0..30 {
        alice.send(&broadcast("G", &content)).await;
    }
    for _ in 0..30 {
        let frame = alice.next("a post of one's own").await;
        assert!(matches!(frame, ServerFrame::Message { .. }));
    }
}

#[tokio::test]
async fn a_frame_that_is_too_large_is_refused_and_the_connection_lives() {
    let server = TestServer::start().await;
    let mut alice = server.client("alice").await;
    let mut large = r#"{"action":"keepAlive","ref":9,"x":""#.to_owned();
    large.push_str(&"x".repeat(200 * 1024));
    large.push_str("\"}");
    alice.send_text(large).await;
    let (text, reference) = alice.expect_error(ErrorCode::TooLarge).await;
    assert!(text.contains("131072"), "{text}");
    assert_eq!(reference, Some(9));
    alice.expect_nothing().await;
}

#[tokio::test]
async fn the_largest_frame_fits_even_when_every_character_is_escaped() {
    let server = TestServer::start().await;
    let mut alice = server.member("alice", "G").await;
    let content = "%".repeat(128 * 1024 - 200);
    alice.send(&broadcast("G", &content)).await;
    let text = alice.next_text("the post").await;
    assert!(text.len() > 6 * content.len());
    alice.expect_nothing().await;
}

#[tokio::test]
async fn a_message_far_above_the_limit_closes_the_connection() {
    let server = TestServer::start().await;
    let mut alice = server.client("alice").await;
    // The server may close before it has been read to the end.
    let _ = alice.socket.send(Message::text("x".repeat(2 * 1024 * 1024))).await;
    assert_eq!(alice.closed().await, said(CloseReason::TooBig));
}

#[tokio::test]
async fn frames_that_cannot_be_read_are_answered_with_what_is_wrong() {
    let server = TestServer::start().await;
    let mut alice = server.client("alice").await;
    for (frame, words, reference) in [
        ("", "JSON", None),
        ("{", "JSON", None),
        ("[1]", "object", None),
        (r#"{"rid":"G"}"#, "`action`", None),
        (r#"{"action":"broadcast","rid":"G","ref":4}"#, "`content`", Some(4)),
        (r#"{"action":"joinRoom","rid":7}"#, "`rid`", None),
        (r#"{"action":"rtc","uid":"cid:<b>","content":1}"#, "`uid`", None),
        (r#"{"action":"joinRoom","rid":"G","ref":-1}"#, "`ref`", None),
    ] {
        alice.send_text(frame.to_owned()).await;
        let (text, answered) = alice.expect_error(ErrorCode::BadFrame).await;
        assert!(text.contains(words), "{frame}: {text}");
        assert_eq!(answered, reference, "{frame}");
    }
    let quoted = format!(r#"{{"action":"joinRoom","ref":"{}"}}"#, "x".repeat(50_000));
    alice.send_text(quoted).await;
    let (text, _) = alice.expect_error(ErrorCode::BadFrame).await;
    assert!(text.len() < 1000, "an error must not be as long as what it is about");

    alice.send_text(r#"{"action":"dance","ref":3}"#.into()).await;
    let (_, reference) = alice.expect_error(ErrorCode::UnknownAction).await;
    assert_eq!(reference, Some(3));
    let binary = alice.socket.send(Message::binary(vec![0, 1, 2]));
    within("a binary message to be sent", binary).await.unwrap();
    alice.expect_error(ErrorCode::BadFrame).await;
    alice.expect_nothing().await;
}

#[tokio::test]
async fn who_sends_too_fast_is_told_once_and_served_again_later() {
    let config = Config::default().frame_rate(20, 20.0);
    let server = TestServer::with(config).await;
    let mut alice = server.client("alice").await;
    let mut bob = server.client("bob").await;
    for _ in 0..60 {
        alice.send(&rtc(bob.cid(), "hello", None)).await;
    }
    alice.expect_error(ErrorCode::TooFast).await;
    // A frame with a `ref` gets its answer in any case.
    alice.send(&rtc(bob.cid(), "hello?", Some(1))).await;
    let (_, reference) = alice.expect_error(ErrorCode::TooFast).await;
    assert_eq!(reference, Some(1));
    within("the bucket to fill again", async {
        for reference in 2.. {
            alice.send(&rtc(bob.cid(), "again", Some(reference))).await;
            if let ServerFrame::Done { .. } = alice.next("an answer").await {
                break;
            }
        }
    })
    .await;
    assert!(server.server.metrics().frames_dropped_total >= 30);
    let first = bob.next("a signal").await;
    assert!(matches!(first, ServerFrame::Rtc { .. }));
}

#[tokio::test]
async fn who_never_stops_sending_too_fast_is_disconnected() {
    let config = Config::default().frame_rate(1, 1.0);
    let server = TestServer::with(config).await;
    let alice = server.client("alice").await;
    let (mut sink, mut stream) = alice.socket.split();
    let flood = async {
        let frame = || Message::text(r#"{"action":"keepAlive"}"#);
        while sink.feed(frame()).await.is_ok() {}
        std::future::pending().await
    };
    let goodbye = async {
        loop {
            match stream.next().await {
                Some(Ok(Message::Close(Some(frame)))) => {
                    return (frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(_)) => {}
                other => panic!("expected a close frame, got {other:?}"),
            }
        }
    };
    let closed = async {
        tokio::select! { closed = goodbye => closed, closed = flood => closed }
    };
    assert_eq!(within("the close frame", closed).await, said(CloseReason::TooFast));
}

#[tokio::test]
async fn connections_are_limited_for_each_user_and_in_all() {
    let config = Config::default().max_connections(3).max_connections_per_user(2);
    let server = TestServer::with(config).await;
    let first = server.member("alice", "G").await;
    let _second = server.client("alice").await;
    assert_eq!(refusal(&server.url("alice")).await, (429, "TOO_MANY_CONNECTIONS".into()));
    let mut bob = server.member("bob", "G").await;
    assert_eq!(refusal(&server.url("carol")).await, (503, "SERVICE_FULL".into()));
    assert_eq!(server.server.metrics().refused_total, 2);
    let gone = first.cid();
    drop(first);
    bob.expect_notice(NoticeCode::UserDisconnected, &gone).await;
    server.client("carol").await;
}

#[tokio::test]
async fn a_silent_client_is_disconnected_and_one_that_answers_pings_is_not() {
    let config = Config::default()
        .ping_interval(Duration::from_millis(200))
        .silence_timeout(Duration::from_millis(1500));
    let server = TestServer::with(config).await;
    let mut watcher = server.member("watcher", "G").await;
    // It connects and then neither reads nor writes, so that it answers no ping.
    let silent = server.member("silent", "G").await;
    watcher.expect_notice(NoticeCode::UserJoined, &silent.cid()).await;
    watcher.expect_notice(NoticeCode::UserDisconnected, &silent.cid()).await;
    assert_eq!(server.server.metrics().silent_total, 1);
    assert_eq!(server.server.metrics().connections, 1);
    watcher.expect_nothing().await;
}

/// Frames that are wrong in every way: random text, random JSON, and real frames with random fields.
fn garbage() -> impl Strategy<Value = Message> {
    let action = prop_oneof![
        Just("keepAlive"),
        Just("joinRoom"),
        Just("broadcast"),
        Just("sendMessage"),
        Just("rtc"),
        Just("x"),
    ];
    let value = prop_oneof![
        Just("null".to_owned()),
        Just("\"G\"".to_owned()),
        Just("{\"a\":[1e999]}".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        ".{0,40}".prop_map(|text| serde_json::Value::from(text).to_string()),
        (0..2000_usize).prop_map(|depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth))),
    ];
    let frame = (action, value.clone(), value.clone(), value.clone(), value).prop_map(
        |(action, rid, uid, content, reference)| {
            Message::text(format!(
                r#"{{"action":"{action}","rid":{rid},"uid":{uid},"content":{content},"ref":{reference}}}"#
            ))
        },
    );
    prop_oneof![
        6 => frame,
        2 => ".{0,200}".prop_map(Message::text),
        1 => proptest::collection::vec(any::<u8>(), 0..200).prop_map(Message::binary),
        1 => proptest::collection::vec(any::<u8>(), 0..100).prop_map(|b| Message::Ping(b.into())),
    ]
}

#[tokio::test]
async fn ten_thousand_random_frames_harm_nobody_else() {
    // Without a limit on the rate, so that every frame is read.
    let config = Config::default().frame_rate(1_000_000, 1e6);
    let server = TestServer::with(config).await;
    let mut alice = server.member("alice", "calm").await;
    let mut bob = server.member("bob", "calm").await;
    alice.expect_notice(NoticeCode::UserJoined, &bob.cid()).await;

    let (mut sink, mut stream) = server.client("fuzzer").await.socket.split();
    let reading = tokio::spawn(async move { while let Some(Ok(_)) = stream.next().await {} });
    let mut runner = TestRunner::deterministic();
    let strategy = garbage();
    for n in 0..10_000 {
        let message = strategy.new_tree(&mut runner).unwrap().current();
        within("a random frame to be sent", sink.send(message)).await.unwrap();
        if n % 1000 == 0 {
            alice.send(&broadcast("calm", "still here")).await;
            for client in [&mut alice, &mut bob] {
                let frame = client.next("a post among the noise").await;
                assert!(matches!(frame, ServerFrame::Message { .. }), "{frame:?}");
            }
        }
    }
    sink.send(Message::Close(None)).await.unwrap();
    within("the goodbye", reading).await.unwrap();
    assert!(server.server.metrics().bad_frames_total > 1000);
    bob.expect_nothing().await;
    alice.expect_nothing().await;
}

#[tokio::test]
async fn bytes_that_are_not_websocket_end_that_connection_only() {
    use tokio::io::AsyncWriteExt as _;
    let server = TestServer::start().await;
    let mut alice = server.client("alice").await;
    let mut mallory: Client = server.client("mallory").await;
    let tokio_tungstenite::MaybeTlsStream::Plain(stream) = mallory.socket.get_mut() else {
        panic!("a plain connection")
    };
    stream.write_all(&[0xff; 64]).await.unwrap();
    assert_eq!(mallory.closed().await, said(CloseReason::Protocol));
    alice.expect_nothing().await;
}
