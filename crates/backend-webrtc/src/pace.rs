//! Keeps a burst after a standstill from overflowing the peer's socket.
//!
//! When nothing was acknowledged in time, the engine sends everything that is under way again at once, up to 1 MiB,
//! whatever its congestion window says (`rtc-sctp` 0.21 counts none of it as in flight). A browser's socket holds some
//! 200 KiB, so most of that was lost again, and the wait doubled each time.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use tokio::time::{Sleep, sleep};

/// After so long without one, large datagrams may be a repetition of everything.
const STANDSTILL: Duration = Duration::from_millis(500);
/// How much of what follows is sent with care: as much as the engine can have under way.
const CAREFUL: usize = 1024 * 1024;
/// What leaves at once then.
const BURST: usize = 96 * 1024;
/// How long the peer has to take it.
const PAUSE: Duration = Duration::from_millis(2);
/// Datagrams below are checks, acknowledgements or sound.
const LARGE: usize = 1000;

pub(crate) struct Pace {
    last_large: Instant,
    /// Bytes that are still to be sent with care.
    careful: usize,
    /// Bytes of this burst.
    burst: usize,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { last_large: Instant::now(), careful: 0, burst: 0, pause: None }
    }

    /// Whether something may be sent now.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.careful > 0 && self.burst >= BURST {
            let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(PAUSE)));
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
            self.burst = 0;
        }
        Poll::Ready(())
    }

    /// So much was sent, in datagrams of that size.
    pub(crate) fn sent(&mut self, bytes: usize, datagram: usize) {
        if datagram < LARGE {
            return;
        }
        let now = Instant::now();
        if now.duration_since(self.last_large) >= STANDSTILL {
            (self.careful, self.burst) = (CAREFUL, 0);
        }
        self.last_large = now;
        self.careful = self.careful.saturating_sub(bytes);
        self.burst += bytes;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// Sends so many bytes; how often it had to wait.
    async fn send(pace: &mut Pace, bytes: usize) -> usize {
        let mut waits = 0;
        for _ in 0..bytes / 1200 {
            let mut first = true;
            poll_fn(|cx| {
                let may = pace.poll(cx);
                waits += usize::from(may.is_pending() && std::mem::take(&mut first));
                may
            })
            .await;
            pace.sent(1200, 1200);
        }
        waits
    }

    #[tokio::test]
    async fn what_follows_a_standstill_is_sent_with_care() {
        let mut pace = Pace::new();
        assert_eq!(send(&mut pace, 4 << 20).await, 0, "nothing has stood still");
        pace.last_large -= STANDSTILL;
        let waits = send(&mut pace, 4 << 20).await;
        assert_eq!(waits, (CAREFUL - 1) / BURST, "and then as before");
        pace.last_large -= STANDSTILL;
        for _ in 0..10_000 {
            pace.sent(200, 200);
        }
        assert_eq!(send(&mut pace, BURST / 2).await, 0, "small ones do not count");
    }
}
