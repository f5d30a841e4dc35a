//! A TURN client over UDP (RFC 8656), without I/O: time is an argument, datagrams go in and come out.
//!
//! [`Client`] is one allocation. `message.rs` is the wire, `access.rs` who we are to the server, `requests.rs` what waits
//! for an answer, `peers.rs` whom the server lets through, `client.rs` how all of that becomes an allocation that stays.
//! The engine reads STUN; what it cannot do is write a request with all that TURN needs.
//!
//! There are clients without I/O to take instead, which lose allocations: `rtc-turn` 0.21.1 leaves a refresh that was
//! refused as stale until the next one is due and takes answers that nobody signed, `turn-client-proto` 0.7.3 does not
//! refresh what was granted for less than 10 minutes.

mod access;
mod client;
mod message;
mod peers;
mod requests;
#[cfg(test)]
mod tests;

pub(crate) use client::{Client, News};
