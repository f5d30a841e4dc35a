//! Back-pressure for what comes in: counts what waits for the application's readers.
//!
//! The engine has one queue for everything that arrives and nothing to hold it with, so the driver keeps
//! packets away from it while too much is unread. As that is one gate for a whole connection, a channel
//! that nobody reads holds back its siblings, and what acknowledges our own messages too. An application that
//! waits until there is room for its own messages before it reads on must get that all the same: for it there is
//! a reserve, and beyond the reserve only what [acknowledges](crate::driver) passes.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

/// What may be unread beyond the limit while our own messages wait. A peer that itself stops reading has at most
/// the flight of one association on its way, 1 MiB, for each of ours that it acknowledges.
const RESERVE: usize = 4 * 1024 * 1024;

/// What a message counts beside its bytes.
const COST_PER_MESSAGE: usize = 256;

#[derive(Debug)]
pub(crate) struct Gate {
    unread: AtomicUsize,
    limit: usize,
    wake: Arc<Notify>,
}

impl Gate {
    /// A gate that shuts above `limit` bytes and wakes the driver at half of it.
    pub(crate) fn new(limit: usize, wake: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self { unread: AtomicUsize::new(0), limit, wake })
    }

    pub(crate) fn must_shut(&self) -> bool {
        self.unread() > self.limit
    }

    pub(crate) fn may_open(&self) -> bool {
        self.unread() <= self.limit / 2
    }

    /// Bytes that nobody has read yet, and what goes with each message.
    pub(crate) fn unread(&self) -> usize {
        self.unread.load(Ordering::Acquire)
    }

    /// Whether more may come in although it is shut.
    pub(crate) fn has_reserve(&self) -> bool {
        self.unread() < self.limit.saturating_add(RESERVE)
    }

    /// Counts a message until the weight is dropped.
    pub(crate) fn weigh(self: &Arc<Self>, size: usize) -> Weight {
        let weight = size.saturating_add(COST_PER_MESSAGE);
        self.unread.fetch_add(weight, Ordering::AcqRel);
        Weight { gate: self.clone(), weight }
    }
}

/// A message that is unread.
#[derive(Debug)]
pub(crate) struct Weight {
    gate: Arc<Gate>,
    weight: usize,
}

impl Drop for Weight {
    fn drop(&mut self) {
        let half = self.gate.limit / 2;
        let before = self.gate.unread.fetch_sub(self.weight, Ordering::AcqRel);
        if before > half && before - self.weight <= half {
            self.gate.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shuts_above_the_limit_and_opens_at_half() {
        let gate = Gate::new(4 * COST_PER_MESSAGE, Arc::default());
        let mut unread: Vec<_> = (0..4).map(|_| gate.weigh(0)).collect();
        assert!(!gate.must_shut());
        unread.push(gate.weigh(0));
        assert!(gate.must_shut());
        unread.truncate(3);
        assert!(!gate.must_shut() && !gate.may_open());
        unread.truncate(2);
        assert!(gate.may_open());
    }

    #[test]
    fn there_is_a_reserve_and_an_end_of_it() {
        let gate = Gate::new(1000, Arc::default());
        let _unread = gate.weigh(1000);
        assert!(gate.must_shut() && gate.has_reserve());
        let _more = gate.weigh(RESERVE);
        assert!(!gate.has_reserve());
    }

    #[tokio::test]
    async fn the_driver_is_woken_once_half_is_read() {
        let wake = Arc::<Notify>::default();
        let gate = Gate::new(1000, wake.clone());
        let heavy = gate.weigh(10_000);
        drop(heavy);
        wake.notified().await;
    }
}
