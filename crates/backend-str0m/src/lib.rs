//! The str0m engine behind the backend traits of skapi-rtc.
//!
//! [`Str0mBackend`] is a [`Backend`](skapi_rtc_backend::Backend) on `str0m` 0.25, which does no I/O and
//! knows no clock: sockets, time, gathering of candidates, the TURN client and back-pressure are here, and
//! what becomes of packets of audio and video. Data channels are complete but for empty messages, which
//! str0m cannot send.

mod addresses;
mod backend;
mod channel;
mod command;
mod config;
mod convert;
mod driver;
mod gate;
mod hub;
mod kind;
mod media;
mod network;
mod path;
mod peer;
mod servers;
mod shared;
mod socket;
mod stream;
mod stun;
mod turn;

pub use backend::Str0mBackend;
pub use config::{Config, ConfigError, IceTcp, MAX_MESSAGE_SIZE};
