//! A virtual clock, and what is due at which moment of it.

use std::{collections::BTreeMap, time::Duration};

use skapi_rtc_signaling::Instant;

/// Things that will happen, in the order of their moments; those of one moment in the order in which they
/// were planned. Time passes only by taking the next one.
#[derive(Debug)]
pub struct Schedule<T> {
    now: Instant,
    planned: u64,
    due: BTreeMap<(Instant, u64), T>,
}

impl<T> Default for Schedule<T> {
    fn default() -> Self {
        Self { now: Instant::ZERO, planned: 0, due: BTreeMap::new() }
    }
}

impl<T> Schedule<T> {
    /// The present moment.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Plans something for a moment; a moment that is past means now.
    pub fn at(&mut self, moment: Instant, what: T) {
        self.planned += 1;
        self.due.insert((moment.max(self.now), self.planned), what);
    }

    /// Plans something for later.
    pub fn after(&mut self, delay: Duration, what: T) {
        self.at(self.now + delay, what);
    }

    /// When the next thing is due.
    pub fn next_at(&self) -> Option<Instant> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    /// Lets time pass until the next thing and takes it.
    pub fn take_next(&mut self) -> Option<T> {
        let ((at, _), what) = self.due.pop_first()?;
        self.now = at;
        Some(what)
    }

    /// Lets time pass without anything happening.
    pub fn pass_until(&mut self, moment: Instant) {
        self.now = self.now.max(moment);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_happen_in_the_order_of_their_moments_and_then_of_their_planning() {
        let mut schedule = Schedule::default();
        for (millis, name) in [(20, "c"), (10, "a"), (10, "b")] {
            schedule.after(Duration::from_millis(millis), name);
        }
        let order: Vec<_> = std::iter::from_fn(|| schedule.take_next()).collect();
        assert_eq!(order, ["a", "b", "c"]);
        assert_eq!(schedule.now(), Instant::from_origin(Duration::from_millis(20)));
    }
}
