//! Admission: how fast clients may come in, so that all of them coming at once does not bring the service
//! down.

use std::time::{Duration, Instant};

use crate::limits::Rate;

/// Gives every client that wants to come in a moment at which it may, evenly spaced once a burst is used
/// up. A clockless queue without entries: only the ends of two lines are known.
#[derive(Debug)]
pub(crate) struct Admission {
    rate: Rate,
    /// The longest that a client is let wait with its socket open.
    max_wait: Duration,
    /// When the bucket is full again, if nobody else comes.
    full_at: Instant,
    /// The moment that the last one was given of those who were sent away.
    promised: Instant,
}

/// What a client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admitted {
    /// Come in, after this long.
    After(Duration),
    /// There is no room now; come back after this long.
    SentAway {
        /// Nobody else was given this moment.
        retry_after: Duration,
    },
}

impl Admission {
    pub(crate) fn new(rate: Rate, max_wait: Duration, now: Instant) -> Self {
        Self { rate, max_wait, full_at: now, promised: now }
    }

    pub(crate) fn ask(&mut self, now: Instant) -> Admitted {
        let step = spacing(self.rate);
        let burst = step.saturating_mul(self.rate.burst.saturating_sub(1));
        let full_at = self.full_at.max(now);
        let wait = full_at.saturating_duration_since(now).saturating_sub(burst);
        if wait <= self.max_wait {
            self.full_at = full_at + step;
            return Admitted::After(wait);
        }
        // Behind those who wait here, and behind those who were sent away before.
        self.promised = self.promised.max(now + self.max_wait) + step;
        Admitted::SentAway { retry_after: self.promised.saturating_duration_since(now) }
    }
}

/// The time between two, when they come in evenly.
pub(crate) fn spacing(rate: Rate) -> Duration {
    Duration::try_from_secs_f64(1.0 / rate.per_second).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 3, per_second: 10.0 };

    fn admission(now: Instant) -> Admission {
        Admission::new(RATE, Duration::from_millis(200), now)
    }

    fn millis(admitted: Admitted) -> (bool, u128) {
        match admitted {
            Admitted::After(wait) => (true, wait.as_millis()),
            Admitted::SentAway { retry_after } => (false, retry_after.as_millis()),
        }
    }

    #[test]
    fn a_burst_comes_in_some_wait_and_the_others_get_moments_of_their_own() {
        let now = Instant::now();
        let mut admission = admission(now);
        let said: Vec<_> = (0..8).map(|_| millis(admission.ask(now))).collect();
        let burst = [(true, 0), (true, 0), (true, 0)];
        let (waiting, away) =
            ([(true, 100), (true, 200)], [(false, 300), (false, 400), (false, 500)]);
        assert_eq!(said, [&burst[..], &waiting, &away].concat());
        // At the promised moment there is room.
        let later = now + Duration::from_millis(300);
        assert_eq!(millis(admission.ask(later)), (true, 0));
    }

    #[test]
    fn a_crowd_that_does_as_it_is_told_is_let_in_at_the_rate() {
        let start = Instant::now();
        let mut admission = admission(start);
        let mut crowd: Vec<Instant> = vec![start; 1000];
        let mut came_in = Vec::new();
        let mut asked = 0;
        while let Some((next, at)) = crowd.iter().copied().enumerate().min_by_key(|(_, at)| *at) {
            asked += 1;
            match admission.ask(at) {
                Admitted::After(wait) => {
                    came_in.push(at + wait);
                    crowd.swap_remove(next);
                }
                Admitted::SentAway { retry_after } => crowd[next] = at + retry_after,
            }
        }
        came_in.sort();
        let took = came_in[came_in.len() - 1] - start;
        assert!(took < Duration::from_secs(101), "took {took:?}");
        assert!(asked <= 2000, "nobody is sent away twice: {asked}");
        for (first, last) in came_in.iter().zip(&came_in[4..]) {
            assert!(*last - *first >= Duration::from_millis(99), "more than the rate and a burst");
        }
    }

    #[test]
    fn what_was_not_used_is_saved_up_to_a_burst_and_no_further() {
        let start = Instant::now();
        let mut admission = admission(start);
        let later = start + Duration::from_secs(3600);
        assert_eq!((0..4).filter(|_| millis(admission.ask(later)) == (true, 0)).count(), 3);
    }
}
