//! One of the browser's data channels, as long as it lives: its callbacks, its room, its end.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
};

use gloo_events::EventListener;
use js_sys::Uint8Array;
use skapi_rtc_backend::{
    ChannelEvent, ChannelEvents, ChannelState, EventSender, Message, Reliability, TrySendError,
    queue,
};
use tokio::sync::Notify;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    MessageEvent, RtcDataChannel, RtcDataChannelState as NativeState, RtcDataChannelType,
};

use crate::{convert, shared::Shared};

/// Bytes that wait in the browser to be sent, before a sender waits too.
const CAPACITY: usize = 1024 * 1024;
/// Below this there is room again.
const RELIEVED: usize = CAPACITY / 2;
/// Messages that may wait unread.
const MAX_UNREAD: usize = 65_536;
/// Bytes of messages that may wait unread in a channel before it is closed; a lossy one loses what comes then.
pub const MAX_UNREAD_BYTES: usize = 64 * 1024 * 1024;

pub(crate) struct Line {
    pub(crate) native: RtcDataChannel,
    pub(crate) reliability: Reliability,
    events: RefCell<Option<EventSender<ChannelEvent>>>,
    listeners: RefCell<Vec<EventListener>>,
    /// Whether the page itself reads the messages.
    page_reads: bool,
    opened: Cell<bool>,
    room: Notify,
    waiting: Cell<usize>,
    low_threshold: Cell<usize>,
    /// The buffered amount has been above the threshold since it was last reported low.
    was_above: Cell<bool>,
    shared: Weak<Shared>,
}

impl Line {
    pub(crate) fn new(
        native: RtcDataChannel,
        page_reads: bool,
        shared: Weak<Shared>,
    ) -> (Rc<Self>, ChannelEvents) {
        let (sender, receiver) = queue(MAX_UNREAD, MAX_UNREAD_BYTES);
        if !page_reads {
            native.set_binary_type(RtcDataChannelType::Arraybuffer);
        }
        let line = Rc::new(Self {
            reliability: convert::reliability(&native),
            native,
            events: RefCell::new(Some(sender)),
            listeners: RefCell::default(),
            page_reads,
            opened: Cell::new(false),
            room: Notify::new(),
            waiting: Cell::new(0),
            low_threshold: Cell::new(0),
            was_above: Cell::new(false),
            shared,
        });
        line.listen();
        if line.native.ready_state() == NativeState::Open {
            line.on_open();
        }
        (line, ChannelEvents::new(receiver))
    }

    pub(crate) fn state(&self) -> ChannelState {
        if self.events.borrow().is_none() {
            return ChannelState::Closed;
        }
        match self.native.ready_state() {
            NativeState::Connecting => ChannelState::Connecting,
            NativeState::Open => ChannelState::Open,
            NativeState::Closing => ChannelState::Closing,
            _ => ChannelState::Closed,
        }
    }

    pub(crate) fn buffered(&self) -> usize {
        self.native.buffered_amount() as usize
    }

    /// Whether a message may be handed to the browser now. Where not, the browser will say when.
    pub(crate) fn has_room(&self, size: usize) -> bool {
        let buffered = self.buffered();
        buffered <= RELIEVED || buffered.saturating_add(size) <= CAPACITY
    }

    pub(crate) fn hand_over(&self, message: &Message) -> Result<(), JsValue> {
        match message {
            Message::Text(text) => self.native.send_with_str(text)?,
            Message::Binary(bytes) => self.native.send_with_u8_array(bytes)?,
        }
        if self.buffered() > self.low_threshold.get() {
            self.was_above.set(true);
        }
        Ok(())
    }

    /// Waits until there may be room, or the channel is closed.
    pub(crate) async fn relieved(&self) {
        let _waiting = Waiting::begin(self);
        self.room.notified().await;
    }

    pub(crate) fn low_threshold(&self) -> usize {
        self.low_threshold.get()
    }

    pub(crate) fn set_low_threshold(&self, bytes: usize) {
        self.low_threshold.set(bytes);
        self.was_above.set(self.buffered() > bytes);
        self.arm();
    }

    /// Closes the channel; what was sent before still leaves.
    pub(crate) fn close(&self) {
        let opens_no_more = self.native.ready_state() == NativeState::Connecting;
        self.native.close();
        if opens_no_more {
            // Browsers differ in whether they tell the end of what never began.
            self.end();
        }
    }

    /// The channel is closed: last event, once.
    pub(crate) fn finish(&self) {
        if let Some(events) = self.events.take() {
            events.force_send(ChannelEvent::Closed);
        }
        self.listeners.borrow_mut().clear();
        self.room.notify_waiters();
    }

    fn end(&self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.forget(self);
        }
        self.finish();
    }

    fn listen(self: &Rc<Self>) {
        let on = |name: &'static str, act: fn(&Self, &web_sys::Event)| {
            let line = Rc::downgrade(self);
            EventListener::new(&self.native, name, move |event| {
                if let Some(line) = line.upgrade() {
                    act(&line, event);
                }
            })
        };
        let mut listeners = vec![
            on("open", |line, _| line.on_open()),
            on("bufferedamountlow", |line, _| line.on_low()),
            on("close", |line, _| line.end()),
        ];
        if !self.page_reads {
            listeners.push(on("message", |line, event| {
                if let Some(event) = event.dyn_ref::<MessageEvent>() {
                    line.on_message(&event.data());
                }
            }));
        }
        *self.listeners.borrow_mut() = listeners;
    }

    fn on_open(&self) {
        if !self.opened.replace(true) {
            self.tell(ChannelEvent::Open);
        }
    }

    fn on_message(&self, data: &JsValue) {
        let message = match data.as_string() {
            Some(text) => Message::Text(text),
            None => Message::from(Uint8Array::new(data).to_vec()),
        };
        let full = match &*self.events.borrow() {
            Some(events) => matches!(
                events.try_send(ChannelEvent::Message(message)),
                Err(TrySendError::Full(_))
            ),
            None => false,
        };
        if full && self.reliability == Reliability::Reliable {
            tracing::warn!(label = self.native.label(), "nobody reads a data channel: closed");
            self.native.close();
            self.end();
        }
    }

    fn on_low(&self) {
        self.room.notify_waiters();
        if self.buffered() <= self.low_threshold.get() && self.was_above.replace(false) {
            self.tell(ChannelEvent::BufferedAmountLow);
        }
        self.arm();
    }

    /// The browser has one threshold for the application's and for ours.
    fn arm(&self) {
        let ours = if self.waiting.get() > 0 { RELIEVED } else { 0 };
        let threshold = self.low_threshold.get().max(ours);
        self.native.set_buffered_amount_low_threshold(u32::try_from(threshold).unwrap_or(u32::MAX));
    }

    fn tell(&self, event: ChannelEvent) {
        if let Some(events) = &*self.events.borrow() {
            events.force_send(event);
        }
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("label", &self.native.label()).finish_non_exhaustive()
    }
}

/// A sender that waits for room, until it stops waiting for whatever reason.
struct Waiting<'a>(&'a Line);

impl<'a> Waiting<'a> {
    fn begin(line: &'a Line) -> Self {
        line.waiting.set(line.waiting.get() + 1);
        line.arm();
        Self(line)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get() - 1);
        self.0.arm();
    }
}
