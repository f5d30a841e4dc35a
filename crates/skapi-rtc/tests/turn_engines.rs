//! Two engines by way of a TURN server alone: each has a TURN client of its own.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

use std::{net::IpAddr, sync::Arc};

use skapi_rtc::{Backend, IceServer, Str0mBackend, WebRtcBackend};
use skapi_rtc_backend::{
    PeerConfig, TransportPolicy,
    conformance::{Outcome, Rig, checks},
};
use skapi_rtc_testkit::turn::{TurnOptions, TurnServer};

const CHECKS: [&str; 5] = [
    "negotiation::the_side_that_offers_connects",
    "negotiation::the_selected_pair_is_told",
    "messages::arrive_in_order",
    "messages::go_both_ways_at_once",
    "closing::a_channel_closes_on_both_sides_once",
];

/// Where the server is.
fn loopback() -> Vec<IpAddr> {
    vec![[127, 0, 0, 1].into()]
}

fn webrtc() -> Arc<dyn Backend> {
    let config = skapi_rtc_backend_webrtc::Config::default().addresses(loopback());
    Arc::new(WebRtcBackend::new(config).unwrap())
}

fn str0m() -> Arc<dyn Backend> {
    let config = skapi_rtc_backend_str0m::Config::default().addresses(loopback());
    Arc::new(Str0mBackend::new(config).unwrap())
}

async fn pass_relayed(left: Arc<dyn Backend>, right: Arc<dyn Backend>) {
    let options = TurnOptions::default();
    let (username, credential) = (Some(options.username.clone()), Some(options.password.clone()));
    let server = TurnServer::start(options).unwrap();
    let config = PeerConfig::default()
        .ice_servers(vec![IceServer { urls: vec![server.url()], username, credential }])
        .transport_policy(TransportPolicy::Relay);
    let rig = Rig::new(left, right).config(config);
    for name in CHECKS {
        let check = checks().into_iter().find(|check| check.name == name).unwrap();
        assert_eq!(check.run(&rig).await, Outcome::Passed, "{name}");
    }
    assert!(server.relayed().channels > 100, "{:?}", server.relayed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn str0m_calls_webrtc() {
    pass_relayed(str0m(), webrtc()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webrtc_calls_str0m() {
    pass_relayed(webrtc(), str0m()).await;
}
