//! Tracks that the peer sends.

use std::sync::Arc;

use skapi_rtc_backend::{
    EncodedFrame, MediaError, MediaKind, RemoteTrack as EngineTrack, RemoteTrackEvent,
    RemoteTrackEvents, RemoteTrackHandle, RtpPacket, TrackView,
};

/// A track of audio or video that the peer sends.
///
/// Its media come as [frames](Self::next_frame), or, for whoever only passes them on, as
/// [packets](Self::next_packet). They do not wait: what is not read in time is dropped and
/// [counted](Self::lagged).
#[derive(Debug)]
pub struct RemoteTrack {
    track: Arc<dyn EngineTrack>,
    events: RemoteTrackEvents,
    lagged: u64,
}

impl RemoteTrack {
    pub(crate) fn new(handle: RemoteTrackHandle) -> Self {
        Self { track: handle.track, events: handle.events, lagged: 0 }
    }

    /// Sound or pictures.
    pub fn kind(&self) -> MediaKind {
        self.track.kind()
    }

    /// The track's id, as the peer named it.
    pub fn id(&self) -> &str {
        self.track.track_id()
    }

    /// The stream that the track belongs to, as the peer named it.
    pub fn stream_id(&self) -> &str {
        self.track.stream_id()
    }

    /// The next frame, whole and in order; `None` when the track has ended. Pictures begin with one that
    /// decoding can start at, and do so again after a loss; it is asked for by itself. Cancel-safe.
    pub async fn next_frame(&mut self) -> Option<EncodedFrame> {
        self.track.set_view(TrackView::Frames);
        loop {
            match self.next().await? {
                RemoteTrackEvent::Frame(frame) => return Some(frame),
                _ => continue,
            }
        }
    }

    /// The next RTP packet, as it arrived; `None` when the track has ended, or if the engine knows
    /// frames only. Packets and frames are two views of the same media: what one gave the other does not
    /// give again. Cancel-safe.
    pub async fn next_packet(&mut self) -> Option<RtpPacket> {
        self.track.set_view(TrackView::Packets);
        loop {
            match self.next().await? {
                RemoteTrackEvent::Packet(packet) => return Some(packet),
                _ => continue,
            }
        }
    }

    /// How many packets were dropped so far because they were not read in time.
    pub fn lagged(&self) -> u64 {
        self.lagged
    }

    /// Asks the peer for a frame that decoding can start at. Without effect on sound.
    ///
    /// # Errors
    /// [`MediaError::Closed`] when the call is over.
    pub async fn request_keyframe(&self) -> Result<(), MediaError> {
        self.track.request_keyframe().await
    }

    /// The track as the browser has it, to be put into a `MediaStream` and a `<video>`; `None` if another
    /// engine than the browser's has made the call.
    #[cfg(all(feature = "web", target_arch = "wasm32"))]
    pub fn native(&self) -> Option<web_sys::MediaStreamTrack> {
        skapi_rtc_backend_web::remote_track(&*self.track)
    }

    /// Waits until the track has ended.
    pub async fn ended(&mut self) {
        while self.next().await.is_some_and(|event| event != RemoteTrackEvent::Ended) {}
    }

    async fn next(&mut self) -> Option<RemoteTrackEvent> {
        let event = self.events.recv().await?;
        if let RemoteTrackEvent::Lagged(count) = event {
            self.lagged += count;
        }
        Some(event)
    }
}
