//! The suite of the backend traits, this engine against itself.

use std::sync::Arc;

use example_custom_backend::Loopback;
use skapi_rtc_backend::{Backend, conformance_tests};

fn engine() -> Arc<dyn Backend> {
    Arc::new(Loopback)
}

conformance_tests!(
    engine,
    engine,
    not_applicable: ["negotiation::the_round_trip_is_measured", "media::*"]
);
