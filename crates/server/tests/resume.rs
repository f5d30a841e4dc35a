//! Clients whose socket is lost and who come back.

mod support;

use std::time::Duration;

use futures_util::SinkExt as _;
use skapi_rtc_protocol::{ClientFrame, NoticeCode, Resumed, ServerFrame};
use skapi_rtc_server::{
    CloseReason, Config, DevAuthenticator, JwtAuthenticator, ResumeKey, Server, TokenIssuer,
};
use support::{Client, TestServer, broadcast, rtc, within};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

/// A client that can be resumed, in the group.
async fn resumable(server: &TestServer, user: &str) -> Client {
    let mut client = Client::connect(&format!("{}&resume=", server.url(user))).await;
    client.join(Some("G")).await;
    client
}

/// Comes back with what the client was given, having received so many frames.
async fn back(server: &TestServer, user: &str, before: &Client, received: u64) -> Client {
    let secret = before.ready.resume.as_deref().expect("a secret");
    Client::connect(&format!("{}&resume={secret}&received={received}", server.url(user))).await
}

fn resumed(received: u64, complete: bool) -> Option<Resumed> {
    Some(Resumed { received, complete })
}

async fn expect_rtc(client: &mut Client, content: &str) {
    match client.next(content).await {
        ServerFrame::Rtc { content: got, .. } => assert_eq!(got.as_str(), format!("\"{content}\"")),
        other => panic!("expected {content}, got {other:?}"),
    }
}

/// Waits until the server knows that a socket is lost.
async fn parked(server: &TestServer, count: u64) {
    within("the loss to be noticed", async {
        while server.server.metrics().parked != count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_lost_socket_is_taken_up_on_another_and_nobody_notices() {
    let server = TestServer::start().await;
    let mut bob = server.member("bob", "G").await;
    let alice = resumable(&server, "alice").await; // has received one frame: the answer to its join
    bob.expect_notice(NoticeCode::UserJoined, &alice.cid()).await;
    bob.send(&rtc(alice.cid(), "on its way", None)).await;
    bob.expect_nothing().await;
    let Client { socket, ready, .. } = alice;
    drop(socket);
    parked(&server, 1).await;
    bob.send(&rtc(ready.cid.clone(), "meanwhile", Some(7))).await;
    assert_eq!(bob.next("the answer").await, ServerFrame::Done { reference: 7 });
    let body = r#"{"service":"s","owner":"o","group":"G"}"#;
    let (_, list) = server.post("/api/get-ws-group", "bob", body).await;
    assert_eq!(list["list"].as_array().unwrap().len(), 2, "{list}");

    let secret = ready.resume.clone().expect("a secret");
    let url = format!("{}&resume={secret}&received=1", server.url("alice"));
    let mut again = Client::connect(&url).await;
    assert_eq!(again.ready.resumed, resumed(1, true));
    assert_eq!(again.cid(), ready.cid);
    assert!(again.ready.resume.is_some());
    expect_rtc(&mut again, "on its way").await;
    expect_rtc(&mut again, "meanwhile").await;
    again.expect_nothing().await;
    again.send(&broadcast("G", "here I am")).await;
    assert!(matches!(bob.next("the post").await, ServerFrame::Message { .. }));
    let metrics = server.server.metrics();
    assert_eq!((metrics.resumed_total, metrics.parked, metrics.connections), (1, 0, 2));
}

#[tokio::test]
async fn what_the_client_says_it_has_is_forgotten() {
    let server = TestServer::start().await;
    let mut bob = server.client("bob").await;
    let mut alice = resumable(&server, "alice").await;
    for content in ["2", "3"] {
        bob.send(&rtc(alice.cid(), content, None)).await;
        expect_rtc(&mut alice, content).await;
    }
    let received = Some(2);
    alice.send(&ClientFrame::KeepAlive { received }).await;
    alice.expect_nothing().await; // the fourth frame; it shows that the one before was read
    let mut again = back(&server, "alice", &alice, 2).await;
    assert_eq!(again.ready.resumed, resumed(2, true), "a join and the question of expect_nothing");
    expect_rtc(&mut again, "3").await;
    let lossy = back(&server, "alice", &again, 1).await;
    assert_eq!(lossy.ready.resumed, resumed(0, false), "the second is forgotten");
    assert_eq!(lossy.cid(), alice.cid());
}

#[tokio::test]
async fn the_newest_socket_has_the_connection() {
    let server = TestServer::start().await;
    let mut bob = server.member("bob", "G").await;
    let mut old = resumable(&server, "alice").await;
    bob.expect_notice(NoticeCode::UserJoined, &old.cid()).await;
    let mut new = back(&server, "alice", &old, 1).await;
    assert_eq!(new.ready.resumed, resumed(1, true));
    let said = (CloseReason::TakenOver.code(), CloseReason::TakenOver.text().to_owned());
    assert_eq!(old.closed().await, said);
    bob.send(&rtc(new.cid(), "for the new one", None)).await;
    expect_rtc(&mut new, "for the new one").await;
    bob.expect_nothing().await;
}

#[tokio::test]
async fn a_goodbye_ends_at_once_and_any_other_end_does_not() {
    let server = TestServer::start().await;
    let mut bob = server.member("bob", "G").await;
    let close = |code: u16| {
        let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
        Message::Close(Some(frame))
    };
    for goodbye in [Message::Close(None), close(1000), close(1001)] {
        let mut alice = resumable(&server, "alice").await;
        bob.expect_notice(NoticeCode::UserJoined, &alice.cid()).await;
        alice.socket.send(goodbye).await.unwrap();
        bob.expect_notice(NoticeCode::UserDisconnected, &alice.cid()).await;
    }
    let mut alice = resumable(&server, "alice").await;
    bob.expect_notice(NoticeCode::UserJoined, &alice.cid()).await;
    alice.socket.send(close(4000)).await.unwrap();
    parked(&server, 1).await;
    bob.expect_nothing().await;
    assert_eq!(back(&server, "alice", &alice, 1).await.ready.resumed, resumed(1, true));
}

#[tokio::test]
async fn the_group_is_told_when_the_window_is_over() {
    let config = Config::default().resume_window(Duration::from_millis(200));
    let server = TestServer::with(config).await;
    let mut bob = server.member("bob", "G").await;
    let alice = resumable(&server, "alice").await;
    bob.expect_notice(NoticeCode::UserJoined, &alice.cid()).await;
    let Client { socket, ready, .. } = alice;
    drop(socket);
    bob.expect_notice(NoticeCode::UserDisconnected, &ready.cid).await;
    let secret = ready.resume.expect("a secret");
    let late = Client::connect(&format!("{}&resume={secret}", server.url("alice"))).await;
    assert_eq!((late.cid(), late.ready.resumed), (ready.cid, resumed(0, false)));
}

#[tokio::test]
async fn what_does_not_fit_ends_the_window() {
    let config = Config::default().resume_frames(2);
    let server = TestServer::with(config).await;
    let mut bob = server.member("bob", "G").await;
    let alice = resumable(&server, "alice").await;
    bob.expect_notice(NoticeCode::UserJoined, &alice.cid()).await;
    let cid = alice.cid();
    drop(alice.socket);
    parked(&server, 1).await;
    for _ in 0..3 {
        bob.send(&rtc(cid.clone(), "x", None)).await;
    }
    bob.expect_notice(NoticeCode::UserDisconnected, &cid).await;
}

#[tokio::test]
async fn who_does_not_say_that_it_can_come_back_is_treated_as_ever() {
    let server = TestServer::start().await;
    let mut bob = server.member("bob", "G").await;
    let alice = server.member("alice", "G").await;
    bob.expect_notice(NoticeCode::UserJoined, &alice.cid()).await;
    assert_eq!((&alice.ready.resume, alice.ready.resumed), (&None, None));
    let cid = alice.cid();
    drop(alice);
    bob.expect_notice(NoticeCode::UserDisconnected, &cid).await;

    let config = Config::default().resume_window(Duration::ZERO);
    let server = TestServer::with(config).await;
    let alice = resumable(&server, "alice").await;
    assert_eq!(alice.ready.resume, None, "this service does not offer it");
}

#[tokio::test]
async fn a_secret_that_is_not_ones_own_is_no_secret() {
    let server = TestServer::start().await;
    let alice = resumable(&server, "alice").await;
    let stolen = back(&server, "bob", &alice, 0).await;
    assert_ne!(stolen.cid(), alice.cid());
    assert_eq!(stolen.ready.resumed, None);
    assert!(stolen.ready.resume.is_some(), "it can be resumed itself");
    for wrong in ["nonsense", "a.b.c", "%00"] {
        let url = format!("{}&resume={wrong}&received=many", server.url("alice"));
        assert_eq!(Client::connect(&url).await.ready.resumed, None);
    }
}

#[tokio::test]
async fn the_same_key_honours_the_secret_after_a_restart_and_at_another_node() {
    let secret = b"a secret of thirty-two bytes, ok";
    let dev = || DevAuthenticator::with_secret(secret).unwrap();
    let start = async |server: skapi_rtc_server::ServerBuilder, dev| TestServer {
        server: server.start().await.unwrap(),
        dev,
    };
    let first = start(Server::builder().dev(dev()), dev()).await;
    let alice = resumable(&first, "alice").await;
    within("the shutdown", first.server.shutdown()).await;
    let second = start(Server::builder().dev(dev()), dev()).await;
    let again = back(&second, "alice", &alice, 17).await;
    assert_eq!((again.cid(), again.ready.resumed), (alice.cid(), resumed(0, false)));
    let now = back(&second, "alice", &again, 0).await;
    assert_eq!(now.ready.resumed, resumed(0, true), "of a life of its own");

    let jwt = JwtAuthenticator::hs256(secret).unwrap();
    let key = ResumeKey::from_secret(secret).unwrap();
    let third = Server::builder().authenticator(jwt).resume_key(key).start().await.unwrap();
    let user = "alice".parse().unwrap();
    let token = TokenIssuer::hs256(secret).unwrap().issue(&user, Duration::from_secs(60));
    let secret = alice.ready.resume.as_deref().unwrap();
    let url = format!("ws://{}/ws?token={token}&resume={secret}", third.local_addr());
    assert_eq!(Client::connect(&url).await.cid(), alice.cid());
}
