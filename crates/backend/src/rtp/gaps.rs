//! Packets of a video track that do not come, where nobody puts frames together: whoever receives what is
//! passed on would wait for them for seconds before asking for a key frame.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::assembler::ASK_AGAIN;

/// How long a packet may be missing: its retransmission takes a round trip.
const PATIENCE: Duration = Duration::from_millis(300);
/// Missing packets that are remembered. With more than that a key frame is due anyway.
const MAX_MISSING: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Gaps {
    next: Option<u16>,
    /// Missing packets and since when, oldest first.
    missing: VecDeque<(u16, Instant)>,
    asked: Option<Instant>,
}

impl Gaps {
    /// A packet has come. Says whether a key frame is to be asked for.
    pub(super) fn came(&mut self, sequence: u16, now: Instant) -> bool {
        let next = *self.next.get_or_insert(sequence);
        let ahead = usize::from(sequence.wrapping_sub(next));
        if ahead > usize::from(u16::MAX / 2) {
            self.missing.retain(|(missing, _)| *missing != sequence);
        } else {
            self.next = Some(sequence.wrapping_add(1));
            let lost = (0..ahead.min(MAX_MISSING)).map(|at| next.wrapping_add(at as u16));
            self.missing.extend(lost.map(|sequence| (sequence, now)));
        }
        let given_up = |(_, since): &(u16, Instant)| now.duration_since(*since) > PATIENCE;
        let lost = self.missing.len() > MAX_MISSING || self.missing.front().is_some_and(given_up);
        if lost {
            self.missing.clear();
        }
        let recently = self.asked.is_some_and(|asked| now.duration_since(asked) < ASK_AGAIN);
        if lost && !recently {
            self.asked = Some(now);
        }
        lost && !recently
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_that_stays_away_is_worth_a_key_frame() {
        let (mut gaps, start) = (Gaps::default(), Instant::now());
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert!(!gaps.came(65_534, at(0)));
        assert!(!gaps.came(1, at(10)), "65,535 and 0 are missing");
        assert!(!gaps.came(0, at(20)));
        assert!(!gaps.came(2, at(300)));
        assert!(gaps.came(3, at(320)), "65,535 has not come");
        assert!(!gaps.came(4, at(330)), "that was said");
    }

    #[test]
    fn retransmissions_and_order_do_not_matter() {
        let (mut gaps, start) = (Gaps::default(), Instant::now());
        for (index, sequence) in [10, 12, 11, 15, 13, 14, 16, 16].into_iter().enumerate() {
            let now = start + Duration::from_millis(200 * index as u64);
            assert!(!gaps.came(sequence, now), "{sequence}");
        }
    }

    #[test]
    fn it_does_not_ask_without_end() {
        let (mut gaps, start) = (Gaps::default(), Instant::now());
        let asked = (0..200_u16).filter(|index| {
            gaps.came(
                index.wrapping_mul(400),
                start + Duration::from_millis(u64::from(*index) * 10),
            )
        });
        assert_eq!(asked.count(), 4, "in two seconds");
    }
}
