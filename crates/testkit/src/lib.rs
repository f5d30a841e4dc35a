//! Helpers for the tests of skapi-rtc: virtual time, and in it a service, a network and engines.
//!
//! Everything in those is decided by one seed, so a run that went wrong can be repeated to the letter. [`turn`] stands
//! apart: a real server on loopback, for tests of engines.

#[cfg(feature = "hub")]
pub mod model;
mod schedule;
pub mod sim;
#[cfg(feature = "turn")]
pub mod turn;

pub use schedule::Schedule;
