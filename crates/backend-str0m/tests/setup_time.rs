//! Set-up must not fall back to the engine's pace, which sends one connectivity check every 50 ms.

use std::{sync::Arc, time::Duration};

use skapi_rtc_backend::{Backend, conformance::Rig};
use skapi_rtc_backend_str0m::Str0mBackend;

const ROUNDS: usize = 9;
/// A single lost wake-up costs as much; a busy machine takes a part of it.
const BOUND: Duration = Duration::from_millis(50);

fn rig() -> Rig {
    let engine: Arc<dyn Backend> = Arc::new(Str0mBackend::default());
    Rig::new(engine.clone(), engine)
}

/// The best of all, because a machine may be busy and a wait that is built in is in all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_channel_opens_quickly() {
    let times = rig().set_up_times(ROUNDS).await.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(times[0] < BOUND, "from offer to open channel: {times:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn later_channels_open_quickly_too() {
    let times = rig().channel_times(ROUNDS).await.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(times[0] < BOUND, "from creation to open channel: {times:?}");
}
