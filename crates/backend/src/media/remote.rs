//! Tracks that the peer sends.

use std::{any::Any, fmt::Debug, sync::Arc};

use async_trait::async_trait;

use super::{EncodedFrame, MediaKind, RtpPacket};
use crate::{EventStream, Last, MaybeSend, MaybeSync, MediaError, Weigh};

/// In which form a remote track's media come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrackView {
    /// Whole frames, in order. After a loss, pictures go on with the next one that decoding can start
    /// at, which is asked for.
    #[default]
    Frames,
    /// RTP packets as they arrive.
    Packets,
}

/// A track the peer sends.
#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
pub trait RemoteTrack: Any + Debug + MaybeSend + MaybeSync {
    /// Sound or pictures.
    fn kind(&self) -> MediaKind;

    /// The track's id, as the peer named it.
    fn track_id(&self) -> &str;

    /// The `MediaStream` the track belongs to, as the peer named it.
    fn stream_id(&self) -> &str;

    /// Sets in which form media come from the next event on. What has already arrived and was not read
    /// comes in the new form too. Without effect where an engine knows frames only. Default: frames.
    fn set_view(&self, view: TrackView);

    /// Asks the sender for a frame that decoding can start at. Without effect on sound.
    ///
    /// # Errors
    /// [`MediaError::Closed`] after close, [`MediaError::Unsupported`] where the engine decodes by itself, and
    /// asks when it has to.
    async fn request_keyframe(&self) -> Result<(), MediaError>;
}

/// One event of a remote track.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemoteTrackEvent {
    /// A whole frame arrived; see [`TrackView::Frames`].
    Frame(EncodedFrame),
    /// A packet arrived; see [`TrackView::Packets`].
    Packet(RtpPacket),
    /// This many packets were dropped because nobody read them in time (frames, from an engine that
    /// knows frames only).
    Lagged(u64),
    /// The track is over, at the latest with its connection. Last event. A track that the sender took out
    /// of the negotiation may also just fall silent.
    Ended,
}

impl Weigh for RemoteTrackEvent {
    fn weight(&self) -> usize {
        match self {
            Self::Frame(frame) => frame.payload.len(),
            Self::Packet(packet) => packet.payload.len(),
            Self::Lagged(_) | Self::Ended => 0,
        }
    }
}

impl Last for RemoteTrackEvent {
    fn is_last(&self) -> bool {
        matches!(self, Self::Ended)
    }
}

/// The events of one remote track, in order. Media do not wait: what is not read in time is dropped and
/// counted.
pub type RemoteTrackEvents = EventStream<RemoteTrackEvent>;

/// A remote track together with its events.
#[derive(Debug)]
#[non_exhaustive]
pub struct RemoteTrackHandle {
    /// The track.
    pub track: Arc<dyn RemoteTrack>,
    /// Its media.
    pub events: RemoteTrackEvents,
}

impl RemoteTrackHandle {
    /// Pairs a track with its events.
    pub fn new(track: Arc<dyn RemoteTrack>, events: RemoteTrackEvents) -> Self {
        Self { track, events }
    }
}
