//! Sends a caller's audio and video back.

use skapi_rtc::{
    Call, CallOptions, Codec, LocalTrack, LocalTrackEvent, LocalTrackEvents, MediaError, MediaKind,
    RemoteTrack, TrackInit,
};
use tokio::task::JoinSet;

use super::{Counters, STREAM};

/// A track back for each kind that a caller may send.
pub(crate) struct Echo {
    ways: [(LocalTrack, Option<LocalTrackEvents>); 2],
}

impl Echo {
    pub(crate) fn new() -> Result<Self, MediaError> {
        let way = |codecs: &[Codec], id: &str| {
            // A caller without media is not to be asked for any.
            let init = TrackInit::new(codecs, STREAM, id).answer_only(true);
            LocalTrack::new(init).map(|(track, events)| (track, Some(events)))
        };
        Ok(Self {
            ways: [
                way(&[Codec::Opus], "echo-audio")?,
                way(&[Codec::Vp8, Codec::Vp9, Codec::H264], "echo-video")?,
            ],
        })
    }

    /// Makes the ways back part of the answer.
    pub(crate) fn join(&self, options: CallOptions) -> CallOptions {
        self.ways.iter().fold(options, |options, (track, _)| options.track(track))
    }

    /// Sends back the first track of each kind, until the call ends.
    pub(crate) async fn run(mut self, call: &Call, counters: &Counters) {
        let mut echoes = JoinSet::new();
        while let Some(track) = call.next_track().await {
            let counter = counters.add(&track);
            let way = self.ways.iter_mut().find(|(way, _)| way.kind() == track.kind());
            if let Some((way, events)) = way
                && let Some(events) = events.take()
            {
                echoes.spawn(pass_on(track, way.clone(), events, counter));
            }
        }
        while echoes.join_next().await.is_some() {}
    }
}

/// Packet by packet: what waits for whole frames comes later.
async fn pass_on(
    mut from: RemoteTrack,
    to: LocalTrack,
    mut events: LocalTrackEvents,
    counter: super::count::Counter,
) {
    let video = from.kind() == MediaKind::Video;
    loop {
        tokio::select! {
            packet = from.next_packet() => {
                let Some(packet) = packet else { return };
                counter.packet(&packet);
                // What the caller does not want to have back is dropped.
                let _ = to.write_packet(packet).await;
            }
            Some(event) = events.recv() => {
                if video && event == LocalTrackEvent::KeyframeRequested {
                    let _ = from.request_keyframe().await;
                }
            }
        }
    }
}
