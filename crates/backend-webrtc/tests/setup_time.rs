//! Set-up must not fall back to the engine's defaults, which take 800 ms on one machine: each of the
//! waits that we remove is 200 ms or more, so a generous bound tells.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use skapi_rtc_backend::{
    Backend, ChannelEvent, ChannelInit, OfferOptions, PeerConfig, PeerConnection, PeerEvent,
    PeerEvents,
};
use skapi_rtc_backend_webrtc::WebRtcBackend;

const ROUNDS: usize = 5;
const BOUND: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_channel_opens_quickly() {
    let engine = WebRtcBackend::default();
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        times.push(first_channel(&engine).await);
    }
    times.sort_unstable();
    assert!(times[ROUNDS / 2] < BOUND, "from offer to open channel: {times:?}");
}

/// The engine's driver is hurried only until the first channel is open; the others must not need it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn later_channels_open_quickly_too() {
    let engine = WebRtcBackend::default();
    let (left, _right, _) = connect(&engine).await;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut channel = left.create_channel("late", ChannelInit::default()).await.unwrap();
        assert_eq!(channel.events.recv().await, Some(ChannelEvent::Open));
        times.push(start.elapsed());
    }
    times.sort_unstable();
    // A lost wake-up costs at least the keepalive interval here.
    assert!(times[ROUNDS / 2] < BOUND / 4, "from creation to open channel: {times:?}");
}

async fn first_channel(engine: &WebRtcBackend) -> Duration {
    let (left, right, time) = connect(engine).await;
    left.close().await;
    right.close().await;
    time
}

async fn connect(
    engine: &WebRtcBackend,
) -> (Arc<dyn PeerConnection>, Arc<dyn PeerConnection>, Duration) {
    let left = engine.create_peer(PeerConfig::default()).await.unwrap();
    let right = engine.create_peer(PeerConfig::default()).await.unwrap();
    let mut channel = left.peer.create_channel("first", ChannelInit::default()).await.unwrap();
    let start = Instant::now();
    let offer = left.peer.make_offer(OfferOptions::default()).await.unwrap();
    let answer = right.peer.accept_offer(offer).await.unwrap();
    left.peer.accept_answer(answer).await.unwrap();
    tokio::spawn(trickle(left.events, right.peer.clone()));
    tokio::spawn(trickle(right.events, left.peer.clone()));
    assert_eq!(channel.events.recv().await, Some(ChannelEvent::Open));
    (left.peer, right.peer, start.elapsed())
}

async fn trickle(mut events: PeerEvents, other: Arc<dyn PeerConnection>) {
    while let Some(event) = events.recv().await {
        if let PeerEvent::Candidate(candidate) = event {
            let _ = other.add_candidate(candidate).await;
        }
    }
}
