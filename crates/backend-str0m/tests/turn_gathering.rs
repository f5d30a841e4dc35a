//! Gathering with a TURN server: what candidates there are, and that it always ends.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

mod support;

use std::time::{Duration, Instant};

use skapi_rtc_backend::{Backend, BackendError, OfferOptions, PeerConfig, TransportPolicy};
use skapi_rtc_protocol::IceServer;
use skapi_rtc_testkit::turn::{TurnEvent, TurnMethod};
use support::{Side, account, engine, relayed, server, soon, with};

/// Up to its end.
async fn candidates(config: PeerConfig) -> Vec<String> {
    let mut side = Side::new(&engine(), config).await;
    side.peer.make_offer(OfferOptions::default()).await.unwrap();
    let found = side.gathered().await;
    side.peer.close().await;
    found
}

fn kinds(candidates: &[String]) -> Vec<&str> {
    let kind = |value: &'_ String| value.find("typ ").map(|at| at + 4);
    candidates
        .iter()
        .map(|value| value[kind(value).unwrap()..].split(' ').next().unwrap())
        .collect()
}

#[tokio::test]
async fn a_relayed_candidate_is_found_beside_others_and_alone() {
    let server = server();
    assert_eq!(kinds(&candidates(with(&server)).await), ["host", "relay"]);
    assert_eq!(kinds(&candidates(relayed(&server)).await), ["relay"]);
}

#[tokio::test]
async fn one_address_can_be_a_stun_and_a_turn_server() {
    let server = server();
    let stun = format!("stun:{}", server.address());
    let servers = vec![
        IceServer { urls: vec![stun], ..IceServer::default() },
        account(&server, "user", "secret"),
    ];
    let config = PeerConfig::default().ice_servers(servers);
    assert_eq!(kinds(&candidates(config).await), ["host", "relay"], "there is no NAT");
}

#[tokio::test]
async fn without_a_server_there_are_no_relayed_candidates_and_nothing_hangs() {
    let config = PeerConfig::default().transport_policy(TransportPolicy::Relay);
    assert_eq!(candidates(config).await, [""; 0]);
}

#[tokio::test]
async fn a_wrong_password_gives_no_relayed_candidate() {
    let server = server();
    for policy in [TransportPolicy::All, TransportPolicy::Relay] {
        let config = PeerConfig::default()
            .ice_servers(vec![account(&server, "user", "wrong")])
            .transport_policy(policy);
        assert!(!kinds(&candidates(config).await).contains(&"relay"));
    }
    let wrong = |event: &&TurnEvent| matches!(event, TurnEvent::WrongCredentials(..));
    assert_eq!(server.events().iter().filter(wrong).count(), 2, "{:?}", server.events());
    assert_eq!(server.allocations(), 0);
}

#[tokio::test]
async fn a_server_that_refuses_is_done_without() {
    for code in [486, 403, 508] {
        let server = server();
        server.refuse(TurnMethod::Allocate, Some(code));
        assert_eq!(kinds(&candidates(with(&server)).await), ["host"]);
    }
}

#[tokio::test]
async fn a_server_that_is_silent_is_given_up() {
    let server = server();
    server.set_silent(true);
    let start = Instant::now();
    assert_eq!(kinds(&candidates(with(&server)).await), ["host"]);
    assert!(start.elapsed() >= Duration::from_secs(3), "{:?}", start.elapsed());
    let events = server.events();
    assert_eq!(events.len(), 4, "{events:?}");
}

#[tokio::test]
async fn a_silent_server_does_not_hold_back_another() {
    let (silent, working) = (server(), server());
    silent.set_silent(true);
    let servers = [&silent, &working].map(|server| account(server, "user", "secret"));
    let config = PeerConfig::default().ice_servers(servers.to_vec());
    let mut side = Side::new(&engine(), config).await;
    side.peer.make_offer(OfferOptions::default()).await.unwrap();
    soon(
        "the working one",
        working.until(|events| events.iter().any(|event| matches!(event, TurnEvent::Allocated(_)))),
    )
    .await;
    assert_eq!(kinds(&side.gathered().await), ["host", "relay"]);
    side.peer.close().await;
}

#[tokio::test]
async fn a_nonce_that_is_stale_at_once_is_no_obstacle() {
    let server = server();
    let stale = |event: &TurnEvent| matches!(event, TurnEvent::StaleNonce(..));
    // The first request has none yet.
    server.expire_nonces_at(TurnMethod::Allocate);
    server.expire_nonces_at(TurnMethod::Allocate);
    assert_eq!(kinds(&candidates(relayed(&server)).await), ["relay"]);
    assert!(server.events().iter().any(stale), "{:?}", server.events());
}

#[tokio::test]
async fn what_does_not_answer_is_done_without_and_what_is_incomplete_refused() {
    let engine = engine();
    let server = |url: &str| IceServer {
        urls: vec![url.to_owned()],
        username: Some("user".to_owned()),
        credential: Some("secret".to_owned()),
    };
    let config = PeerConfig::default()
        .ice_servers(vec![server("turns:127.0.0.1"), server("turn:127.0.0.1?transport=tcp")]);
    assert_eq!(kinds(&candidates(config).await), ["host"]);
    let capabilities = engine.capabilities();
    assert!(capabilities.turn_udp && capabilities.turn_tcp && capabilities.turn_tls);

    let incomplete = IceServer { credential: None, ..server("turn:127.0.0.1") };
    let refused = engine.create_peer(PeerConfig::default().ice_servers(vec![incomplete])).await;
    assert!(matches!(refused, Err(BackendError::Config(_))), "{refused:?}");
}
