//! A peer that vanishes without a word, as when its process is killed: it is noticed in time.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

use std::{sync::Arc, time::Duration};

use skapi_rtc_backend::{Backend, conformance::Rig};
use skapi_rtc_backend_webrtc::{Config, WebRtcBackend};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_peer_is_first_disconnected_then_failed() {
    let config = Config::default()
        .keepalive(Duration::from_millis(200))
        .timeouts(Duration::from_secs(1), Duration::from_secs(1));
    let engine: Arc<dyn Backend> = Arc::new(WebRtcBackend::new(config).unwrap());
    let missed = Rig::new(engine.clone(), engine).time_to_miss_a_killed_peer().await;
    let missed = missed.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(missed < Duration::from_secs(5), "{missed:?}");
}
