//! Randomness from the operating system: connection ids and the secret of the dev mode.

use std::fmt::Write as _;

use skapi_rtc_protocol::ConnectionId;

/// Random bytes, fit for secrets.
///
/// # Panics
/// When the operating system has no randomness to give, which it says at start if ever.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// A new connection id: 128 random bits in hexadecimal. Nobody can guess it, and it can stand
/// unescaped in HTML, in a URL and on a command line.
pub(crate) fn connection_id() -> ConnectionId {
    let mut text = String::with_capacity(32);
    for byte in bytes::<16>() {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    ConnectionId::new(text).expect("hexadecimal digits are allowed in a connection id")
}
