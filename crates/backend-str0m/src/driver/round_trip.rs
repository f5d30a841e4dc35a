//! The round trip of each path to the peer, by the connectivity checks that go over it and are answered (RFC 8445
//! §7.2.2): known as soon as the path can be used.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use str0m::net::Transmit;

use super::Driver;
use crate::{
    path::Path,
    stun::{self, TransactionId},
};

/// Checks whose answers are waited for; the oldest is given up when there are more.
const MAX_UNANSWERED: usize = 256;
/// Paths that are remembered; the one that was answered longest ago is forgotten when there are more.
const MAX_PATHS: usize = 32;

#[derive(Debug, Default)]
pub(super) struct RoundTrips {
    unanswered: VecDeque<(TransactionId, Instant)>,
    /// The path that was answered last comes last.
    measured: VecDeque<(Path, RoundTrip)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RoundTrip {
    pub(super) latest: Duration,
    /// Longer ones are those of full queues.
    pub(super) shortest: Duration,
}

impl RoundTrips {
    /// A datagram leaves.
    fn sent(&mut self, now: impl FnOnce() -> Instant, contents: &[u8]) {
        let Some(transaction) = stun::requested(contents) else { return };
        if self.unanswered.len() >= MAX_UNANSWERED {
            self.unanswered.pop_front();
        }
        self.unanswered.push_back((transaction, now()));
    }

    /// A datagram has come; whether it says how long the path's round trip is.
    fn heard(&mut self, now: Instant, path: Path, contents: &[u8]) -> bool {
        let Some(transaction) = stun::answered(contents) else { return false };
        let asked = self.unanswered.iter().position(|(asked, _)| *asked == transaction);
        let Some((_, at)) = asked.and_then(|index| self.unanswered.remove(index)) else {
            return false;
        };
        let latest = now.saturating_duration_since(at);
        let shortest = self.of(path).map_or(latest, |before| before.shortest.min(latest));
        self.measured.retain(|(known, _)| *known != path);
        if self.measured.len() >= MAX_PATHS {
            self.measured.pop_front();
        }
        self.measured.push_back((path, RoundTrip { latest, shortest }));
        true
    }

    pub(super) fn of(&self, path: Path) -> Option<RoundTrip> {
        self.measured.iter().find(|(known, _)| *known == path).map(|(_, measured)| *measured)
    }
}

impl Driver {
    pub(super) fn time_check(&mut self, transmit: &Transmit) {
        self.round_trips.sent(Instant::now, &transmit.contents);
    }

    pub(super) fn time_answer(&mut self, now: Instant, path: Path, contents: &[u8]) {
        if self.round_trips.heard(now, path, contents) && self.health.path == Some(path) {
            self.fit_window();
        }
    }

    /// The round trip of what is sent has changed.
    pub(super) fn fit_window(&mut self) {
        let measured = self.health.path.and_then(|path| self.round_trips.of(path));
        self.channels.window.fit(measured.map(|measured| measured.shortest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(port: u16) -> Path {
        Path::udp(([127, 0, 0, 1], 1).into(), ([127, 0, 0, 1], port).into())
    }

    fn answer(transaction: TransactionId) -> Vec<u8> {
        let mut message = stun::request(transaction).to_vec();
        message[0] = 0x01;
        message
    }

    /// A check that is answered after so many milliseconds.
    fn check(trips: &mut RoundTrips, number: u8, path: Path, millis: u64) -> bool {
        let now = Instant::now();
        trips.sent(|| now, &stun::request([number; 12]));
        trips.heard(now + Duration::from_millis(millis), path, &answer([number; 12]))
    }

    #[test]
    fn a_path_keeps_its_latest_and_its_shortest() {
        let mut trips = RoundTrips::default();
        assert_eq!(trips.of(path(2)), None);
        for (number, millis) in [20, 10, 30].into_iter().enumerate() {
            assert!(check(&mut trips, number as u8, path(2), millis));
        }
        assert!(check(&mut trips, 9, path(3), 5));
        let [latest, shortest] = [30, 10].map(Duration::from_millis);
        assert_eq!(trips.of(path(2)), Some(RoundTrip { latest, shortest }));
    }

    #[test]
    fn an_answer_counts_once_and_only_to_what_was_asked() {
        let mut trips = RoundTrips::default();
        let now = Instant::now();
        assert!(check(&mut trips, 1, path(2), 1));
        assert!(!trips.heard(now, path(2), &answer([1; 12])));
        assert!(!trips.heard(now, path(2), &answer([2; 12])));
        trips.sent(|| now, b"\x00\x01 of something else");
        assert!(trips.unanswered.is_empty());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut trips = RoundTrips::default();
        for number in 0..200 {
            assert!(check(&mut trips, number, path(u16::from(number) + 2), 1));
            for other in 0..2 {
                trips.sent(
                    Instant::now,
                    &stun::request([number; 12].map(|byte| byte ^ (0x55 + other))),
                );
            }
        }
        assert_eq!(trips.measured.len(), MAX_PATHS);
        assert_eq!(trips.unanswered.len(), MAX_UNANSWERED);
        assert_eq!(trips.of(path(2)), None);
        assert!(trips.of(path(201)).is_some());
    }
}
