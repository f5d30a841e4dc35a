//! What is left in the process, looked at in one of its own.

use std::sync::Arc;

use example_custom_backend::Loopback;
use skapi_rtc_backend::{Backend, conformance_test_alone};

fn engine() -> Arc<dyn Backend> {
    Arc::new(Loopback)
}

conformance_test_alone!(engine, engine, leaks::no_file_descriptor_is_left);
