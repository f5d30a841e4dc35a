//! The outbox of a connection: the frames that wait to be sent, bounded by number and by bytes.

use std::{collections::VecDeque, sync::Mutex};

use bytes::Bytes;
use tokio::sync::Notify;

use super::CloseReason;
use crate::shared::lock;

/// How much an outbox holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutboxLimits {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
}

/// Many push, one connection's task takes.
#[derive(Debug)]
pub(crate) struct Outbox {
    limits: OutboxLimits,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Bytes>,
    queued_bytes: usize,
    /// What was taken last and may not be written yet: it still takes memory.
    taken_frames: usize,
    taken_bytes: usize,
    closed: Option<CloseReason>,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    Queued,
    /// The outbox was closed before.
    Closed,
    /// There was no room; this has closed the outbox.
    Overflow,
}

/// What the task has to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Send(VecDeque<Bytes>),
    Close(CloseReason),
}

impl Outbox {
    pub(crate) fn new(limits: OutboxLimits) -> Self {
        Self { limits, state: Mutex::default(), changed: Notify::new() }
    }

    /// Queues a frame. Never waits: a full outbox is closed, so that nobody else waits for its client.
    pub(crate) fn push(&self, frame: Bytes) -> Pushed {
        let mut state = lock(&self.state);
        if state.closed.is_some() {
            return Pushed::Closed;
        }
        let frames = state.queue.len() + state.taken_frames;
        let bytes = state.queued_bytes + state.taken_bytes;
        // An empty outbox takes any frame: escaped, one may be larger than the sender's limit.
        let full = frames >= self.limits.frames
            || (frames > 0 && bytes.saturating_add(frame.len()) > self.limits.bytes);
        let pushed = if full {
            state.close(CloseReason::SlowConsumer);
            Pushed::Overflow
        } else {
            state.queued_bytes += frame.len();
            state.queue.push_back(frame);
            Pushed::Queued
        };
        drop(state);
        self.changed.notify_one();
        pushed
    }

    /// Takes no more frames; the first reason counts.
    pub(crate) fn close(&self, reason: CloseReason) {
        lock(&self.state).close(reason);
        self.changed.notify_one();
    }

    /// Waits for something to do. To call it again says that what it gave before has been written.
    pub(super) async fn next(&self) -> Next {
        loop {
            if let Some(next) = lock(&self.state).next() {
                return next;
            }
            self.changed.notified().await;
        }
    }

    /// Waits until it makes no sense any more to write what was taken.
    pub(super) async fn given_up(&self) -> CloseReason {
        loop {
            let closed = lock(&self.state).closed;
            if let Some(reason) = closed.filter(|reason| reason.discards()) {
                return reason;
            }
            self.changed.notified().await;
        }
    }
}

impl State {
    fn close(&mut self, reason: CloseReason) {
        if self.closed.is_some() {
            return;
        }
        self.closed = Some(reason);
        if reason.discards() {
            self.queue = VecDeque::new();
            self.queued_bytes = 0;
        }
    }

    fn next(&mut self) -> Option<Next> {
        (self.taken_frames, self.taken_bytes) = (0, 0);
        if !self.queue.is_empty() {
            self.taken_frames = self.queue.len();
            self.taken_bytes = std::mem::take(&mut self.queued_bytes);
            // The whole queue goes, with its memory: an idle connection holds none.
            return Some(Next::Send(std::mem::take(&mut self.queue)));
        }
        self.closed.map(Next::Close)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const LIMITS: OutboxLimits = OutboxLimits { frames: 3, bytes: 100 };

    fn frame(len: usize) -> Bytes {
        vec![b'x'; len].into()
    }

    #[tokio::test]
    async fn frames_come_out_in_order_and_at_once() {
        let outbox = Outbox::new(LIMITS);
        assert_eq!(outbox.push(frame(1)), Pushed::Queued);
        assert_eq!(outbox.push(frame(2)), Pushed::Queued);
        assert_eq!(outbox.next().await, Next::Send([frame(1), frame(2)].into()));
    }

    #[tokio::test]
    async fn what_is_being_written_still_counts() {
        let outbox = Outbox::new(LIMITS);
        for _ in 0..2 {
            assert_eq!(outbox.push(frame(1)), Pushed::Queued);
        }
        let _writing = outbox.next().await;
        assert_eq!(outbox.push(frame(1)), Pushed::Queued);
        assert_eq!(outbox.push(frame(1)), Pushed::Overflow);
        assert_eq!(outbox.push(frame(1)), Pushed::Closed);
        assert_eq!(outbox.given_up().await, CloseReason::SlowConsumer);
        assert_eq!(outbox.next().await, Next::Close(CloseReason::SlowConsumer));
    }

    #[tokio::test]
    async fn bytes_are_bounded_but_one_frame_always_fits() {
        let outbox = Outbox::new(LIMITS);
        assert_eq!(outbox.push(frame(500)), Pushed::Queued);
        assert_eq!(outbox.push(frame(1)), Pushed::Overflow);

        let outbox = Outbox::new(LIMITS);
        assert_eq!(outbox.push(frame(60)), Pushed::Queued);
        assert_eq!(outbox.push(frame(40)), Pushed::Queued);
        assert!(matches!(outbox.next().await, Next::Send(_)));
        outbox.close(CloseReason::GoingAway);
        assert_eq!(outbox.next().await, Next::Close(CloseReason::GoingAway));
    }

    #[tokio::test]
    async fn a_farewell_comes_after_what_was_queued() {
        let outbox = Outbox::new(LIMITS);
        outbox.push(frame(1));
        outbox.close(CloseReason::GoingAway);
        outbox.close(CloseReason::TooFast);
        assert_eq!(outbox.push(frame(1)), Pushed::Closed);
        assert_eq!(outbox.next().await, Next::Send([frame(1)].into()));
        let given_up = timeout(Duration::from_millis(10), outbox.given_up()).await;
        assert!(given_up.is_err(), "the queue is still worth sending");
        assert_eq!(outbox.next().await, Next::Close(CloseReason::GoingAway));
    }

    #[tokio::test]
    async fn a_push_wakes_who_waits() {
        let outbox = std::sync::Arc::new(Outbox::new(LIMITS));
        let waiting = tokio::spawn({
            let outbox = outbox.clone();
            async move { outbox.next().await }
        });
        tokio::task::yield_now().await;
        outbox.push(frame(7));
        assert_eq!(waiting.await.unwrap(), Next::Send([frame(7)].into()));
    }
}
