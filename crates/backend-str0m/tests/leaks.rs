//! What is left in the process, looked at in one of its own.

use std::sync::Arc;

use skapi_rtc_backend::{Backend, conformance_test_alone};
use skapi_rtc_backend_str0m::Str0mBackend;

fn engine() -> Arc<dyn Backend> {
    Arc::new(Str0mBackend::default())
}

conformance_test_alone!(engine, engine, leaks::no_file_descriptor_is_left);
