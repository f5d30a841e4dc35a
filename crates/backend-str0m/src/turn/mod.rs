//! A TURN client over UDP (RFC 8656), without I/O: time is an argument, datagrams go in and come out.
//!
//! [`Client`] is one allocation. `message.rs` is the wire, `access.rs` who we are to the server, `requests.rs` what waits
//! for an answer, `peers.rs` whom the server lets through, `client.rs` how all of that becomes an allocation that stays.
//! The engine reads STUN; what it cannot do is write a request with all that TURN needs.

mod access;
mod client;
mod message;
mod peers;
mod requests;
#[cfg(test)]
mod tests;

pub(crate) use client::{Client, News};
