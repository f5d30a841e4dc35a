//! Tasks and time by tokio.

use std::{future::Future, time::Duration};

use skapi_rtc_backend::MaybeSend;
use skapi_rtc_signaling::Instant;
use tokio::time;

/// Starts a task that lives on its own.
pub(crate) fn spawn(task: impl Future<Output = ()> + MaybeSend + 'static) {
    tokio::spawn(task);
}

/// Whether tasks can be started here; they cannot while a runtime shuts down around a `Drop`.
pub(crate) fn is_running() -> bool {
    tokio::runtime::Handle::try_current().is_ok()
}

/// A number that no other session has, as good as surely.
pub(crate) fn random_seed() -> u64 {
    fastrand::u64(..)
}

/// The clock of one driver, with its start as origin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(time::Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(time::Instant::now())
    }

    pub(crate) fn now(self) -> Instant {
        Instant::from_origin(self.0.elapsed())
    }

    /// Waits until a moment; for ever if there is none, or none that the clock can show, as after a time
    /// out of [`Duration::MAX`].
    pub(crate) async fn sleep_until(self, moment: Option<Instant>) {
        match moment.and_then(|moment| self.0.checked_add(moment.since_origin())) {
            Some(moment) => time::sleep_until(moment).await,
            None => std::future::pending().await,
        }
    }
}

/// Waits for a future at most this long; `None` when the time is over.
pub(crate) async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    time::timeout(limit, future).await.ok()
}

/// Ticks evenly, the first time after one period.
pub(crate) struct Ticker(time::Interval);

impl Ticker {
    pub(crate) fn new(period: Duration) -> Self {
        let mut interval = time::interval_at(time::Instant::now() + period, period);
        interval.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        Self(interval)
    }

    pub(crate) async fn tick(&mut self) {
        self.0.tick().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_moment_beyond_the_clock_never_comes() {
        let clock = Clock::start();
        let never = clock.now() + Duration::MAX;
        let came = within(Duration::from_millis(10), clock.sleep_until(Some(never))).await;
        assert_eq!(came, None);
    }
}
