//! The suite of the backend traits, this engine against itself.

use std::sync::Arc;

use skapi_rtc_backend::{Backend, conformance_tests};
use skapi_rtc_backend_str0m::Str0mBackend;

fn engine() -> Arc<dyn Backend> {
    Arc::new(Str0mBackend::default())
}

conformance_tests!(
    engine,
    engine,
    not_applicable: [
        "flow::a_flood_of_empty_messages_is_bounded",
    ]
);
