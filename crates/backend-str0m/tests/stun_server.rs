//! Gathering with a STUN server, one of our own that reports an address behind a NAT.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

use std::{net::SocketAddr, time::Duration};

use skapi_rtc_backend::{Backend, OfferOptions, PeerConfig, PeerEvent, PeerEvents};
use skapi_rtc_backend_str0m::{Config, Str0mBackend};
use skapi_rtc_protocol::IceServer;
use tokio::net::UdpSocket;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_address_that_a_server_sees_becomes_a_candidate() {
    for config in [Config::default(), Config::default().shared_port(0)] {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let url = format!("stun:{}", server.local_addr().unwrap());
        tokio::spawn(answer_after(server, 1));
        let candidates = gathered(config, &url).await;
        let reflexive: Vec<_> = candidates.iter().filter(|c| c.contains("typ srflx")).collect();
        assert_eq!(reflexive.len(), 1, "{candidates:?}");
        assert!(reflexive[0].contains(" 192.0.2.7 4321 "), "{reflexive:?}");
        assert_eq!(candidates.last().map(String::as_str), Some(""), "the end is told last");
    }
}

#[tokio::test]
async fn a_server_that_is_silent_is_given_up() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let url = format!("stun:{}", server.local_addr().unwrap());
    let candidates = gathered(Config::default(), &url).await;
    assert!(candidates.iter().all(|candidate| !candidate.contains("srflx")), "{candidates:?}");
}

/// Values of the candidates, up to the end.
async fn gathered(config: Config, url: &str) -> Vec<String> {
    let config = config.addresses(vec!["127.0.0.1".parse().unwrap()]);
    let engine = Str0mBackend::new(config).unwrap();
    let server = IceServer { urls: vec![url.to_owned()], ..IceServer::default() };
    let config = PeerConfig::default().ice_servers(vec![server]);
    let handle = engine.create_peer(config).await.unwrap();
    handle.peer.make_offer(OfferOptions::default()).await.unwrap();
    let candidates = tokio::time::timeout(SOON, until_the_end(handle.events)).await.unwrap();
    handle.peer.close().await;
    candidates
}

async fn until_the_end(mut events: PeerEvents) -> Vec<String> {
    let mut candidates = Vec::new();
    while let Some(event) = events.recv().await {
        if let PeerEvent::Candidate(candidate) = event {
            candidates.push(candidate.candidate);
            if candidates.last().is_some_and(String::is_empty) {
                break;
            }
        }
    }
    candidates
}

/// Lets some requests be lost, then says that they came from 192.0.2.7:4321 (RFC 8489 §14.2).
async fn answer_after(server: UdpSocket, lost: usize) {
    const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
    let mut request = [0; 1500];
    for count in 0.. {
        let (length, source): (usize, SocketAddr) = server.recv_from(&mut request).await.unwrap();
        assert_eq!((length, &request[..2]), (20, &[0, 1][..]), "a binding request");
        if count < lost {
            continue;
        }
        let mut answer = vec![1, 1, 0, 12];
        answer.extend_from_slice(&request[4..20]);
        answer.extend([0, 0x20, 0, 8, 0, 1]);
        answer.extend(4321_u16.to_be_bytes().iter().zip(COOKIE).map(|(byte, mask)| byte ^ mask));
        answer.extend([192, 0, 2, 7].iter().zip(COOKIE).map(|(byte, mask)| byte ^ mask));
        server.send_to(&answer, source).await.unwrap();
    }
}
