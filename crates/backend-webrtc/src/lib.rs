//! The webrtc-rs engine behind the backend traits of skapi-rtc.
//!
//! [`WebRtcBackend`] is a [`Backend`](skapi_rtc_backend::Backend) on `webrtc` 0.21. Left to its
//! defaults that engine takes 800 ms to open a channel on one machine; here it takes a few
//! milliseconds, see `pulse.rs` for how. Data channels are complete, media is not there yet.

mod account;
mod addresses;
mod backend;
mod births;
mod channel;
mod config;
mod convert;
mod handler;
mod handover;
mod incoming;
mod ledger;
mod outgoing;
mod peer;
mod pulse;
mod runtime;
mod shared;
mod stream_ids;

pub use backend::WebRtcBackend;
pub use config::{Config, ConfigError, MAX_MESSAGE_SIZE};
