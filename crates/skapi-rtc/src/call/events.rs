//! What happens to a call: a bounded log, from which any number of listeners read.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use skapi_rtc_backend::{CandidatePair, ConnectionState};
use skapi_rtc_signaling::{CallEnd, ChangeError};
use tokio::sync::watch;

/// Events that are kept. A listener that is further behind misses the oldest.
const MAX_KEPT: usize = 64;

/// What a call reports, from its beginning to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallEvent {
    /// It rings at the other side. A peer with Skapi's own client does not say so.
    Ringing,
    /// The other side has accepted; the connection is not up yet.
    Accepted,
    /// The call is up: data and media flow.
    Connected,
    /// The state of the peer connection changed.
    ConnectionState(ConnectionState),
    /// The pair of candidates that carries the traffic was chosen or has changed.
    SelectedPair(CandidatePair),
    /// The connection is interrupted, and searched for.
    Reconnecting,
    /// It came back.
    Reconnected,
    /// A track or data channel that was added to or removed from the running call has not reached the peer; the
    /// call goes on as it was. It is tried again, and this told again, until the track is
    /// [removed](crate::Call::remove_track).
    ChangeFailed(ChangeError),
    /// The call is over. Last event.
    Ended(CallEnd),
}

/// The events of a call. One that does not read misses those that are more than 64 behind, never the last.
#[derive(Debug)]
pub struct CallEvents {
    log: Arc<EventLog>,
    changed: watch::Receiver<u64>,
    next: u64,
}

impl CallEvents {
    /// The next event; `None` after [`CallEvent::Ended`]. Cancel-safe.
    pub async fn next(&mut self) -> Option<CallEvent> {
        loop {
            // Seen before the look, so that what comes between is not missed.
            self.changed.borrow_and_update();
            if let Some(event) = self.log.at(&mut self.next) {
                return Some(event);
            }
            if self.log.is_over() {
                return None;
            }
            self.changed.changed().await.ok()?;
        }
    }
}

/// The latest events of a call.
#[derive(Debug)]
pub(crate) struct EventLog {
    log: Mutex<Log>,
    /// How many events there have been.
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Log {
    kept: VecDeque<CallEvent>,
    /// The number of the event after the last one.
    end: u64,
}

impl Log {
    fn is_over(&self) -> bool {
        matches!(self.kept.back(), Some(CallEvent::Ended(_)))
    }

    fn begin(&self) -> u64 {
        self.end - self.kept.len() as u64
    }
}

impl EventLog {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { log: Mutex::default(), changed: watch::Sender::new(0) })
    }

    /// Something happened. After the end nothing does.
    pub(crate) fn push(&self, event: CallEvent) {
        let end = {
            let mut log = self.lock();
            if log.is_over() {
                return;
            }
            if log.kept.len() == MAX_KEPT {
                log.kept.pop_front();
            }
            log.kept.push_back(event);
            log.end += 1;
            log.end
        };
        self.changed.send_replace(end);
    }

    /// All events, from the call's beginning on as far as they are kept.
    pub(crate) fn from_the_beginning(self: &Arc<Self>) -> CallEvents {
        CallEvents { log: self.clone(), changed: self.changed.subscribe(), next: 0 }
    }

    /// The events from now on; of a call that is over, its end.
    pub(crate) fn from_now_on(self: &Arc<Self>) -> CallEvents {
        let next = {
            let log = self.lock();
            log.end - u64::from(log.is_over())
        };
        CallEvents { log: self.clone(), changed: self.changed.subscribe(), next }
    }

    /// The event with this number, or the oldest after it; counts on.
    fn at(&self, next: &mut u64) -> Option<CallEvent> {
        let log = self.lock();
        *next = (*next).max(log.begin());
        let index = usize::try_from(*next - log.begin()).ok()?;
        let event = log.kept.get(index)?.clone();
        *next += 1;
        Some(event)
    }

    fn is_over(&self) -> bool {
        self.lock().is_over()
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use skapi_rtc_signaling::{EndReason, Side};

    use super::*;

    fn end() -> CallEvent {
        CallEvent::Ended(CallEnd { reason: EndReason::HungUp, by: Side::Local })
    }

    #[tokio::test]
    async fn everything_is_told_in_order_and_nothing_after_the_end() {
        let log = EventLog::new();
        log.push(CallEvent::Ringing);
        let (mut all, mut late) = (log.from_the_beginning(), log.from_now_on());
        for event in [CallEvent::Accepted, end(), CallEvent::Reconnecting] {
            log.push(event);
        }
        for expected in [CallEvent::Ringing, CallEvent::Accepted, end()] {
            assert_eq!(all.next().await, Some(expected));
        }
        assert_eq!((all.next().await, all.next().await), (None, None));
        assert_eq!(late.next().await, Some(CallEvent::Accepted));
        assert_eq!(log.from_now_on().next().await, Some(end()));
    }

    #[tokio::test]
    async fn who_does_not_read_misses_the_oldest_and_never_the_last() {
        let log = EventLog::new();
        let mut events = log.from_the_beginning();
        for _ in 0..1000 {
            log.push(CallEvent::Reconnecting);
        }
        log.push(end());
        let mut count = 0;
        let mut last = None;
        while let Some(event) = events.next().await {
            (count, last) = (count + 1, Some(event));
        }
        assert_eq!((count, last), (MAX_KEPT, Some(end())));
    }
}
