//! The skapi-rtc program: serve, token, listen, call, demo.
fn main() {}
