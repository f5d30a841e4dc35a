//! What travels on a track: codecs, frames, packets.

use std::{fmt::Display, time::Duration};

use bytes::Bytes;

/// What a track carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

impl Display for MediaKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Audio => "audio",
            Self::Video => "video",
        })
    }
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
    /// Every codec.
    pub const ALL: [Self; 4] = [Self::Opus, Self::Vp8, Self::Vp9, Self::H264];

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

    /// The name by which session descriptions know it (`a=rtpmap`, RFC 8866 §6.6).
    pub fn name(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::H264 => "H264",
        }
    }
}

impl Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One encoded picture or one packet of sound.
#[derive(Clone, PartialEq, Eq)]
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

impl std::fmt::Debug for EncodedFrame {
    /// Without the payload, which is long and nobody's business in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EncodedFrame")
            .field("codec", &self.codec)
            .field("rtp_time", &self.rtp_time)
            .field("keyframe", &self.keyframe)
            .field("bytes", &self.payload.len())
            .finish()
    }
}

/// One RTP packet (RFC 3550 §5.1), without what belongs to its connection alone: the source's number,
/// the payload type, header extensions, padding.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RtpPacket {
    /// What it carries.
    pub codec: Codec,
    /// The sequence number; wraps. Packets come in the order of their arrival.
    pub sequence: u16,
    /// The timestamp, in ticks of the codec's RTP clock; wraps.
    pub rtp_time: u32,
    /// The marker bit: the last packet of a picture.
    pub marker: bool,
    /// The payload in the codec's RTP format.
    pub payload: Bytes,
}

impl RtpPacket {
    /// A packet of these parts.
    pub fn new(codec: Codec, sequence: u16, rtp_time: u32, marker: bool, payload: Bytes) -> Self {
        Self { codec, sequence, rtp_time, marker, payload }
    }
}

impl std::fmt::Debug for RtpPacket {
    /// Without the payload, as for frames.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RtpPacket")
            .field("codec", &self.codec)
            .field("sequence", &self.sequence)
            .field("rtp_time", &self.rtp_time)
            .field("marker", &self.marker)
            .field("bytes", &self.payload.len())
            .finish()
    }
}
