//! Helpers for the tests of skapi-rtc: virtual time, and in it a service, a network and engines.
//!
//! Everything in here is decided by one seed, so a run that went wrong can be repeated to the letter.

#[cfg(feature = "hub")]
pub mod model;
mod schedule;
pub mod sim;

pub use schedule::Schedule;
