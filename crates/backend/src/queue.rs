//! A bounded queue from an engine to its one reader: by number of items and by their weight.
//!
//! A count alone does not bound memory where one item may be 256 KiB and the next 20 bytes, so the queue
//! is full when either bound is reached. An item heavier than the whole bound still passes, alone.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use futures_core::Stream;

/// What an item counts against a queue's second bound, in bytes or whatever the queue is measured in.
pub trait Weigh {
    /// The item's weight. Default: nothing.
    fn weight(&self) -> usize {
        0
    }
}

/// The reader is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody reads the queue any more")]
pub struct Closed;

/// An item could not be queued at once; it comes back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrySendError<T> {
    /// The queue is full.
    #[error("the queue is full")]
    Full(T),
    /// The reader is gone.
    #[error("nobody reads the queue any more")]
    Closed(T),
}

/// Makes a queue that holds at most `max_items` items (at least 1) of together at most `max_weight`.
pub fn queue<T: Weigh>(max_items: usize, max_weight: usize) -> (EventSender<T>, EventReceiver<T>) {
    let shared = Arc::new(Shared {
        max_items: max_items.max(1),
        max_weight,
        state: Mutex::new(State {
            items: VecDeque::new(),
            weight: 0,
            senders: 1,
            reader_gone: false,
            reader: None,
            blocked: Vec::new(),
        }),
    });
    (EventSender { shared: shared.clone() }, EventReceiver { shared })
}

/// The engine's end of a queue. Clones feed the same queue; it ends when all are dropped.
pub struct EventSender<T: Weigh> {
    shared: Arc<Shared<T>>,
}

impl<T: Weigh> EventSender<T> {
    /// Queues an item, waiting for room. Cancelling the future loses the item.
    ///
    /// # Errors
    /// [`Closed`] when the reader is gone.
    pub async fn send(&self, item: T) -> Result<(), Closed> {
        let mut item = Some(item);
        std::future::poll_fn(|cx| {
            let Some(value) = item.take() else {
                return Poll::Ready(Ok(()));
            };
            let mut state = self.shared.lock();
            match self.shared.push(&mut state, value) {
                Ok(reader) => {
                    drop(state);
                    wake(reader);
                    Poll::Ready(Ok(()))
                }
                Err(TrySendError::Closed(_)) => Poll::Ready(Err(Closed)),
                Err(TrySendError::Full(value)) => {
                    item = Some(value);
                    if !state.blocked.iter().any(|waker| waker.will_wake(cx.waker())) {
                        state.blocked.push(cx.waker().clone());
                    }
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Queues an item if there is room.
    ///
    /// # Errors
    /// Gives the item back when the queue is full or nobody reads it.
    pub fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        let reader = {
            let mut state = self.shared.lock();
            self.shared.push(&mut state, item)?
        };
        wake(reader);
        Ok(())
    }

    /// Queues an item even when the queue is full: for the few events that must not be lost and are few
    /// by nature, such as the last one. Without effect when the reader is gone.
    pub fn force_send(&self, item: T) {
        let reader = {
            let mut state = self.shared.lock();
            if state.reader_gone {
                return;
            }
            state.weight += item.weight();
            state.items.push_back(item);
            state.reader.take()
        };
        wake(reader);
    }

    /// Whether the reader is gone.
    pub fn is_closed(&self) -> bool {
        self.shared.lock().reader_gone
    }
}

impl<T: Weigh> Clone for EventSender<T> {
    fn clone(&self) -> Self {
        self.shared.lock().senders += 1;
        Self { shared: self.shared.clone() }
    }
}

impl<T: Weigh> Drop for EventSender<T> {
    fn drop(&mut self) {
        let reader = {
            let mut state = self.shared.lock();
            state.senders -= 1;
            if state.senders == 0 { state.reader.take() } else { None }
        };
        wake(reader);
    }
}

impl<T: Weigh> std::fmt::Debug for EventSender<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EventSender")
    }
}

/// The reader's end of a queue.
pub struct EventReceiver<T: Weigh> {
    shared: Arc<Shared<T>>,
}

impl<T: Weigh> EventReceiver<T> {
    /// The next item, `None` when every sender is gone and the queue is empty. Cancel-safe.
    pub async fn recv(&mut self) -> Option<T> {
        std::future::poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The next item if there is one now.
    pub fn try_recv(&mut self) -> Option<T> {
        let (item, blocked) = {
            let mut state = self.shared.lock();
            (state.pop(), std::mem::take(&mut state.blocked))
        };
        blocked.into_iter().for_each(Waker::wake);
        item
    }

    /// [`recv`](Self::recv) for implementors of streams.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let (item, blocked) = {
            let mut state = self.shared.lock();
            let Some(item) = state.pop() else {
                if state.senders == 0 {
                    return Poll::Ready(None);
                }
                state.reader = Some(cx.waker().clone());
                return Poll::Pending;
            };
            (item, std::mem::take(&mut state.blocked))
        };
        blocked.into_iter().for_each(Waker::wake);
        Poll::Ready(Some(item))
    }
}

impl<T: Weigh> Stream for EventReceiver<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_recv(cx)
    }
}

impl<T: Weigh> Drop for EventReceiver<T> {
    fn drop(&mut self) {
        let (items, blocked) = {
            let mut state = self.shared.lock();
            state.reader_gone = true;
            (std::mem::take(&mut state.items), std::mem::take(&mut state.blocked))
        };
        // Outside the lock: an item may own another end of this very queue.
        drop(items);
        blocked.into_iter().for_each(Waker::wake);
    }
}

impl<T: Weigh> std::fmt::Debug for EventReceiver<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EventReceiver")
    }
}

struct Shared<T> {
    max_items: usize,
    max_weight: usize,
    state: Mutex<State<T>>,
}

struct State<T> {
    items: VecDeque<T>,
    weight: usize,
    senders: usize,
    reader_gone: bool,
    reader: Option<Waker>,
    blocked: Vec<Waker>,
}

impl<T: Weigh> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // No code of others runs under the lock, so a poisoned state is still a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, state: &mut State<T>, item: T) -> Result<Option<Waker>, TrySendError<T>> {
        if state.reader_gone {
            return Err(TrySendError::Closed(item));
        }
        let weight = item.weight();
        let full = state.items.len() >= self.max_items
            || (!state.items.is_empty() && state.weight.saturating_add(weight) > self.max_weight);
        if full {
            return Err(TrySendError::Full(item));
        }
        state.weight += weight;
        state.items.push_back(item);
        Ok(state.reader.take())
    }
}

impl<T: Weigh> State<T> {
    fn pop(&mut self) -> Option<T> {
        let item = self.items.pop_front()?;
        self.weight -= item.weight();
        Some(item)
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::{future::Future, pin::pin, sync::atomic::AtomicUsize, task::Wake};

    use super::*;

    /// An item that weighs what it says.
    #[derive(Debug, PartialEq, Eq)]
    struct Heavy(usize);

    impl Weigh for Heavy {
        fn weight(&self) -> usize {
            self.0
        }
    }

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }

    impl Wakes {
        fn take(&self) -> usize {
            self.0.swap(0, std::sync::atomic::Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn items_come_out_in_the_order_they_went_in() {
        let (sender, mut receiver) = queue(8, usize::MAX);
        let second = sender.clone();
        sender.send(Heavy(1)).await.unwrap();
        second.try_send(Heavy(2)).unwrap();
        sender.force_send(Heavy(3));
        drop((sender, second));
        for expected in 1..=3 {
            assert_eq!(receiver.recv().await, Some(Heavy(expected)));
        }
        assert_eq!(receiver.recv().await, None, "every sender is gone");
    }

    #[test]
    fn the_number_of_items_is_bounded() {
        let (sender, mut receiver) = queue(2, usize::MAX);
        sender.try_send(Heavy(0)).unwrap();
        sender.try_send(Heavy(0)).unwrap();
        assert_eq!(sender.try_send(Heavy(7)), Err(TrySendError::Full(Heavy(7))));
        assert_eq!(receiver.try_recv(), Some(Heavy(0)));
        sender.try_send(Heavy(0)).unwrap();
    }

    #[test]
    fn the_weight_is_bounded() {
        let (sender, mut receiver) = queue(100, 10);
        sender.try_send(Heavy(6)).unwrap();
        assert_eq!(sender.try_send(Heavy(5)), Err(TrySendError::Full(Heavy(5))));
        sender.try_send(Heavy(4)).unwrap();
        assert_eq!(receiver.try_recv(), Some(Heavy(6)));
        sender.try_send(Heavy(5)).unwrap();
    }

    #[test]
    fn an_item_heavier_than_the_bound_passes_alone() {
        let (sender, mut receiver) = queue(100, 10);
        sender.try_send(Heavy(11)).unwrap();
        assert!(sender.try_send(Heavy(1)).is_err(), "not beside it");
        assert_eq!(receiver.try_recv(), Some(Heavy(11)));
        sender.try_send(Heavy(1)).unwrap();
        assert!(sender.try_send(Heavy(11)).is_err(), "not behind another");
    }

    #[test]
    fn what_is_forced_in_passes_the_bounds_and_counts() {
        let (sender, mut receiver) = queue(1, 10);
        sender.force_send(Heavy(8));
        sender.force_send(Heavy(8));
        assert_eq!(receiver.try_recv(), Some(Heavy(8)));
        assert!(sender.try_send(Heavy(8)).is_err());
        assert_eq!(receiver.try_recv(), Some(Heavy(8)));
        sender.try_send(Heavy(8)).unwrap();
    }

    #[test]
    fn the_reader_is_woken_by_an_item_and_by_the_end() {
        let (sender, mut receiver) = queue(8, usize::MAX);
        let wakes = Arc::new(Wakes::default());
        let waker = wakes.clone().into();
        let mut cx = Context::from_waker(&waker);
        assert!(receiver.poll_recv(&mut cx).is_pending());
        sender.try_send(Heavy(1)).unwrap();
        assert_eq!(wakes.take(), 1);
        assert_eq!(receiver.poll_recv(&mut cx), Poll::Ready(Some(Heavy(1))));
        assert!(receiver.poll_recv(&mut cx).is_pending());
        drop(sender);
        assert_eq!(wakes.take(), 1);
        assert_eq!(receiver.poll_recv(&mut cx), Poll::Ready(None));
    }

    #[test]
    fn a_blocked_sender_is_woken_by_room_and_by_the_end() {
        let (sender, mut receiver) = queue(1, usize::MAX);
        sender.try_send(Heavy(1)).unwrap();
        let wakes = Arc::new(Wakes::default());
        let waker = wakes.clone().into();
        let mut cx = Context::from_waker(&waker);
        let mut second = pin!(sender.send(Heavy(2)));
        let mut third = pin!(sender.send(Heavy(3)));
        assert!(second.as_mut().poll(&mut cx).is_pending());
        assert!(third.as_mut().poll(&mut cx).is_pending());
        assert_eq!(receiver.try_recv(), Some(Heavy(1)));
        assert!(wakes.take() > 0);
        assert_eq!(second.as_mut().poll(&mut cx), Poll::Ready(Ok(())));
        assert!(third.as_mut().poll(&mut cx).is_pending(), "no room for both");
        drop(receiver);
        assert!(wakes.take() > 0);
        assert_eq!(third.as_mut().poll(&mut cx), Poll::Ready(Err(Closed)));
    }

    #[test]
    fn a_cancelled_send_leaves_nothing_behind() {
        let (sender, mut receiver) = queue(1, usize::MAX);
        sender.try_send(Heavy(1)).unwrap();
        {
            let mut cancelled = pin!(sender.send(Heavy(2)));
            let waker = Waker::noop();
            assert!(cancelled.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        }
        assert_eq!(receiver.try_recv(), Some(Heavy(1)));
        assert_eq!(receiver.try_recv(), None);
        sender.try_send(Heavy(3)).unwrap();
    }

    #[tokio::test]
    async fn senders_learn_that_the_reader_is_gone() {
        let (sender, receiver) = queue(1, usize::MAX);
        assert!(!sender.is_closed());
        drop(receiver);
        assert!(sender.is_closed());
        assert_eq!(sender.send(Heavy(1)).await, Err(Closed));
        assert_eq!(sender.try_send(Heavy(2)), Err(TrySendError::Closed(Heavy(2))));
        sender.force_send(Heavy(3));
    }

    #[tokio::test]
    async fn many_tasks_get_through_a_narrow_queue() {
        const TASKS: usize = 8;
        const ITEMS: usize = 200;
        let (sender, mut receiver) = queue(3, 10);
        for task in 0..TASKS {
            let sender = sender.clone();
            tokio::spawn(async move {
                for item in 0..ITEMS {
                    sender.send(Heavy((task + item) % 12)).await.unwrap();
                    tokio::task::yield_now().await;
                }
            });
        }
        drop(sender);
        let mut received = 0;
        while receiver.recv().await.is_some() {
            received += 1;
        }
        assert_eq!(received, TASKS * ITEMS);
    }

    #[test]
    fn an_item_may_own_the_other_end_of_its_queue() {
        struct Loop(#[expect(dead_code, reason = "owned, not used")] Option<EventSender<Loop>>);
        impl Weigh for Loop {}
        let (sender, receiver) = queue(1, usize::MAX);
        let inner = sender.clone();
        sender.force_send(Loop(Some(inner)));
        drop(sender);
        drop(receiver);
    }
}
