//! Media of the peer's on their way to their readers.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use skapi_rtc_backend::{
    Direction, MediaKind, PeerEvent, RtpPacket, TrackStats,
    rtp::{Arrivals, Section, remote_track},
};
use str0m::{
    media::{KeyframeRequestKind, Mid},
    rtp::{RtpPacket as EnginePacket, Ssrc},
    stats::MediaIngressStats,
};
use tracing::{debug, warn};

use super::{Driver, sections::mid};
use crate::{media::Source as TrackSource, shared::Shared};

/// A source that has been silent for so long may be followed by another one.
const SOURCE_SILENT: Duration = Duration::from_millis(500);

/// Tracks of the peer's, by their sections.
#[derive(Default)]
pub(super) struct Receivers(HashMap<Mid, Receiver>);

struct Receiver {
    kind: MediaKind,
    stream_id: String,
    track_id: String,
    /// The reader's other end, once the track was told.
    arrivals: Option<Arrivals>,
    source: Option<Source>,
    figures: TrackStats,
}

/// The source of a track's packets.
struct Source {
    number: Ssrc,
    heard: Instant,
    /// The lowest and the highest sequence number, and how many came.
    first: u64,
    last: u64,
    came: u64,
}

impl Source {
    fn lost(&self) -> u64 {
        (self.last - self.first + 1).saturating_sub(self.came)
    }
}

impl Receivers {
    /// Both descriptions are in place: tracks that are no longer sent, or are others than before, end.
    pub(super) fn negotiated(&mut self, ours: &[Section], theirs: &[Section]) {
        for section in theirs {
            let received = ours.iter().any(|own| own.mid == section.mid && own.receives);
            let (stream_id, mut track_id) = section.ids.clone().unwrap_or_default();
            if track_id.is_empty() {
                track_id.clone_from(&section.mid);
            }
            let known = self.0.get(&mid(section));
            let same = known.is_some_and(|r| r.stream_id == stream_id && r.track_id == track_id);
            if !(section.sends && received) {
                self.0.remove(&mid(section));
            } else if !same {
                let figures = TrackStats::new(Direction::Inbound, section.kind);
                let kind = section.kind;
                let (arrivals, source) = (None, None);
                let new = Receiver { kind, stream_id, track_id, arrivals, source, figures };
                self.0.insert(mid(section), new);
            }
        }
    }

    pub(super) fn figures(&self) -> impl Iterator<Item = TrackStats> {
        self.0.values().filter(|receiver| receiver.arrivals.is_some()).map(|receiver| {
            let mut figures = receiver.figures.clone();
            figures.lost += receiver.source.as_ref().map_or(0, Source::lost);
            figures
        })
    }

    /// What the engine tells about a track of the peer's.
    pub(super) fn hearing_reported(&mut self, stats: &MediaIngressStats) {
        if let Some(receiver) = self.0.get_mut(&stats.mid) {
            receiver.figures.nacks = stats.nacks;
        }
    }
}

impl Receiver {
    /// Counts a packet, if it is of the source that is heard: a track can have several (simulcast).
    fn hears(&mut self, packet: &EnginePacket, now: Instant) -> bool {
        let (number, sequence) = (packet.header.ssrc, *packet.seq_no);
        match &mut self.source {
            Some(source) if source.number == number => {
                source.heard = now;
                source.first = source.first.min(sequence);
                source.last = source.last.max(sequence);
                source.came += 1;
            }
            Some(source) if now.duration_since(source.heard) <= SOURCE_SILENT => return false,
            before => {
                self.figures.lost += before.as_ref().map_or(0, Source::lost);
                let (first, last) = (sequence, sequence);
                *before = Some(Source { number, heard: now, first, last, came: 1 });
            }
        }
        self.figures.packets += 1;
        self.figures.bytes += packet.payload.len() as u64;
        true
    }

    /// Tells of the track.
    fn announce(&self, section: Mid, shared: &Arc<Shared>) -> Arrivals {
        let (stream_id, track_id) = (self.stream_id.clone(), self.track_id.clone());
        let asked = TrackSource::new(section, shared);
        let (arrivals, handle) = remote_track(self.kind, stream_id, track_id, asked);
        if shared.try_emit(PeerEvent::Track(handle)).is_some() {
            warn!("the peer adds tracks faster than they are taken: one is refused");
        }
        arrivals
    }
}

impl Driver {
    pub(super) fn hear(&mut self, packet: EnginePacket) {
        let Some(codec) = self.tracks.payload_types.get(&packet.header.payload_type).copied()
        else {
            return;
        };
        let source = packet.header.ssrc;
        let Some(section) = self.rtc.direct_api().stream_rx(&source).map(|stream| stream.mid())
        else {
            return;
        };
        let Some(receiver) = self.tracks.receivers.0.get_mut(&section) else {
            debug!(%section, "media in a section in which the peer said it would not send");
            return;
        };
        let now = Instant::now();
        if codec.kind() != receiver.kind || !receiver.hears(&packet, now) {
            return;
        }
        if receiver.arrivals.is_none() {
            receiver.arrivals = Some(receiver.announce(section, &self.shared));
        }
        if let Some(arrivals) = &mut receiver.arrivals {
            let payload = Bytes::copy_from_slice(&packet.payload);
            let header = packet.header;
            let (sequence, time) = (header.sequence_number, header.timestamp);
            arrivals.push(RtpPacket::new(codec, sequence, time, header.marker, payload), now);
        }
    }

    /// Whether there is anybody to ask.
    pub(super) fn ask_for_keyframe(&mut self, section: Mid) -> bool {
        let Some(receiver) = self.tracks.receivers.0.get_mut(&section) else { return false };
        let Some(source) = &receiver.source else { return false };
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_rx(&source.number) else { return false };
        stream.request_keyframe(KeyframeRequestKind::Pli);
        receiver.figures.keyframe_requests += 1;
        true
    }
}
