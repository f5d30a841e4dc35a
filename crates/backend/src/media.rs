//! Tracks: encoded audio and video, in and out.
//!
//! The common currency of the engines is the encoded frame: one Opus packet, one VP8/VP9/H.264 picture.
//! Sources, encoders and recording are built on it above; they are no engine's business.

use std::{fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{EventReceiver, MaybeSend, MaybeSync, MediaError, Weigh};

/// What a track carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

/// The codecs that WebRTC endpoints share (RFC 7742, RFC 7874) and VP9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// Opus, 48 kHz (RFC 7587).
    Opus,
    /// VP8 (RFC 7741).
    Vp8,
    /// VP9 (RFC 9628).
    Vp9,
    /// H.264, Annex B access units (RFC 6184).
    H264,
}

impl Codec {
    /// Whether the codec is for sound or for pictures.
    pub fn kind(self) -> MediaKind {
        match self {
            Self::Opus => MediaKind::Audio,
            Self::Vp8 | Self::Vp9 | Self::H264 => MediaKind::Video,
        }
    }

    /// Ticks of the RTP clock in a second.
    pub fn clock_rate(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::Vp8 | Self::Vp9 | Self::H264 => 90_000,
        }
    }
}

/// One encoded picture or one packet of sound.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EncodedFrame {
    /// What it is encoded with.
    pub codec: Codec,
    /// When it is to be shown, in ticks of the codec's RTP clock, from any origin; wraps.
    pub rtp_time: u32,
    /// How long it lasts, where the source knows.
    pub duration: Option<Duration>,
    /// Whether decoding can start here. Always true for sound.
    pub keyframe: bool,
    /// The encoded bytes.
    pub payload: Bytes,
}

impl EncodedFrame {
    /// A frame without a known duration.
    pub fn new(codec: Codec, rtp_time: u32, keyframe: bool, payload: Bytes) -> Self {
        Self { codec, rtp_time, duration: None, keyframe, payload }
    }
}

/// How a local track is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackInit {
    /// The codecs that the source can deliver, in order of preference; all of one kind.
    pub codecs: Vec<Codec>,
    /// The `MediaStream` the track belongs to; tracks of one stream play in step.
    pub stream_id: String,
    /// The track's id within the stream.
    pub track_id: String,
}

impl TrackInit {
    /// A track of these codecs.
    pub fn new(
        codecs: Vec<Codec>,
        stream_id: impl Into<String>,
        track_id: impl Into<String>,
    ) -> Self {
        Self { codecs, stream_id: stream_id.into(), track_id: track_id.into() }
    }
}

/// A track we send.
#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
pub trait LocalTrack: Debug + MaybeSend + MaybeSync + 'static {
    /// Sound or pictures.
    fn kind(&self) -> MediaKind;

    /// The codec that the negotiation chose; `None` before it.
    fn codec(&self) -> Option<Codec>;

    /// Sends a frame. Frames written before the negotiation are dropped.
    ///
    /// # Errors
    /// [`MediaError::Unsupported`] for another codec than the negotiated one, [`MediaError::Closed`]
    /// after close.
    async fn write(&self, frame: EncodedFrame) -> Result<(), MediaError>;
}

/// One event of a local track.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocalTrackEvent {
    /// The negotiation chose a codec: frames of it are sent from now on.
    Negotiated(Codec),
    /// The receiver needs a frame that decoding can start at (PLI or FIR, RFC 4585).
    KeyframeRequested,
    /// The receiver's estimate of what the path carries, in bits a second.
    TargetBitrate(u64),
}

impl Weigh for LocalTrackEvent {}

/// The events of one local track.
pub type LocalTrackEvents = EventReceiver<LocalTrackEvent>;

/// A local track together with its events.
#[derive(Debug)]
#[non_exhaustive]
pub struct LocalTrackHandle {
    /// The track.
    pub track: Arc<dyn LocalTrack>,
    /// What the receiver asks for.
    pub events: LocalTrackEvents,
}

impl LocalTrackHandle {
    /// Pairs a track with its events.
    pub fn new(track: Arc<dyn LocalTrack>, events: LocalTrackEvents) -> Self {
        Self { track, events }
    }
}

/// A track the peer sends.
#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
pub trait RemoteTrack: Debug + MaybeSend + MaybeSync + 'static {
    /// Sound or pictures.
    fn kind(&self) -> MediaKind;

    /// The track's id, as the peer named it.
    fn track_id(&self) -> &str;

    /// The `MediaStream` the track belongs to, as the peer named it.
    fn stream_id(&self) -> &str;

    /// Asks the sender for a frame that decoding can start at.
    ///
    /// # Errors
    /// [`MediaError::Closed`] after close.
    async fn request_keyframe(&self) -> Result<(), MediaError>;
}

/// One event of a remote track.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemoteTrackEvent {
    /// A whole frame arrived.
    Frame(EncodedFrame),
    /// This many frames were dropped because nobody read them in time.
    Lagged(u64),
    /// The sender stopped the track.
    Ended,
}

impl Weigh for RemoteTrackEvent {
    fn weight(&self) -> usize {
        match self {
            Self::Frame(frame) => frame.payload.len(),
            Self::Lagged(_) | Self::Ended => 0,
        }
    }
}

/// The events of one remote track.
pub type RemoteTrackEvents = EventReceiver<RemoteTrackEvent>;

/// A remote track together with its events.
#[derive(Debug)]
#[non_exhaustive]
pub struct RemoteTrackHandle {
    /// The track.
    pub track: Arc<dyn RemoteTrack>,
    /// Its frames.
    pub events: RemoteTrackEvents,
}

impl RemoteTrackHandle {
    /// Pairs a track with its events.
    pub fn new(track: Arc<dyn RemoteTrack>, events: RemoteTrackEvents) -> Self {
        Self { track, events }
    }
}
