//! What the service keeps of a connection's frames until its client says that it has them.

use std::collections::VecDeque;

use bytes::Bytes;

use super::ResumeLimits;

/// The last frames of one connection, numbered from 1 by their order. Numbers are never used again, so
/// what a client has received is said by one number.
#[derive(Debug, Default)]
pub(super) struct Retained {
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// How many frames there were before the first that is kept.
    before: u64,
}

impl Retained {
    /// The number of the last frame there was.
    pub(super) fn last(&self) -> u64 {
        self.before + self.frames.len() as u64
    }

    /// Keeps one more frame, and forgets the oldest ones for which there is no room.
    pub(super) fn push(&mut self, frame: Bytes, limits: &ResumeLimits) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
        while self.frames.len() > limits.frames || self.bytes > limits.bytes {
            self.forget_first();
        }
    }

    /// The client has everything up to this number. One that was never used has no effect.
    pub(super) fn acknowledge(&mut self, received: u64) {
        if received > self.last() {
            return;
        }
        while self.before < received {
            self.forget_first();
        }
        if self.frames.is_empty() {
            // An idle connection holds no memory.
            self.frames = VecDeque::new();
        }
    }

    /// The frames after this number, or `None` when some of them are forgotten, or were never sent.
    pub(super) fn after(&self, received: u64) -> Option<Vec<Bytes>> {
        let skipped = received.checked_sub(self.before)?;
        let skipped = usize::try_from(skipped).ok().filter(|n| *n <= self.frames.len())?;
        Some(self.frames.range(skipped..).cloned().collect())
    }

    fn forget_first(&mut self) {
        if let Some(frame) = self.frames.pop_front() {
            self.bytes -= frame.len();
            self.before += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits(frames: usize, bytes: usize) -> ResumeLimits {
        ResumeLimits { frames, bytes, ..ResumeLimits::default() }
    }

    fn numbers(retained: &Retained, received: u64) -> Option<Vec<usize>> {
        Some(retained.after(received)?.iter().map(Bytes::len).collect())
    }

    #[test]
    fn a_frame_that_is_larger_than_the_whole_leaves_nothing() {
        let mut retained = Retained::default();
        retained.push(vec![0; 3].into(), &limits(9, 10));
        retained.push(vec![0; 11].into(), &limits(9, 10));
        assert_eq!(retained.last(), 2);
        assert_eq!(numbers(&retained, 1), None);
        assert_eq!(numbers(&retained, 2), Some(vec![]));
    }

    proptest! {
        /// Next to a list of all frames there ever were.
        #[test]
        fn what_is_given_again_is_what_was_sent(
            ops in proptest::collection::vec((any::<bool>(), 0..30_usize), 0..60),
            frames in 1..8_usize,
            bytes in 1..80_usize,
        ) {
            let limits = limits(frames, bytes);
            let mut retained = Retained::default();
            let mut all: Vec<usize> = Vec::new();
            let mut acknowledged = 0;
            for (push, n) in ops {
                if push {
                    all.push(n);
                    retained.push(vec![0; n].into(), &limits);
                } else {
                    retained.acknowledge(n as u64);
                    acknowledged = if n <= all.len() { acknowledged.max(n) } else { acknowledged };
                }
                prop_assert_eq!(retained.last(), all.len() as u64);
                prop_assert!(retained.frames.len() <= frames && retained.bytes <= bytes);
                for received in 0..all.len() + 2 {
                    let kept = numbers(&retained, received as u64);
                    let rest = all.get(received..);
                    let fits = rest.is_some_and(|rest| {
                        received >= acknowledged
                            && rest.len() <= frames
                            && rest.iter().sum::<usize>() <= bytes
                    });
                    // Sums of a longer past may have pushed out what would fit by now; never otherwise.
                    prop_assert!(kept.is_none() || fits);
                    if let Some(kept) = kept {
                        prop_assert_eq!(Some(&kept[..]), rest);
                    } else if received == all.len() {
                        prop_assert!(false, "who has everything can always come back");
                    }
                }
            }
        }
    }
}
