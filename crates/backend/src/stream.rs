//! Events as a stream, whatever an engine makes them from.

use std::{
    fmt::Debug,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use futures_core::Stream;

use crate::MaybeSend;

/// The events of one channel or track, in order.
// The mutex is never locked: it makes what holds the events `Sync`, which the stream need not be.
pub struct EventStream<T>(Mutex<Inner<T>>);

#[cfg(not(target_arch = "wasm32"))]
type Inner<T> = Pin<Box<dyn Stream<Item = T> + Send>>;
#[cfg(target_arch = "wasm32")]
type Inner<T> = Pin<Box<dyn Stream<Item = T>>>;

impl<T> EventStream<T> {
    /// Wraps what an engine delivers. The stream must end after the last event of its kind.
    pub fn new(events: impl Stream<Item = T> + MaybeSend + 'static) -> Self {
        Self(Mutex::new(Box::pin(events)))
    }

    /// The next event, `None` after the last one. Cancel-safe.
    pub async fn recv(&mut self) -> Option<T> {
        std::future::poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// [`recv`](Self::recv) for implementors of streams.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let events = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        events.as_mut().poll_next(cx)
    }
}

impl<T> Stream for EventStream<T> {
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
