//! What the handles of one connection and its driver share.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use skapi_rtc_backend::{ConnectionState, EventSender, PeerEvent, PeerEvents, TrySendError, queue};
use tokio::sync::Notify;

use crate::{
    channel::Channel,
    gate::Gate,
    media::{Asking, Local},
};

/// Events that may wait for their reader. Only channels that the peer opens and tracks that it adds can
/// come in numbers, and those are refused when the queue is full.
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
    called: Vec<Arc<Channel>>,
    media_calls: Vec<MediaCall>,
}

/// What a track has to do with the driver.
pub(crate) enum MediaCall {
    /// There is something to send.
    Send(Arc<Local>),
    /// The reader needs a key frame.
    Keyframe(Arc<Asking>),
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
            state: Mutex::new(State {
                events: Some(events),
                called: Vec::new(),
                media_calls: Vec::new(),
            }),
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
    pub(crate) fn call(&self, channel: Arc<Channel>) {
        let mut state = self.state();
        if state.events.is_some() {
            state.called.push(channel);
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Has the driver send what a track has.
    pub(crate) fn call_track(&self, track: Arc<Local>) {
        self.call_for_media(MediaCall::Send(track));
    }

    /// Has the driver ask for a key frame.
    pub(crate) fn call_for_keyframe(&self, asking: Arc<Asking>) {
        self.call_for_media(MediaCall::Keyframe(asking));
    }

    fn call_for_media(&self, call: MediaCall) {
        let mut state = self.state();
        if state.events.is_some() {
            state.media_calls.push(call);
            drop(state);
            self.wake.notify_one();
        }
    }

    pub(crate) fn take_media_calls(&self) -> Vec<MediaCall> {
        std::mem::take(&mut self.state().media_calls)
    }

    /// The channels that the driver has to look at.
    pub(crate) fn take_called(&self) -> Vec<Arc<Channel>> {
        std::mem::take(&mut self.state().called)
    }

    /// Queues an event of a kind that is rare by nature, and must not be lost.
    pub(crate) fn emit(&self, event: PeerEvent) {
        if let Some(events) = &self.state().events {
            events.force_send(event);
        }
    }

    /// Queues something that the peer made. It comes back when the reader is too far behind: there is no
    /// end to what a peer can make.
    pub(crate) fn try_emit(&self, event: PeerEvent) -> Option<PeerEvent> {
        let state = self.state();
        match state.events.as_ref()?.try_send(event) {
            Err(TrySendError::Full(event)) => Some(event),
            _ => None,
        }
    }

    /// Ends the events.
    pub(crate) fn finish(&self) {
        self.closing.store(true, Ordering::Release);
        let (events, called, media_calls) = {
            let mut state = self.state();
            let called = std::mem::take(&mut state.called);
            (state.events.take(), called, std::mem::take(&mut state.media_calls))
        };
        drop((called, media_calls));
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
