//! The suite of the backend traits over two engines: str0m makes the first offer, webrtc-rs answers.

use std::sync::Arc;

use skapi_rtc::{Backend, Str0mBackend, WebRtcBackend};
use skapi_rtc_backend::conformance_tests;

fn webrtc() -> Arc<dyn Backend> {
    Arc::new(WebRtcBackend::default())
}

fn str0m() -> Arc<dyn Backend> {
    Arc::new(Str0mBackend::default())
}

conformance_tests!(
    str0m,
    webrtc,
    not_applicable: [
        "channels::reliability_is_seen",
        "flow::a_flood_of_empty_messages_is_bounded",
    ]
);
