//! Two engines by way of a TURN server alone: each has a TURN client of its own.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

use std::{net::IpAddr, sync::Arc, time::Duration};

use skapi_rtc::{Backend, IceServer, Str0mBackend, WebRtcBackend};
use skapi_rtc_backend::{
    ChannelInit, OfferOptions, PeerConfig, PeerEvent, TransportPolicy,
    conformance::{Outcome, Rig, checks},
};
use skapi_rtc_testkit::turn::{TurnFront, TurnOptions, TurnServer};

/// Generous: an engine gives a silent server up after a while, and the machine may be busy.
const SOON: Duration = Duration::from_secs(60);

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

/// How the engines reach the server.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Over {
    Udp,
    Tcp,
    Tls,
}

/// An engine that trusts these authorities.
type Engine = fn(Vec<Vec<u8>>) -> Arc<dyn Backend>;

fn webrtc(roots: Vec<Vec<u8>>) -> Arc<dyn Backend> {
    let config = skapi_rtc::webrtc::Config::default().addresses(loopback()).tls_roots(roots);
    Arc::new(WebRtcBackend::new(config).unwrap())
}

fn str0m(roots: Vec<Vec<u8>>) -> Arc<dyn Backend> {
    let config = skapi_rtc::str0m::Config::default().addresses(loopback()).tls_roots(roots);
    Arc::new(Str0mBackend::new(config).unwrap())
}

fn relayed(url: String) -> PeerConfig {
    let TurnOptions { username, password, .. } = TurnOptions::default();
    let (username, credential) = (Some(username), Some(password));
    PeerConfig::default()
        .ice_servers(vec![IceServer { urls: vec![url], username, credential }])
        .transport_policy(TransportPolicy::Relay)
}

async fn pass_relayed(left: Engine, right: Engine, over: Over) {
    let server = TurnServer::start(TurnOptions::default()).unwrap();
    let front = match over {
        Over::Udp => None,
        Over::Tcp => Some(TurnFront::tcp(server.address()).unwrap()),
        Over::Tls => Some(TurnFront::tls(server.address()).unwrap()),
    };
    let roots: Vec<_> = front.as_ref().and_then(TurnFront::root).into_iter().collect();
    let url = front.as_ref().map_or(server.url(), TurnFront::url);
    let rig = Rig::new(left(roots.clone()), right(roots)).config(relayed(url));
    for name in CHECKS {
        let check = checks().into_iter().find(|check| check.name == name).unwrap();
        assert_eq!(check.run(&rig).await, Outcome::Passed, "{name}");
    }
    assert!(server.relayed().channels > 100, "{:?}", server.relayed());
    if let Some(front) = front {
        assert!(front.streams() >= 2 * CHECKS.len(), "{over:?}: {} streams", front.streams());
    }
}

macro_rules! calls {
    ($($name:ident: $left:ident calls $right:ident over $over:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            pass_relayed($left, $right, Over::$over).await;
        }
    )*};
}

calls! {
    str0m_calls_webrtc: str0m calls webrtc over Udp;
    webrtc_calls_str0m: webrtc calls str0m over Udp;
    webrtc_over_udp: webrtc calls webrtc over Udp;
    webrtc_over_tcp: webrtc calls webrtc over Tcp;
    webrtc_over_tls: webrtc calls webrtc over Tls;
    str0m_over_tcp: str0m calls str0m over Tcp;
    str0m_over_tls: str0m calls str0m over Tls;
    str0m_calls_webrtc_over_tls: str0m calls webrtc over Tls;
}

/// The candidates of an engine up to the end.
async fn candidates(engine: Arc<dyn Backend>, config: PeerConfig) -> Vec<String> {
    let mut handle = engine.create_peer(config).await.unwrap();
    handle.peer.create_channel("x", ChannelInit::default()).await.unwrap();
    handle.peer.make_offer(OfferOptions::default()).await.unwrap();
    let gathered = async {
        let mut found = Vec::new();
        loop {
            match handle.events.recv().await.unwrap() {
                PeerEvent::Candidate(candidate) if candidate.is_end_of_candidates() => {
                    return found;
                }
                PeerEvent::Candidate(candidate) => found.push(candidate.candidate),
                _ => {}
            }
        }
    };
    let found = tokio::time::timeout(SOON, gathered).await.unwrap();
    handle.peer.close().await;
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_trusted_relays_nothing() {
    for engine in [webrtc, str0m] as [Engine; 2] {
        let server = TurnServer::start(TurnOptions::default()).unwrap();
        let front = TurnFront::tls(server.address()).unwrap();
        let found = candidates(engine(Vec::new()), relayed(front.url())).await;
        assert_eq!(found, Vec::<String>::new());
        assert_eq!((front.streams(), server.events().len()), (0, 0));

        let trusting = engine(front.root().into_iter().collect());
        let found = candidates(trusting, relayed(front.url())).await;
        assert!(matches!(&found[..], [one] if one.contains(" typ relay")), "{found:?}");
    }
}
