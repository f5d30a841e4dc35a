//! Tracks: encoded audio and video, in and out.
//!
//! The common currency of the engines is the encoded frame: one Opus packet, one VP8/VP9/H.264 picture.
//! Whoever only passes media on can take the RTP packets instead, which spares waiting for a frame to be
//! whole. A browser shows neither to a page; there a track can be one of the browser's own, as it is. Sources, encoders and recording are built on both above; they are no engine's business.

mod frame;
mod local;
#[cfg(target_arch = "wasm32")]
mod native;
mod remote;

pub use frame::{Codec, EncodedFrame, MediaKind, RtpPacket};
pub use local::{LocalTrack, LocalTrackEvent, LocalTrackEvents, LocalTrackHandle, TrackInit};
#[cfg(target_arch = "wasm32")]
pub use native::NativeTrack;
pub use remote::{RemoteTrack, RemoteTrackEvent, RemoteTrackEvents, RemoteTrackHandle, TrackView};
