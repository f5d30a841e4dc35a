//! Media of ours on their way into the engine.

use std::{sync::Arc, time::Instant};

use skapi_rtc_backend::{Direction, LocalTrack, MediaKind, TrackStats};
use str0m::{
    bwe::BweKind,
    media::{KeyframeRequest, Mid},
    rtp::RtpWrite,
    stats::MediaEgressStats,
};
use tracing::trace;

use super::{Driver, sections::Tracks};
use crate::{
    media::{Batch, Local},
    shared::MediaCall,
};

/// A track of ours.
pub(super) struct Sender {
    pub(super) local: Arc<Local>,
    pub(super) track: Arc<dyn LocalTrack>,
    /// The section that was negotiated for it.
    pub(super) section: Option<Mid>,
    /// The highest sequence number that was sent, counted on beyond its 16 bits.
    last: Option<u64>,
    pub(super) figures: TrackStats,
}

impl Sender {
    pub(super) fn new(local: Arc<Local>, track: Arc<dyn LocalTrack>) -> Self {
        let figures = TrackStats::new(Direction::Outbound, local.outbound.kind());
        Self { local, track, section: None, last: None, figures }
    }

    /// A sequence number, counted on beyond its 16 bits; none for one from before the first.
    fn counted_on(&mut self, sequence: u16) -> Option<u64> {
        let number = match self.last {
            None => u64::from(sequence),
            Some(last) => {
                let ahead = sequence.wrapping_sub(last as u16).cast_signed();
                last.checked_add_signed(i64::from(ahead))?
            }
        };
        self.last = self.last.max(Some(number));
        Some(number)
    }
}

impl Tracks {
    fn sender_in(&mut self, section: Mid) -> Option<&mut Sender> {
        self.senders.iter_mut().find(|sender| sender.section == Some(section))
    }

    pub(super) fn keyframe_requested(&mut self, request: &KeyframeRequest) {
        if let Some(sender) = self.sender_in(request.mid) {
            sender.figures.keyframe_requests += 1;
            sender.local.outbound.keyframe_requested();
        }
    }

    pub(super) fn bitrate_estimated(&mut self, estimate: &BweKind) {
        if let BweKind::Remb { mid, estimate } = estimate
            && let Some(sender) = self.sender_in(*mid)
        {
            sender.local.outbound.bitrate_estimated(estimate.as_u64());
        }
    }

    /// What the peer reports about a track of ours.
    pub(super) fn sending_reported(&mut self, stats: &MediaEgressStats) {
        if let Some(sender) = self.sender_in(stats.mid) {
            sender.figures.nacks = stats.nacks;
            sender.figures.round_trip_time = stats.rtt.or(sender.figures.round_trip_time);
            if let Some(remote) = &stats.remote {
                sender.figures.lost = remote.packets_lost;
            }
        }
    }

    pub(super) fn figures(&self) -> Vec<TrackStats> {
        let senders = self.senders.iter().filter(|sender| sender.section.is_some());
        let sent = senders.map(|sender| sender.figures.clone());
        sent.chain(self.receivers.figures()).collect()
    }
}

impl Driver {
    /// Does what tracks ask for; whether the engine was given anything.
    pub(super) fn serve_tracks(&mut self) -> bool {
        let mut worked = false;
        for call in self.shared.take_media_calls() {
            match call {
                MediaCall::Send(local) => self.tracks.waiting.push(local),
                MediaCall::Keyframe(asking) => worked |= self.ask_for_keyframe(asking.take()),
            }
        }
        // Media wait with their writers, who can leave something out, not where the oldest is dropped.
        if self.network.is_blocked() {
            return worked;
        }
        for local in std::mem::take(&mut self.tracks.waiting) {
            while let Some(batch) = local.next() {
                self.send_media(&local, &batch);
                local.sent(&batch);
                worked = true;
            }
        }
        worked
    }

    fn send_media(&mut self, local: &Arc<Local>, batch: &Batch) {
        let sender = self.tracks.senders.iter_mut().find(|s| Arc::ptr_eq(&s.local, local));
        let Some((sender, section)) = sender.and_then(|s| s.section.map(|section| (s, section)))
        else {
            return;
        };
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_tx_by_mid(section, None) else {
            trace!(%section, "the engine has no source for a section");
            return;
        };
        let now = self.clock.of_engine(Instant::now());
        for packet in &batch.packets {
            let Some(number) = sender.counted_on(packet.sequence) else { continue };
            sender.figures.packets += 1;
            sender.figures.bytes += packet.payload.len() as u64;
            let (payload_type, time) = (batch.payload_type.into(), packet.rtp_time);
            stream.write_rtp(
                RtpWrite::new(payload_type, number.into(), time, now, &packet.payload[..])
                    .marker(packet.marker)
                    .nackable(local.outbound.kind() == MediaKind::Video),
            );
        }
    }
}
