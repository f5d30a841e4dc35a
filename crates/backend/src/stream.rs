//! Events as a stream, whatever an engine makes them from.

use std::{
    fmt::Debug,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use futures_core::Stream;

use crate::MaybeSend;

/// Which event of its kind is the last one.
pub trait Last {
    /// Whether nothing comes after it.
    fn is_last(&self) -> bool;
}

/// The events of one channel or track, in order. It ends after the [last](Last) one.
pub struct EventStream<T> {
    /// Never locked: the mutex makes what holds the events `Sync`, which the stream need not be. `None`
    /// after the last event.
    events: Mutex<Option<Inner<T>>>,
}

#[cfg(not(target_arch = "wasm32"))]
type Inner<T> = Pin<Box<dyn Stream<Item = T> + Send>>;
#[cfg(target_arch = "wasm32")]
type Inner<T> = Pin<Box<dyn Stream<Item = T>>>;

impl<T: Last> EventStream<T> {
    /// Wraps what an engine delivers, up to the last event of its kind.
    pub fn new(events: impl Stream<Item = T> + MaybeSend + 'static) -> Self {
        Self { events: Mutex::new(Some(Box::pin(events))) }
    }

    /// The next event, `None` after the last one. Cancel-safe.
    pub async fn recv(&mut self) -> Option<T> {
        std::future::poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// [`recv`](Self::recv) for implementors of streams.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let events = self.events.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = events else {
            return Poll::Ready(None);
        };
        let event = ready!(open.as_mut().poll_next(cx));
        if event.as_ref().is_none_or(Last::is_last) {
            *events = None;
        }
        Poll::Ready(event)
    }
}

impl<T: Last> Stream for EventStream<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_recv(cx)
    }
}

impl<T> Debug for EventStream<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EventStream")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChannelEvent, queue};

    #[tokio::test]
    async fn nothing_comes_after_the_last_event() {
        let (sender, receiver) = queue(8, usize::MAX);
        let mut events = EventStream::new(receiver);
        for event in [ChannelEvent::Open, ChannelEvent::Closed, ChannelEvent::Open] {
            sender.force_send(event);
        }
        assert_eq!(events.recv().await, Some(ChannelEvent::Open));
        assert_eq!(events.recv().await, Some(ChannelEvent::Closed));
        assert_eq!(events.recv().await, None);
        assert!(sender.is_closed(), "what can never be read is let go");
    }
}
