//! Tracks: encoded audio and video, in and out.
//!
//! The common currency of the engines is the encoded frame: one Opus packet, one VP8/VP9/H.264 picture.
//! Whoever only passes media on can take the RTP packets instead, which spares waiting for a frame to be
//! whole. Sources, encoders and recording are built on both above; they are no engine's business.

mod frame;
mod local;
mod remote;

pub use frame::{Codec, EncodedFrame, MediaKind, RtpPacket};
pub use local::{LocalTrack, LocalTrackEvent, LocalTrackEvents, LocalTrackHandle, TrackInit};
pub use remote::{RemoteTrack, RemoteTrackEvent, RemoteTrackEvents, RemoteTrackHandle, TrackView};
