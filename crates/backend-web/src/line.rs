//! One of the browser's data channels, as long as it lives: its callbacks, its room, its end.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
};

use gloo_events::EventListener;
use gloo_timers::future::TimeoutFuture;
use js_sys::Uint8Array;
use skapi_rtc_backend::{
    ChannelEvent, ChannelEvents, ChannelInit, ChannelState, EventSender, Message, Reliability,
    TrySendError, queue,
};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{
    Event, MessageEvent, RtcDataChannel, RtcDataChannelState as NativeState, RtcDataChannelType,
};

use crate::{convert, room::Room, shared::Shared};

/// Messages that may wait unread.
const MAX_UNREAD: usize = 65_536;
/// Bytes of messages that may wait unread in a channel before it is closed; a lossy one loses what comes then.
pub const MAX_UNREAD_BYTES: usize = 64 * 1024 * 1024;
/// How long after it was opened a channel is not closed without a sign that the peer's page knows of it. What
/// arrives in Chromium (156) together with its end, before the page was told of the channel, is dropped there.
const KNOWN_AFTER_MS: u32 = 1_000;

pub(crate) struct Line {
    pub(crate) native: RtcDataChannel,
    pub(crate) init: ChannelInit,
    events: RefCell<Option<EventSender<ChannelEvent>>>,
    listeners: RefCell<Vec<EventListener>>,
    /// Whether the page itself reads the messages.
    page_reads: bool,
    /// Whoever uses the channel may know of it, so that it may open.
    announced: Cell<bool>,
    /// The browser told before that it is open.
    early_open: Cell<bool>,
    opened: Cell<bool>,
    /// The peer's page opened the channel, agreed on it, has sent something, or had the time to hear of it.
    known_there: Cell<bool>,
    closing: Cell<bool>,
    room: Room,
    low_threshold: Cell<usize>,
    /// The buffered amount has been above the threshold since it was last reported low.
    was_above: Cell<bool>,
    shared: Weak<Shared>,
}

impl Line {
    pub(crate) fn new(
        native: RtcDataChannel,
        from_peer: bool,
        agreed: Option<u16>,
        page_reads: bool,
        shared: Weak<Shared>,
    ) -> (Rc<Self>, ChannelEvents) {
        let (sender, receiver) = queue(MAX_UNREAD, MAX_UNREAD_BYTES);
        if !page_reads {
            native.set_binary_type(RtcDataChannelType::Arraybuffer);
        }
        let line = Rc::new(Self {
            init: convert::init_of(&native, agreed),
            native,
            events: RefCell::new(Some(sender)),
            listeners: RefCell::default(),
            page_reads,
            opened: Cell::new(false),
            announced: Cell::new(!from_peer),
            early_open: Cell::new(false),
            known_there: Cell::new(from_peer || agreed.is_some()),
            closing: Cell::new(false),
            room: Room::default(),
            low_threshold: Cell::new(0),
            was_above: Cell::new(false),
            shared,
        });
        line.listen();
        (line, ChannelEvents::new(receiver))
    }

    pub(crate) fn state(&self) -> ChannelState {
        if self.is_over() {
            return ChannelState::Closed;
        }
        match self.native.ready_state() {
            NativeState::Connecting => ChannelState::Connecting,
            NativeState::Open if self.closing.get() => ChannelState::Closing,
            NativeState::Open => ChannelState::Open,
            NativeState::Closing => ChannelState::Closing,
            _ => ChannelState::Closed,
        }
    }

    pub(crate) fn buffered(&self) -> usize {
        // The browser goes on counting what a channel will never send.
        if self.is_over() { 0 } else { self.native.buffered_amount() as usize }
    }

    fn is_over(&self) -> bool {
        self.events.borrow().is_none()
    }

    /// Whether a message may be handed to the browser now.
    pub(crate) fn has_room(&self, size: usize) -> bool {
        self.room.is_for(size, self.buffered())
    }

    pub(crate) fn hand_over(self: &Rc<Self>, message: &Message) -> Result<(), JsValue> {
        match message {
            Message::Text(text) => self.native.send_with_str(text)?,
            Message::Binary(bytes) => self.native.send_with_u8_array(bytes)?,
        }
        if self.buffered() > self.low_threshold.get() {
            self.was_above.set(true);
        }
        if self.room.take(message.len()) {
            self.see_empty_ones_through();
        }
        Ok(())
    }

    /// Waits until there may be room, or the channel is closed.
    pub(crate) async fn relieved(&self) {
        let _waiting = Waiting::begin(self);
        self.room.relieved().await;
    }

    fn see_empty_ones_through(self: &Rc<Self>) {
        let (line, Some(shared)) = (self.clone(), self.shared.upgrade()) else { return };
        spawn_local(async move {
            shared.asked().await;
            line.room.forget_empty();
        });
    }

    pub(crate) fn low_threshold(&self) -> usize {
        self.low_threshold.get()
    }

    pub(crate) fn set_low_threshold(&self, bytes: usize) {
        self.low_threshold.set(bytes);
        self.was_above.set(self.buffered() > bytes);
        self.arm();
    }

    /// Closes the channel; what was sent before still leaves, and arrives.
    pub(crate) fn close(&self) {
        self.closing.set(true);
        // Whoever waits for room is told.
        self.room.tell();
        let opens_no_more = self.native.ready_state() == NativeState::Connecting;
        if opens_no_more || self.known_there.get() {
            self.native.close();
        }
        if opens_no_more {
            // Browsers differ in whether they tell the end of what never began.
            self.end();
        }
    }

    /// The peer's page knows the channel by now, so that what is still to come reaches it.
    fn is_known_there(&self) {
        if !self.known_there.replace(true) && self.closing.get() {
            self.native.close();
        }
    }

    /// The channel is closed: last event, once.
    pub(crate) fn finish(&self) {
        if let Some(events) = self.events.take() {
            events.force_send(ChannelEvent::Closed);
        }
        self.listeners.borrow_mut().clear();
        self.room.tell();
    }

    fn end(&self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.forget(self);
        }
        self.finish();
    }

    fn listen(self: &Rc<Self>) {
        let on = |name: &'static str, act: fn(&Rc<Self>, &Event)| {
            let line = Rc::downgrade(self);
            EventListener::new(&self.native, name, move |event| {
                if let Some(line) = line.upgrade() {
                    act(&line, event);
                }
            })
        };
        let listeners = vec![
            on("open", Self::on_open),
            on("bufferedamountlow", |line, _| line.on_low()),
            on("close", |line, _| line.end()),
            on("message", Self::on_message),
        ];
        *self.listeners.borrow_mut() = listeners;
    }

    /// A channel that the peer opened is told about: it opens once it is open, for the page too.
    pub(crate) fn announce(self: &Rc<Self>) {
        if self.announced.replace(true) || self.native.ready_state() == NativeState::Connecting {
            return;
        }
        self.open();
        let page_waits = self.early_open.get() && !self.is_over();
        if let (true, Ok(event)) = (page_waits, Event::new("open")) {
            let _ = self.native.dispatch_event(&event);
        }
    }

    fn on_open(self: &Rc<Self>, event: &Event) {
        if self.announced.get() {
            self.open();
        } else {
            // We were the first to listen, so nobody else has heard of it.
            event.stop_immediate_propagation();
            self.early_open.set(true);
        }
    }

    fn open(self: &Rc<Self>) {
        if self.opened.replace(true) {
            return;
        }
        self.tell(ChannelEvent::Open);
        if !self.known_there.get() {
            let line = self.clone();
            spawn_local(async move {
                TimeoutFuture::new(KNOWN_AFTER_MS).await;
                line.is_known_there();
            });
        }
    }

    fn on_message(self: &Rc<Self>, event: &Event) {
        self.announce();
        self.is_known_there();
        if let (false, Some(event)) = (self.page_reads, event.dyn_ref::<MessageEvent>()) {
            self.receive(&event.data());
        }
    }

    fn receive(&self, data: &JsValue) {
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
        if full && self.init.reliability == Reliability::Reliable {
            tracing::warn!(label = self.native.label(), "nobody reads a data channel: closed");
            self.native.close();
            self.end();
        }
    }

    fn on_low(&self) {
        self.room.tell();
        if self.buffered() <= self.low_threshold.get() && self.was_above.replace(false) {
            self.tell(ChannelEvent::BufferedAmountLow);
        }
        self.arm();
    }

    /// The browser has one threshold for the application's and for ours: the one that comes next.
    fn arm(&self) {
        let (buffered, low) = (self.buffered(), self.low_threshold.get());
        let next = match self.room.wanted(buffered) {
            Some(ours) if low >= buffered => ours,
            Some(ours) => ours.max(low),
            None => low,
        };
        self.native.set_buffered_amount_low_threshold(u32::try_from(next).unwrap_or(u32::MAX));
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
        line.room.begin_waiting();
        line.arm();
        Self(line)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.room.end_waiting();
        self.0.arm();
    }
}
