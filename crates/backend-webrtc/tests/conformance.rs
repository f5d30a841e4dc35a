//! The suite of the backend traits, this engine against itself.

use std::sync::Arc;

use skapi_rtc_backend::{Backend, conformance_tests};
use skapi_rtc_backend_webrtc::WebRtcBackend;

fn engine() -> Arc<dyn Backend> {
    Arc::new(WebRtcBackend::default())
}

conformance_tests!(engine, engine, not_applicable: ["channels::reliability_is_seen"]);
