//! The browser's own `RTCPeerConnection` behind the backend traits of skapi-rtc, for `wasm32-unknown-unknown`;
//! on every other target the crate is empty.
//!
//! `WebBackend` is the engine. `local_track` makes a track of a `MediaStreamTrack` of the page's, `remote_track` gives
//! the one that a peer sends, for a `<video>`, and `media` asks for camera, microphone and screen. What else only a
//! browser has (its `RTCPeerConnection`, its `RTCDataChannel`s) is reached through `WebConnection`. These speak the
//! browser's types, since handing those out is what they are for.
//!
//! # What a browser cannot do
//!
//! A page cannot ask its browser to receive more slowly: a reliable channel whose messages nobody reads is
//! closed once as many wait as `MAX_UNREAD_BYTES` says, and a lossy one loses them. Encoded frames do not
//! pass through a page, so tracks go in and out as the browser's own, not as the traits' frames.

#![cfg_attr(
    target_arch = "wasm32",
    allow(
        clippy::arc_with_non_send_sync,
        reason = "the traits speak of `Arc`, which crosses threads only where there are some"
    )
)]

#[cfg(target_arch = "wasm32")]
mod backend;
#[cfg(target_arch = "wasm32")]
mod channel;
#[cfg(target_arch = "wasm32")]
mod connection;
#[cfg(target_arch = "wasm32")]
mod convert;
#[cfg(target_arch = "wasm32")]
mod line;
#[cfg(target_arch = "wasm32")]
pub mod media;
#[cfg(target_arch = "wasm32")]
mod peer;
#[cfg(target_arch = "wasm32")]
mod room;
#[cfg(target_arch = "wasm32")]
mod shared;
#[cfg(target_arch = "wasm32")]
mod stats;
#[cfg(target_arch = "wasm32")]
mod tracks;

#[cfg(target_arch = "wasm32")]
pub use self::{
    backend::WebBackend,
    connection::WebConnection,
    line::MAX_UNREAD_BYTES,
    tracks::{local_track, remote_track},
};
