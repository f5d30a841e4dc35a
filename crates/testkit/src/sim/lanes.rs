//! Delays that keep the order of each pair, and of nothing else.

use std::{collections::BTreeMap, time::Duration};

use skapi_rtc_protocol::ConnectionId;
use skapi_rtc_signaling::Instant;

/// Where a lane begins or ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// The service itself.
    Service,
    /// A client's connection.
    Client(ConnectionId),
}

/// One lane for each ordered pair of endpoints. Nothing overtakes within a lane.
#[derive(Debug, Default)]
pub struct Lanes(BTreeMap<(Endpoint, Endpoint), Instant>);

impl Lanes {
    /// When something that leaves now and would take `delay` arrives.
    pub fn arrival(
        &mut self,
        now: Instant,
        from: Endpoint,
        to: Endpoint,
        delay: Duration,
    ) -> Instant {
        let last = self.0.entry((from, to)).or_insert(Instant::ZERO);
        *last = (now + delay).max(*last);
        *last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_frame_waits_for_the_slow_one_before_it() {
        let mut lanes = Lanes::default();
        let end = |name| Endpoint::Client(ConnectionId::new(name).unwrap());
        let mut arrival = |from, to, millis| {
            let delay = Duration::from_millis(millis);
            lanes.arrival(Instant::ZERO, end(from), end(to), delay)
        };
        let slow = arrival("a", "b", 100);
        assert_eq!(arrival("a", "b", 1), slow);
        assert!(arrival("a", "c", 1) < slow);
    }
}
