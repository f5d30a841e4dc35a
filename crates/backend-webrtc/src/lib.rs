//! The webrtc-rs engine behind the backend traits of skapi-rtc.
//!
//! [`WebRtcBackend`] is a [`Backend`](skapi_rtc_backend::Backend) on `webrtc` 0.21. Left to its
//! defaults that engine takes 800 ms to open a channel on one machine; here it takes a few
//! milliseconds, see `pulse.rs` for how. Audio and video come and go as encoded frames or RTP packets in
//! Opus, VP8, VP9 and H.264; it encodes and decodes nothing.

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
mod media;
mod moves;
mod outgoing;
mod pace;
mod peer;
mod pulse;
mod runtime;
mod shared;
mod stream_ids;

pub use backend::WebRtcBackend;
pub use config::{Config, ConfigError, MAX_MESSAGE_SIZE};
