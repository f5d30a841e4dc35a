//! Set-up must not fall back to the engine's defaults, which take 800 ms on one machine: each of the
//! waits that we remove is 200 ms or more, so a generous bound tells.

use std::{sync::Arc, time::Duration};

use skapi_rtc_backend::{Backend, conformance::Rig};
use skapi_rtc_backend_webrtc::WebRtcBackend;

const ROUNDS: usize = 5;
const BOUND: Duration = Duration::from_millis(500);

fn rig() -> Rig {
    let engine: Arc<dyn Backend> = Arc::new(WebRtcBackend::default());
    Rig::new(engine.clone(), engine)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_channel_opens_quickly() {
    let times = rig().set_up_times(ROUNDS).await.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(times[ROUNDS / 2] < BOUND, "from offer to open channel: {times:?}");
}

/// The engine's driver is hurried only until the first channel is open; the others must not need it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn later_channels_open_quickly_too() {
    let times = rig().channel_times(ROUNDS).await.unwrap_or_else(|failure| panic!("{failure}"));
    // A lost wake-up costs at least the keepalive interval here.
    assert!(times[ROUNDS / 2] < BOUND / 4, "from creation to open channel: {times:?}");
}
