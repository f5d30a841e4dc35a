//! Frames from the service; what has to hold is in `src/lib.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| skapi_rtc_fuzz::decode_server(bytes));
