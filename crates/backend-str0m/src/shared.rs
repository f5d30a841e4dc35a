//! What the handles of one connection and its driver share.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use skapi_rtc_backend::{
    ChannelHandle, ConnectionState, EventSender, PeerEvent, PeerEvents, TrySendError, queue,
};
use tokio::sync::Notify;

use crate::{gate::Gate, port::Port};

/// Events that may wait for their reader. Only channels that the peer opens can come in numbers, and
/// those are refused when the queue is full.
const MAX_EVENTS: usize = 1024;

pub(crate) struct Shared {
    pub(crate) gate: Arc<Gate>,
    /// Wakes the driver.
    pub(crate) wake: Arc<Notify>,
    /// What was negotiated, or what we offer before that.
    max_message_size: AtomicUsize,
    /// Whether `close` was called, or the last handle dropped.
    closing: AtomicBool,
    state: Mutex<State>,
}

struct State {
    /// Gone once the connection is over.
    events: Option<EventSender<PeerEvent>>,
    /// Channels that the driver has to look at.
    called: Vec<Arc<Port>>,
}

impl Shared {
    pub(crate) fn new(receive_buffer: usize, max_message_size: usize) -> (Arc<Self>, PeerEvents) {
        let (events, reader) = queue(MAX_EVENTS, usize::MAX);
        let wake = Arc::<Notify>::default();
        let shared = Self {
            gate: Gate::new(receive_buffer, wake.clone()),
            wake,
            max_message_size: AtomicUsize::new(max_message_size),
            closing: AtomicBool::new(false),
            state: Mutex::new(State { events: Some(events), called: Vec::new() }),
        };
        (Arc::new(shared), reader)
    }

    pub(crate) fn max_message_size(&self) -> usize {
        self.max_message_size.load(Ordering::Relaxed)
    }

    pub(crate) fn set_max_message_size(&self, bytes: usize) {
        self.max_message_size.store(bytes, Ordering::Relaxed);
    }

    /// Has the driver close the connection.
    pub(crate) fn start_closing(&self) {
        self.closing.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Has the driver look at a channel.
    pub(crate) fn call(&self, port: Arc<Port>) {
        let mut state = self.state();
        if state.events.is_some() {
            state.called.push(port);
            drop(state);
            self.wake.notify_one();
        }
    }

    /// The channels that the driver has to look at.
    pub(crate) fn take_called(&self) -> Vec<Arc<Port>> {
        std::mem::take(&mut self.state().called)
    }

    /// Queues an event of a kind that is rare by nature, and must not be lost.
    pub(crate) fn emit(&self, event: PeerEvent) {
        if let Some(events) = &self.state().events {
            events.force_send(event);
        }
    }

    /// Queues a channel that the peer opened. It comes back when the reader is too far behind: there is
    /// no end to what a peer can open.
    pub(crate) fn emit_channel(&self, channel: ChannelHandle) -> Option<ChannelHandle> {
        let state = self.state();
        match state.events.as_ref()?.try_send(PeerEvent::Channel(channel)) {
            Err(TrySendError::Full(PeerEvent::Channel(channel))) => Some(channel),
            _ => None,
        }
    }

    /// Ends the events.
    pub(crate) fn finish(&self) {
        self.closing.store(true, Ordering::Release);
        let (events, called) = {
            let mut state = self.state();
            (state.events.take(), std::mem::take(&mut state.called))
        };
        drop(called);
        if let Some(events) = events {
            events.force_send(PeerEvent::State(ConnectionState::Closed));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code of others runs under the lock, so a poisoned state is still a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}
