//! Limits on how fast a client may be: token buckets, without a clock of their own.

use std::{collections::HashMap, time::Duration, time::Instant};

use skapi_rtc_protocol::UserId;

/// How often something may happen: `burst` times at once, and `per_second` times in the long run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate {
    pub(crate) burst: u32,
    pub(crate) per_second: f64,
}

/// A bucket that fills with time and is emptied by events.
#[derive(Debug, Clone)]
pub(crate) struct TokenBucket {
    tokens: f64,
    filled_at: Instant,
}

impl TokenBucket {
    pub(crate) fn full(rate: Rate, now: Instant) -> Self {
        Self { tokens: f64::from(rate.burst), filled_at: now }
    }

    /// Takes a token, or tells how long until there is one.
    pub(crate) fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        self.fill(rate, now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        let wait = (1.0 - self.tokens) / rate.per_second;
        Err(Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX))
    }

    fn is_full(&mut self, rate: Rate, now: Instant) -> bool {
        self.fill(rate, now);
        self.tokens >= f64::from(rate.burst)
    }

    fn fill(&mut self, rate: Rate, now: Instant) {
        let elapsed = now.saturating_duration_since(self.filled_at);
        self.tokens += elapsed.as_secs_f64() * rate.per_second;
        self.tokens = self.tokens.min(f64::from(rate.burst));
        self.filled_at = now;
    }
}

/// The frames of one connection.
#[derive(Debug)]
pub(crate) struct FrameGate {
    rate: Rate,
    frames: TokenBucket,
    patience: TokenBucket,
    told_at: Option<Instant>,
}

/// What to do with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Carry it out.
    Yes,
    /// Drop it; `tell` the client unless it has just been told.
    Drop { tell: bool },
    /// It has gone on for too long: disconnect.
    Abuse,
}

impl FrameGate {
    /// How many frames may be dropped before the connection is; one is forgiven every 100 ms.
    pub(crate) const PATIENCE: Rate = Rate { burst: 10_000, per_second: 10.0 };
    /// An error for every dropped frame would double the traffic instead of stopping it.
    const TELL_EVERY: Duration = Duration::from_secs(1);

    pub(crate) fn new(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            frames: TokenBucket::full(rate, now),
            patience: TokenBucket::full(Self::PATIENCE, now),
            told_at: None,
        }
    }

    pub(crate) fn pass(&mut self, now: Instant) -> Pass {
        if self.frames.take(self.rate, now).is_ok() {
            return Pass::Yes;
        }
        if self.patience.take(Self::PATIENCE, now).is_err() {
            return Pass::Abuse;
        }
        let tell =
            self.told_at.is_none_or(|at| now.saturating_duration_since(at) >= Self::TELL_EVERY);
        if tell {
            self.told_at = Some(now);
        }
        Pass::Drop { tell }
    }
}

/// The HTTP queries of each user.
#[derive(Debug)]
pub(crate) struct QueryGate {
    rate: Rate,
    users: HashMap<UserId, TokenBucket>,
}

impl QueryGate {
    /// Users that are remembered. One whose bucket is full again is as good as forgotten.
    const MAX_USERS: usize = 10_000;

    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, users: HashMap::new() }
    }

    /// Lets a query pass, or tells after how long to try again.
    pub(crate) fn pass(&mut self, user: &UserId, now: Instant) -> Result<(), Duration> {
        let rate = self.rate;
        if !self.users.contains_key(user) && self.users.len() >= Self::MAX_USERS {
            self.users.retain(|_, bucket| !bucket.is_full(rate, now));
            if self.users.len() >= Self::MAX_USERS {
                return Err(Duration::from_secs(1));
            }
        }
        self.users
            .entry(user.clone())
            .or_insert_with(|| TokenBucket::full(rate, now))
            .take(rate, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 3, per_second: 2.0 };

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let start = Instant::now();
        let mut bucket = TokenBucket::full(RATE, start);
        for _ in 0..3 {
            assert_eq!(bucket.take(RATE, start), Ok(()));
        }
        assert_eq!(bucket.take(RATE, start), Err(Duration::from_millis(500)));
        let later = start + Duration::from_millis(500);
        assert_eq!(bucket.take(RATE, later), Ok(()));
        assert!(bucket.take(RATE, later).is_err());
        // However long the pause, no more than a burst is saved up.
        let much_later = start + Duration::from_secs(3600);
        assert!((0..3).all(|_| bucket.take(RATE, much_later).is_ok()));
        assert!(bucket.take(RATE, much_later).is_err());
    }

    #[test]
    fn a_clock_that_steps_back_does_no_harm() {
        let start = Instant::now() + Duration::from_secs(10);
        let mut bucket = TokenBucket::full(RATE, start);
        assert!(bucket.take(RATE, start - Duration::from_secs(5)).is_ok());
    }

    #[test]
    fn who_is_too_fast_is_told_once_a_second_and_in_the_end_disconnected() {
        let start = Instant::now();
        let mut gate = FrameGate::new(RATE, start);
        assert!((0..3).all(|_| gate.pass(start) == Pass::Yes));
        assert_eq!(gate.pass(start), Pass::Drop { tell: true });
        for _ in 1..FrameGate::PATIENCE.burst {
            assert_eq!(gate.pass(start), Pass::Drop { tell: false });
        }
        assert_eq!(gate.pass(start), Pass::Abuse);

        let mut gate = FrameGate::new(RATE, start);
        assert!((0..3).all(|_| gate.pass(start) == Pass::Yes));
        assert_eq!(gate.pass(start), Pass::Drop { tell: true });
        let later = start + Duration::from_secs(1);
        assert!((0..2).all(|_| gate.pass(later) == Pass::Yes));
        assert_eq!(gate.pass(later), Pass::Drop { tell: true });
    }

    #[test]
    fn queries_are_counted_for_each_user_and_the_count_is_bounded() {
        let start = Instant::now();
        let mut gate = QueryGate::new(RATE);
        let alice = UserId::new("alice").unwrap();
        assert!((0..3).all(|_| gate.pass(&alice, start).is_ok()));
        assert!(gate.pass(&alice, start).is_err());
        for n in 1..QueryGate::MAX_USERS {
            let user = UserId::new(format!("user{n}")).unwrap();
            assert!(gate.pass(&user, start).is_ok());
        }
        let bob = UserId::new("bob").unwrap();
        assert!(gate.pass(&bob, start).is_err(), "nobody can be forgotten yet");
        let later = start + Duration::from_secs(2);
        assert!(gate.pass(&bob, later).is_ok());
        assert_eq!(gate.users.len(), 1);
    }
}
