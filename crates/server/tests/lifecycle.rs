//! Starting, refusing who may not come in, and stopping.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;
use skapi_rtc_protocol::{IceServer, UserId};
use skapi_rtc_server::{
    AuthError, Authenticator, CloseReason, Config, ConfigError, Identity, JwtAuthenticator, Server,
    StartError, TokenIssuer,
};
use support::{Client, TestServer, http, refusal, within};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_port_in_use_is_named() {
    let server = TestServer::start().await;
    let address = server.addr();
    let second = Server::builder().dev(server.dev.clone()).listen(address);
    let error = second.start().await.unwrap_err();
    assert!(matches!(error, StartError::AddressInUse(a) if a == address));
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    server.server.shutdown().await;
    let again = Server::builder().dev(server.dev).listen(address).start();
    again.await.expect("the port is free again").shutdown().await;
}

#[tokio::test]
async fn a_server_that_cannot_work_does_not_start() {
    let error = Server::builder().start().await.unwrap_err();
    assert!(matches!(error, StartError::NoAuthenticator));
    let config = Config::default().max_groups(0);
    let error = Server::builder().config(config).start().await.unwrap_err();
    assert!(matches!(error, StartError::Config(ConfigError::Zero("max_groups"))));
}

#[tokio::test]
async fn a_shutdown_says_goodbye_after_what_was_queued() {
    let server = TestServer::start().await;
    let address = server.addr();
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(server.client("alice").await);
    }
    let mut last = server.member("bob", "G").await;
    last.send(&support::broadcast("G", "one last thing")).await;
    last.expect_nothing_but_the_post().await;
    let reading = tokio::spawn(async move {
        for client in &mut clients {
            let (code, reason) = client.closed().await;
            assert_eq!(code, 1001);
            assert_eq!(reason, CloseReason::GoingAway.text());
        }
        assert_eq!(last.closed().await.0, 1001);
        // The close has to be answered, so read to the end.
        for client in clients.iter_mut().chain([&mut last]) {
            while let Some(Ok(_)) = client.socket.next().await {}
        }
    });
    within("the shutdown", server.server.shutdown()).await;
    within("the goodbyes", reading).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

impl Client {
    async fn expect_nothing_but_the_post(&mut self) {
        let frame = self.next("the post").await;
        assert!(matches!(frame, skapi_rtc_protocol::ServerFrame::Message { .. }));
    }
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_who_does_not_answer() {
    let config = Config::default().shutdown_grace(Duration::from_millis(300));
    let server = TestServer::with(config).await;
    let _mute = server.client("mute").await;
    let _half_a_request = TcpStream::connect(server.addr()).await.unwrap();
    let start = Instant::now();
    within("the shutdown", server.server.shutdown()).await;
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_dropped_server_cuts_its_clients_off() {
    let server = TestServer::start().await;
    let mut alice = server.client("alice").await;
    drop(server);
    within("the end of the connection", async {
        while let Some(Ok(_)) = alice.socket.next().await {}
    })
    .await;
}

#[tokio::test]
async fn who_has_no_good_token_does_not_come_in() {
    let secret = b"a secret of thirty-two bytes, ok";
    let issuer = TokenIssuer::hs256(secret).unwrap();
    let other = TokenIssuer::hs256(b"another secret").unwrap();
    let jwt = JwtAuthenticator::hs256(secret).unwrap().leeway(Duration::ZERO);
    let server = Server::builder().authenticator(jwt).start().await.unwrap();
    let url = |token: &str| format!("ws://{}/ws?token={token}", server.local_addr());
    let code = |code: &str| (401, code.to_owned());
    let alice = UserId::new("alice").unwrap();
    let hour = Duration::from_secs(3600);

    let address = server.local_addr();
    assert_eq!(refusal(&format!("ws://{address}/ws")).await, code("TOKEN_MISSING"));
    assert_eq!(refusal(&url("")).await, code("TOKEN_MISSING"));
    assert_eq!(refusal(&url("nonsense")).await, code("TOKEN_MALFORMED"));
    assert_eq!(refusal(&url(&other.issue(&alice, hour))).await, code("TOKEN_SIGNATURE"));
    assert_eq!(server.metrics().unauthorized_total, 4);
    Client::connect(&url(&issuer.issue(&alice, hour))).await;

    let expired = jsonwebtoken::encode(
        &jsonwebtoken::Header::default(),
        &serde_json::json!({ "sub": "alice", "exp": 1_000_000_000 }),
        &jsonwebtoken::EncodingKey::from_secret(secret),
    );
    assert_eq!(refusal(&url(&expired.unwrap())).await, code("TOKEN_EXPIRED"));
}

/// Takes every token until it is told that they have ended.
struct Ending(Arc<AtomicBool>);

#[async_trait::async_trait]
impl Authenticator for Ending {
    async fn authenticate(&self, _token: &str) -> Result<Identity, AuthError> {
        if self.0.load(Ordering::SeqCst) {
            return Err(AuthError::Expired);
        }
        Ok(Identity::new(UserId::new("alice").expect("a user id")))
    }
}

#[tokio::test]
async fn a_socket_outlives_its_token() {
    let ended = Arc::new(AtomicBool::new(false));
    let server = Server::builder().authenticator(Ending(ended.clone())).start().await.unwrap();
    let url = format!("ws://{}/ws?token=x", server.local_addr());
    let mut client = Client::connect(&url).await;
    ended.store(true, Ordering::SeqCst);
    assert_eq!(refusal(&url).await, (401, "TOKEN_EXPIRED".to_owned()));
    client.join(Some("G")).await;
    client.expect_nothing().await;
}

/// Takes the token for the user's id, as a service behind a gateway might.
struct Trusting;

#[async_trait::async_trait]
impl Authenticator for Trusting {
    async fn authenticate(&self, token: &str) -> Result<Identity, AuthError> {
        tokio::task::yield_now().await;
        if token == "down" {
            return Err(AuthError::Unavailable("the directory is down".to_owned()));
        }
        let user = UserId::new(token).map_err(AuthError::BadSubject)?;
        Ok(Identity::new(user))
    }
}

#[tokio::test]
async fn an_authenticator_of_ones_own_decides() {
    let server = Server::builder().authenticator(Trusting).start().await.unwrap();
    let url = |token: &str| format!("ws://{}/ws?token={token}", server.local_addr());
    let client = Client::connect(&url("carol")).await;
    assert_eq!(client.ready.user_id.as_str(), "carol");
    assert_eq!(refusal(&url("a%20b")).await, (401, "TOKEN_CLAIMS".to_owned()));
    assert_eq!(refusal(&url("down")).await, (503, "TOKEN_CHECK_UNAVAILABLE".to_owned()));
    // Without dev mode nobody hands out tokens.
    let answer = http(server.local_addr(), "POST", "/dev/token", "", r#"{"user":"a"}"#).await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn clients_are_told_the_ice_servers_and_limits_of_the_configuration() {
    let stun =
        IceServer { urls: vec!["stun:stun.example:3478".to_owned()], ..IceServer::default() };
    let config = Config::default().ice_servers(vec![stun.clone()]).max_frame_bytes(5000);
    let server = TestServer::with(config).await;
    let client = server.client("alice").await;
    assert_eq!(client.ready.ice_servers, [stun]);
    assert_eq!(client.ready.limits.max_frame_bytes, 5000);
}
