//! What flows now: the difference of two snapshots of a connection.

use std::time::Duration;

use crate::{Direction, MediaKind, PeerStats, TrackStats};

/// What flowed over a connection between two snapshots.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct PeerRates {
    /// The time between the two.
    pub over: Duration,
    /// What was sent over the pair, in bits per second.
    pub sent: f64,
    /// What was received over the pair, in bits per second.
    pub received: f64,
    /// One entry a track of the later snapshot, in its order; what is not in the earlier one began since.
    pub tracks: Vec<TrackRates>,
}

/// What flowed on one track between two snapshots.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TrackRates {
    /// Which way it goes.
    pub direction: Direction,
    /// Sound or pictures.
    pub kind: MediaKind,
    /// Payload, in bits per second.
    pub bitrate: f64,
    /// Packets per second.
    pub packet_rate: f64,
    /// The share of packets that were lost in this time, 0 to 1, by the receiver's count.
    pub fraction_lost: f64,
}

impl PeerStats {
    /// What has flowed since an earlier snapshot of the same connection; `None` when that is not earlier, or when a
    /// snapshot does not say [when](Self::timestamp) it was taken.
    pub fn since(&self, earlier: &Self) -> Option<PeerRates> {
        let over = self.timestamp?.checked_sub(earlier.timestamp?)?;
        let seconds = Some(over.as_secs_f64()).filter(|seconds| *seconds > 0.0)?;
        let bits = |now: u64, before: u64| now.saturating_sub(before) as f64 * 8.0 / seconds;
        let mut before: Vec<&TrackStats> = earlier.tracks.iter().collect();
        let tracks = self.tracks.iter().map(|now| {
            // Without the source's number the order has to do.
            let at = before.iter().position(|before| before.is_same_as(now));
            let began = TrackStats::new(now.direction, now.kind);
            let before = at.map_or(&began, |at| before.remove(at));
            let packets = now.packets.saturating_sub(before.packets);
            let lost = now.lost.saturating_sub(before.lost);
            TrackRates {
                direction: now.direction,
                kind: now.kind,
                bitrate: bits(now.bytes, before.bytes),
                packet_rate: packets as f64 / seconds,
                fraction_lost: fraction_lost(now.direction, packets, lost),
            }
        });
        Some(PeerRates {
            over,
            sent: bits(self.bytes_sent, earlier.bytes_sent),
            received: bits(self.bytes_received, earlier.bytes_received),
            tracks: tracks.collect(),
        })
    }
}

impl TrackStats {
    /// The share of all packets so far that were lost, 0 to 1, by the receiver's count: `fractionLost`, but since the
    /// beginning.
    pub fn fraction_lost(&self) -> f64 {
        fraction_lost(self.direction, self.packets, self.lost)
    }

    fn is_same_as(&self, other: &Self) -> bool {
        (self.direction, self.kind, self.ssrc) == (other.direction, other.kind, other.ssrc)
    }
}

/// A sender knows how many packets there were, a receiver only how many came and how many did not.
fn fraction_lost(direction: Direction, packets: u64, lost: u64) -> f64 {
    let all = match direction {
        Direction::Outbound => packets,
        Direction::Inbound => packets + lost,
    };
    if all == 0 { 0.0 } else { (lost as f64 / all as f64).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(millis: u64, bytes: u64, packets: u64, lost: u64) -> PeerStats {
        let mut audio = TrackStats::new(Direction::Inbound, MediaKind::Audio);
        (audio.ssrc, audio.packets, audio.bytes, audio.lost) = (Some(1), packets, bytes, lost);
        let mut video = TrackStats::new(Direction::Outbound, MediaKind::Video);
        (video.packets, video.bytes, video.lost) = (packets * 2, bytes * 2, lost);
        PeerStats {
            timestamp: Some(Duration::from_millis(millis)),
            bytes_sent: bytes * 3,
            bytes_received: bytes * 4,
            tracks: vec![audio, video],
            ..PeerStats::default()
        }
    }

    #[test]
    fn what_flows_is_the_difference_over_the_time() {
        let (before, now) = (snapshot(1000, 1000, 10, 1), snapshot(1500, 2000, 100, 11));
        let rates = now.since(&before).unwrap();
        assert_eq!(rates.over, Duration::from_millis(500));
        assert_eq!((rates.sent, rates.received), (48_000.0, 64_000.0));
        let [audio, video] = &rates.tracks[..] else { panic!("{rates:?}") };
        assert_eq!((audio.bitrate, audio.packet_rate), (16_000.0, 180.0));
        assert_eq!(audio.fraction_lost, 0.1);
        assert_eq!((video.bitrate, video.packet_rate), (32_000.0, 360.0));
        assert_eq!(video.fraction_lost, 10.0 / 180.0);
        assert_eq!(now.tracks[0].fraction_lost(), 11.0 / 111.0);
    }

    #[test]
    fn tracks_that_came_between_count_from_zero_and_nothing_is_divided_by_no_time() {
        let (before, mut now) = (snapshot(1000, 1000, 10, 1), snapshot(2000, 500, 5, 0));
        now.tracks[0].ssrc = Some(2);
        let rates = now.since(&before).unwrap();
        let [audio, video] = &rates.tracks[..] else { panic!("{rates:?}") };
        assert_eq!((audio.bitrate, audio.packet_rate), (4_000.0, 5.0));
        assert_eq!((video.bitrate, video.packet_rate), (0.0, 0.0));
        assert_eq!(rates.sent, 0.0, "a connection that began anew counts from zero");
        assert_eq!(now.since(&now), None);
        assert_eq!(before.since(&now), None);
        assert_eq!(now.since(&PeerStats::default()), None);
        assert_eq!(TrackStats::new(Direction::Inbound, MediaKind::Audio).fraction_lost(), 0.0);
    }
}
