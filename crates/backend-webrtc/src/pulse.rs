//! The pulse of one connection's driver: when it goes round once more, and what time it believes it is.
//!
//! The engine's driver goes round in a loop: write packets, raise events, read, sleep until the next
//! deadline. Two of its habits cost set-up time, and both can be cured from outside, through the
//! `Runtime` it asks for sleep and time:
//!
//! * What an event produces (the SCTP INIT after the DTLS handshake, the channel OPEN after that) is
//!   written on the *next* round, and nothing starts one: it waits for the ICE tick, 200 ms away. While
//!   a connection is in a [hurry](Pulse::hurry), every packet and every deadline is therefore followed
//!   by one extra round.
//! * ICE nominates the first pair that answers on its next tick, not at once. When an answer comes in,
//!   the clock [leaps](Pulse::leap) ahead by one tick, so that the tick is due.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures_util::task::AtomicWaker;
use skapi_rtc_backend::CatchUp;
use tokio::sync::Notify;

use crate::{Config, ledger::Look};

/// In a hurry the driver looks around at least this often, should a wake-up get lost on a path that the
/// extra rounds do not cover.
const BACKSTOP: Duration = Duration::from_millis(20);

/// How long the driver may take for one round.
const ROUND: Duration = Duration::from_millis(500);

/// How long a connection is hurried that is being made, at most: no longer for a peer that does not
/// answer, as it costs CPU time.
const WHILE_CONNECTING: Duration = Duration::from_secs(30);

/// How long a running connection is hurried over an ICE restart.
const WHILE_RESTARTING: Duration = Duration::from_secs(3);

/// A connection's clock leaps at most this often each time it is hurried. STUN servers' answers count
/// too.
const MAX_LEAPS: u8 = 16;

#[derive(Debug)]
pub(crate) struct Pulse {
    /// How far one leap goes: ICE's check interval.
    tick: Duration,
    /// Fast path of every packet and every sleep: as a rule there is nothing to do.
    hurrying: AtomicBool,
    /// The next sleep is to end at once.
    nudged: AtomicBool,
    /// How far the driver's clock is ahead, in nanoseconds.
    ahead: AtomicU64,
    leap_due: AtomicBool,
    leaps_left: AtomicU8,
    driver: AtomicWaker,
    /// How many [silences](Silence) there are.
    silences: AtomicUsize,
    round: Notify,
    hurry_until: Mutex<Instant>,
    pub(crate) catch_up: CatchUp,
}

impl Pulse {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            tick: config.check_interval,
            catch_up: CatchUp::new(config.keepalive, config.disconnected_after),
            hurrying: AtomicBool::new(false),
            nudged: AtomicBool::new(false),
            ahead: AtomicU64::new(0),
            leap_due: AtomicBool::new(false),
            leaps_left: AtomicU8::new(0),
            driver: AtomicWaker::new(),
            silences: AtomicUsize::new(0),
            round: Notify::new(),
            hurry_until: Mutex::new(Instant::now()),
        }
    }

    /// The driver's time.
    pub(crate) fn now(&self) -> Instant {
        Instant::now() + Duration::from_nanos(self.ahead.load(Ordering::Relaxed))
    }

    /// Hurries the driver of a connection that is being made, until it is [calmed](Self::calm).
    pub(crate) fn hurry(&self) {
        self.hurry_for(WHILE_CONNECTING);
    }

    /// Hurries the driver of a running connection for a short while.
    pub(crate) fn hurry_restart(&self) {
        self.hurry_for(WHILE_RESTARTING);
    }

    fn hurry_for(&self, time: Duration) {
        *self.hurry_until() = Instant::now() + time;
        self.leaps_left.store(MAX_LEAPS, Ordering::Relaxed);
        self.hurrying.store(true, Ordering::Release);
        self.nudge();
    }

    /// The connection carries what it was made for: the driver may sleep as long as it wants.
    pub(crate) fn calm(&self) {
        self.hurrying.store(false, Ordering::Release);
    }

    /// Ends the driver's present sleep, or its next one if it is awake.
    pub(crate) fn nudge(&self) {
        self.nudged.store(true, Ordering::Release);
        self.driver.wake();
    }

    /// Keeps the driver from receiving anything. Returns once it has dealt with all that it had, or
    /// after a while, should it hang. Only for moments: meanwhile it looks again and again.
    pub(crate) async fn silence(&self) -> Silence<'_> {
        self.silences.fetch_add(1, Ordering::AcqRel);
        let silence = Silence(self);
        let round = self.round.notified();
        self.nudge();
        let _ = tokio::time::timeout(ROUND, round).await;
        silence
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.silences.load(Ordering::Acquire) > 0
    }

    /// The driver has dealt with everything that it received.
    pub(crate) fn round_done(&self) {
        self.round.notify_waiters();
    }

    /// The driver, which calls this itself, has received something; the next sleep is skipped.
    pub(crate) fn received(&self) {
        if self.hurrying.load(Ordering::Acquire) {
            self.nudged.store(true, Ordering::Release);
        }
    }

    /// A connectivity check was answered. The leap follows at the end of the round, so that the answer
    /// itself is still handled at its own time.
    pub(crate) fn answered(&self) {
        self.leap_due.store(true, Ordering::Relaxed);
    }

    /// Moves the clock ahead after an outage, if something waits for that. True if it did.
    pub(crate) fn catch_up(&self, look: Look) -> bool {
        let in_flight = look.again.is_none().then_some(look.in_flight);
        let step = self.catch_up.step(Instant::now, in_flight);
        if let Some(step) = step {
            self.ahead.fetch_add(nanos(step), Ordering::Relaxed);
        }
        step.is_some()
    }

    /// Makes the next ICE tick due now.
    fn leap(&self) {
        let left = self
            .leaps_left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if left.is_ok() {
            self.ahead.fetch_add(nanos(self.tick), Ordering::Relaxed);
        }
    }

    /// Whether packets are worth a look.
    pub(crate) fn is_hurrying(&self) -> bool {
        self.hurrying.load(Ordering::Acquire)
    }

    /// How long the driver may sleep instead of `wanted`.
    pub(crate) fn allow(&self, wanted: Duration) -> Duration {
        if !self.is_hurrying() {
            return wanted;
        }
        if Instant::now() > *self.hurry_until() {
            self.calm();
            return wanted;
        }
        if self.leap_due.swap(false, Ordering::Relaxed) {
            self.leap();
        }
        wanted.min(BACKSTOP)
    }

    /// Whether the sleep that polls this is to end now; otherwise it is woken when it is.
    pub(crate) fn poll_nudged(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.nudged.swap(false, Ordering::AcqRel) {
            return Poll::Ready(());
        }
        self.driver.register(cx.waker());
        if self.nudged.swap(false, Ordering::AcqRel) { Poll::Ready(()) } else { Poll::Pending }
    }

    fn hurry_until(&self) -> MutexGuard<'_, Instant> {
        self.hurry_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(0)
}

/// Nothing comes in from the network while this lives.
#[derive(Debug)]
pub(crate) struct Silence<'a>(&'a Pulse);

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        self.0.silences.fetch_sub(1, Ordering::AcqRel);
    }
}
