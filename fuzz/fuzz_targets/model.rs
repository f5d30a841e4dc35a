//! The model test: every sequence of bytes is a script, and no script breaks a rule.
#![no_main]

use skapi_rtc_testkit::model::{Script, check};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(failure) = check(&Script::from_bytes(bytes)) {
        panic!("{failure}");
    }
});
