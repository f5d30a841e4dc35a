//! Tracks that we send.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;

use super::{Codec, EncodedFrame, MediaKind, RtpPacket};
use crate::{EventReceiver, MaybeSend, MaybeSync, MediaError, Weigh};

/// How a local track is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackInit {
    /// The codecs that the source can deliver, in order of preference; at least one, all of one kind.
    pub codecs: Vec<Codec>,
    /// The `MediaStream` the track belongs to; tracks of one stream play in step.
    pub stream_id: String,
    /// The track's id within the stream.
    pub track_id: String,
    /// Whether the track only ever answers: it is attached to a section that the peer offers, and never
    /// asks for a negotiation of its own. Default: no.
    pub answer_only: bool,
    /// Where the media come from, if not from what is written to the track. On `wasm32` only. Default:
    /// nowhere else.
    #[cfg(target_arch = "wasm32")]
    pub native: Option<super::NativeTrack>,
}

impl TrackInit {
    /// A track of these codecs.
    pub fn new(
        codecs: impl Into<Vec<Codec>>,
        stream_id: impl Into<String>,
        track_id: impl Into<String>,
    ) -> Self {
        Self {
            codecs: codecs.into(),
            stream_id: stream_id.into(),
            track_id: track_id.into(),
            answer_only: false,
            #[cfg(target_arch = "wasm32")]
            native: None,
        }
    }

    /// A track that the engine reads by itself; with whatever codecs of its kind the engine has.
    #[cfg(target_arch = "wasm32")]
    pub fn native(
        kind: MediaKind,
        track: super::NativeTrack,
        stream_id: impl Into<String>,
        track_id: impl Into<String>,
    ) -> Self {
        let codecs = Codec::ALL.into_iter().filter(|codec| codec.kind() == kind);
        let native = Some(track);
        Self { native, ..Self::new(codecs.collect::<Vec<_>>(), stream_id, track_id) }
    }

    /// Sets whether the track only ever answers.
    pub fn answer_only(mut self, answer_only: bool) -> Self {
        self.answer_only = answer_only;
        self
    }

    /// What the track carries.
    ///
    /// # Errors
    /// [`MediaError::Init`] without a codec, with codecs of both kinds, or with an id that cannot stand in
    /// a session description: empty, longer than 256 bytes, or with anything but visible ASCII.
    pub fn kind(&self) -> Result<MediaKind, MediaError> {
        let Some(first) = self.codecs.first() else {
            return Err(MediaError::Init("a track needs a codec".to_owned()));
        };
        if self.codecs.iter().any(|codec| codec.kind() != first.kind()) {
            return Err(MediaError::Init("a track carries audio or video, not both".to_owned()));
        }
        for id in [&self.stream_id, &self.track_id] {
            if id.is_empty() || id.len() > 256 || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(MediaError::Init(format!(
                    "{id:?} cannot be an id of a track or a stream: take 1 to 256 visible ASCII \
                     characters"
                )));
            }
        }
        Ok(first.kind())
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

    /// Sends a frame. Frames written before the connection is up are dropped:
    /// [`LocalTrackEvent::KeyframeRequested`] comes when pictures can flow. Waits while the connection
    /// takes no more.
    ///
    /// # Errors
    /// [`MediaError::Unsupported`] for a codec that was not negotiated, [`MediaError::Closed`] after
    /// close.
    async fn write(&self, frame: EncodedFrame) -> Result<(), MediaError>;

    /// Sends a packet as it is, for whoever passes on what another connection delivered: gaps and order
    /// of the sequence numbers are kept. Otherwise as [`write`](Self::write). Frames and packets can be
    /// mixed where one picture is not.
    ///
    /// # Errors
    /// As [`write`](Self::write), and [`MediaError::Unsupported`] where an engine knows frames only.
    async fn write_packet(&self, packet: RtpPacket) -> Result<(), MediaError>;
}

/// One event of a local track.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocalTrackEvent {
    /// The negotiation chose a codec, or another one than before.
    Negotiated(Codec),
    /// A frame is needed that decoding can start at: the connection came up, or the receiver asks for it
    /// (PLI, RFC 4585 §6.3.1; FIR, RFC 5104 §4.3.1). Pictures only.
    KeyframeRequested,
    /// The receiver's estimate of what the path carries, in bits a second.
    TargetBitrate(u64),
}

impl Weigh for LocalTrackEvent {}

/// The events of one local track. Those that nobody reads are dropped.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_has_one_kind_and_ids_that_fit_a_description() {
        let kind = |codecs: &[Codec], stream: &str, track: &str| {
            TrackInit::new(codecs, stream, track).kind()
        };
        assert_eq!(kind(&[Codec::Vp8, Codec::H264], "s", "t"), Ok(MediaKind::Video));
        assert_eq!(kind(&[Codec::Opus], "s", "{t}"), Ok(MediaKind::Audio));
        for (codecs, stream, track) in [
            (&[][..], "s", "t"),
            (&[Codec::Opus, Codec::Vp8], "s", "t"),
            (&[Codec::Opus], "", "t"),
            (&[Codec::Opus], "s", "two words"),
            (&[Codec::Opus], "s", "line\r\na=evil"),
        ] {
            assert!(matches!(kind(codecs, stream, track), Err(MediaError::Init(_))), "{track}");
        }
    }
}
