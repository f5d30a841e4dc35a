//! Tasks and time by a browser's page: one thread, its event loop, its timers.

mod timer;

use std::{
    future::Future,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use skapi_rtc_signaling::Instant;

use self::timer::Timer;

/// Starts a task that lives on its own.
pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
    wasm_bindgen_futures::spawn_local(task);
}

/// Whether tasks can be started here: a page always can.
pub(crate) fn is_running() -> bool {
    true
}

/// A number that no other session has, as good as surely.
pub(crate) fn random_seed() -> u64 {
    js_sys::Math::random().to_bits() ^ js_sys::Math::random().to_bits().rotate_left(32)
}

/// The clock of one driver, with its start as origin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(web_time::Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(web_time::Instant::now())
    }

    pub(crate) fn now(self) -> Instant {
        Instant::from_origin(self.0.elapsed())
    }

    /// Waits until a moment; for ever if there is none.
    pub(crate) async fn sleep_until(self, moment: Option<Instant>) {
        match moment {
            // The browser's timers may be a little early, and the session would be asked again and again.
            Some(moment) => {
                while self.now() < moment {
                    Timer::after(moment - self.now()).await;
                }
            }
            None => std::future::pending().await,
        }
    }
}

/// Waits for a future at most this long; `None` when the time is over.
pub(crate) async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut timer = Timer::after(limit);
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Pin::new(&mut timer).poll(cx).map(|()| None),
    })
    .await
}

/// Ticks evenly, the first time after one period.
pub(crate) struct Ticker {
    period: Duration,
    next: Timer,
}

impl Ticker {
    pub(crate) fn new(period: Duration) -> Self {
        Self { period, next: Timer::after(period) }
    }

    /// Waits for the next tick. Cancel-safe.
    pub(crate) async fn tick(&mut self) {
        (&mut self.next).await;
        self.next = Timer::after(self.period);
    }
}
