//! How much of what is sent the engine may hold at a time.
//!
//! For each datagram the engine looks through everything that is not acknowledged yet, so that holding more
//! than the path needs makes it slow: on one machine 16 MiB/s with 1 MiB, 40 with 256 KiB, 80 with 64 KiB. What a path
//! needs is its rate times its round trip (the bandwidth-delay product).

use std::time::Duration;

/// What every path may have, also one whose round trip is not known.
const LEAST: usize = 32 * 1024;
/// What no path needs more than: the receive window of an SCTP association, ours as well as a browser's.
const MOST: usize = 1024 * 1024;
/// The rate that every path is to be able to reach, in bytes a second.
const RATE: usize = 64 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Window {
    round_trip: Option<Duration>,
    held: usize,
    wide: bool,
}

impl Window {
    /// The path has this round trip, without full queues.
    pub(super) fn fit(&mut self, round_trip: Option<Duration>) {
        self.round_trip = round_trip;
    }

    /// What the engine holds of all channels.
    pub(super) fn holds(&mut self, bytes: usize) {
        self.held = bytes;
    }

    /// The engine has taken a message.
    pub(super) fn took(&mut self, bytes: usize) {
        self.held += bytes;
    }

    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Lets the engine hold as much as it can, or as much as the path needs.
    pub(super) fn widen(&mut self, wide: bool) {
        self.wide = wide;
    }

    /// Whether the engine is to have another message. A large one may stand out.
    pub(super) fn has_room(&self) -> bool {
        self.held < self.limit()
    }

    fn limit(&self) -> usize {
        if self.wide {
            return MOST;
        }
        let round_trip = self.round_trip.unwrap_or_default();
        let needed = round_trip.as_secs_f64() * RATE as f64;
        (needed as usize).clamp(LEAST, MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_path_may_have_more() {
        let mut window = Window::default();
        assert_eq!(window.limit(), LEAST);
        for (millis, limit) in [(0, LEAST), (1, RATE / 1000), (8, 8 * RATE / 1000), (100, MOST)] {
            window.fit(Some(Duration::from_millis(millis)));
            assert_eq!(window.limit(), limit, "{millis} ms");
        }
        window.fit(Some(Duration::from_micros(100)));
        window.widen(true);
        assert_eq!(window.limit(), MOST);
        window.widen(false);
        assert_eq!(window.limit(), LEAST);
    }

    #[test]
    fn the_last_message_may_stand_out() {
        let mut window = Window::default();
        window.took(LEAST - 1);
        assert!(window.has_room());
        window.took(200_000);
        assert!(!window.has_room());
        window.holds(LEAST);
        assert!(!window.has_room());
        window.holds(0);
        assert!(window.has_room());
    }
}
