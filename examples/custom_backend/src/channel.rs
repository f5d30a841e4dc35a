//! One end of a data channel. What it sends is in the other end's queue at once, and takes room until it is
//! read there.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, Weak},
    task::{Context, Poll},
};

use async_trait::async_trait;
use futures_core::Stream;
use skapi_rtc_backend::{
    ChannelError, ChannelEvent, ChannelEvents, ChannelHandle, ChannelInit, ChannelState,
    ChannelStats, DataChannel, EventReceiver, EventSender, Message, PeerStats, Weigh, queue,
};
use tokio::sync::{Semaphore, TryAcquireError};

use crate::lock;

/// The largest message, in bytes.
pub(crate) const MAX_MESSAGE_SIZE: usize = 256 * 1024;
/// What a message takes of the room beside its bytes, so that a flood of empty ones is bounded too.
const COST_PER_MESSAGE: usize = 256;
/// The room for what is sent and unread: two of the largest messages.
const ROOM: usize = 2 * (MAX_MESSAGE_SIZE + COST_PER_MESSAGE);
/// Unread events: as many messages as there is room for, and some of the other kinds.
const MAX_UNREAD: usize = ROOM / COST_PER_MESSAGE + 16;

#[derive(Debug)]
pub(crate) struct Channel {
    label: String,
    pub(crate) init: ChannelInit,
    id: OnceLock<u16>,
    /// The other end, from the opening on.
    far: OnceLock<Weak<Self>>,
    /// A permit a byte: a message takes them, its receipt gives them back. Empty until the channel opens,
    /// closed with it.
    room: Semaphore,
    /// To our own reader.
    events: EventSender<Delivery>,
    books: Mutex<Books>,
    /// For receipts and the other end.
    this: Weak<Self>,
}

#[derive(Debug, Default)]
struct Books {
    /// Bytes that the other end has not read.
    buffered: usize,
    low_threshold: usize,
    figures: ChannelStats,
}

impl Channel {
    /// An end that is not open yet, and the handle of it.
    pub(crate) fn new(label: &str, init: ChannelInit) -> (Arc<Self>, ChannelHandle) {
        let (events, deliveries) = queue(MAX_UNREAD, usize::MAX);
        let mut books = Books::default();
        label.clone_into(&mut books.figures.label);
        let channel = Arc::new_cyclic(|this| Self {
            label: label.to_owned(),
            id: init.negotiated.map(OnceLock::from).unwrap_or_default(),
            init,
            far: OnceLock::new(),
            room: Semaphore::new(0),
            events,
            books: Mutex::new(books),
            this: this.clone(),
        });
        let handle = ChannelHandle::new(channel.clone(), ChannelEvents::new(Incoming(deliveries)));
        (channel, handle)
    }

    /// Opens two ends with each other, once. One that is closed meanwhile closes the other.
    pub(crate) fn join(&self, other: &Self, id: u16) {
        let ends = [(self, other), (other, self)];
        for (end, far) in ends {
            end.id.get_or_init(|| id);
            end.far.get_or_init(|| far.this.clone());
            end.tell(ChannelEvent::Open);
        }
        // Only now, so that no message comes before `Open`.
        for (end, far) in ends {
            end.room.add_permits(ROOM);
            if far.room.is_closed() {
                end.shut();
            }
        }
    }

    /// Closes both ends. What lies unread can still be read.
    pub(crate) fn shut(&self) {
        if self.room.is_closed() {
            return;
        }
        self.room.close();
        // Whoever closes at the same time may tell it as well: the stream ends with the first.
        self.tell(ChannelEvent::Closed);
        if let Some(far) = self.far() {
            far.shut();
        }
    }

    /// Adds what it carried to its connection's figures.
    pub(crate) fn report(&self, stats: &mut PeerStats) {
        let figures = lock(&self.books).figures.clone();
        stats.bytes_sent += figures.bytes_sent;
        stats.bytes_received += figures.bytes_received;
        stats.channels.push(figures);
    }

    fn tell(&self, event: ChannelEvent) {
        self.events.force_send(Delivery { event, _receipt: None });
    }

    fn far(&self) -> Option<Arc<Self>> {
        self.far.get()?.upgrade()
    }

    /// What a message takes of the room, if it can be sent at all.
    fn cost(&self, message: &Message) -> Result<u32, ChannelError> {
        let (size, max) = (message.len(), MAX_MESSAGE_SIZE);
        match self.state() {
            ChannelState::Connecting => Err(ChannelError::NotOpen),
            ChannelState::Open if size > max => Err(ChannelError::TooLarge { size, max }),
            ChannelState::Open => Ok((size + COST_PER_MESSAGE) as u32),
            ChannelState::Closing | ChannelState::Closed => Err(ChannelError::Closed),
        }
    }

    /// Sends a message that has taken its room.
    fn deliver(&self, message: Message) -> Result<(), ChannelError> {
        let size = message.len();
        let far = self.far().ok_or(ChannelError::Closed)?;
        {
            let mut books = lock(&self.books);
            books.buffered += size;
            books.figures.messages_sent += 1;
            books.figures.bytes_sent += size as u64;
        }
        {
            let mut books = lock(&far.books);
            books.figures.messages_received += 1;
            books.figures.bytes_received += size as u64;
        }
        let receipt = Receipt { sender: self.this.clone(), size };
        let event = ChannelEvent::Message(message);
        far.events.force_send(Delivery { event, _receipt: Some(receipt) });
        Ok(())
    }
}

#[async_trait]
impl DataChannel for Channel {
    fn label(&self) -> &str {
        &self.label
    }

    fn init(&self) -> &ChannelInit {
        &self.init
    }

    fn id(&self) -> Option<u16> {
        self.id.get().copied()
    }

    /// Never `Closing`: what was sent is already there.
    fn state(&self) -> ChannelState {
        match (self.room.is_closed(), self.far.get()) {
            (true, _) => ChannelState::Closed,
            (false, Some(_)) => ChannelState::Open,
            (false, None) => ChannelState::Connecting,
        }
    }

    async fn send(&self, message: Message) -> Result<(), ChannelError> {
        let cost = self.cost(&message)?;
        // Dropped while it waits, this future has sent nothing.
        self.room.acquire_many(cost).await.map_err(|_| ChannelError::Closed)?.forget();
        self.deliver(message)
    }

    fn try_send(&self, message: Message) -> Result<(), ChannelError> {
        match self.room.try_acquire_many(self.cost(&message)?) {
            Ok(room) => room.forget(),
            Err(TryAcquireError::NoPermits) => return Err(ChannelError::Full),
            Err(TryAcquireError::Closed) => return Err(ChannelError::Closed),
        }
        self.deliver(message)
    }

    fn buffered_amount(&self) -> usize {
        if self.room.is_closed() { 0 } else { lock(&self.books).buffered }
    }

    fn buffered_amount_low_threshold(&self) -> usize {
        lock(&self.books).low_threshold
    }

    fn set_buffered_amount_low_threshold(&self, bytes: usize) {
        lock(&self.books).low_threshold = bytes;
    }

    fn max_message_size(&self) -> usize {
        MAX_MESSAGE_SIZE
    }

    async fn close(&self) {
        self.shut();
    }
}

/// An event on its way to the reader.
struct Delivery {
    event: ChannelEvent,
    _receipt: Option<Receipt>,
}

impl Weigh for Delivery {}

/// Tells the sender, when dropped, that its message is read or never will be.
struct Receipt {
    sender: Weak<Channel>,
    size: usize,
}

impl Drop for Receipt {
    fn drop(&mut self) {
        let Some(sender) = self.sender.upgrade() else { return };
        let is_low = {
            let mut books = lock(&sender.books);
            let was_above = books.buffered > books.low_threshold;
            books.buffered -= self.size;
            was_above && books.buffered <= books.low_threshold
        };
        sender.room.add_permits(self.size + COST_PER_MESSAGE);
        if is_low {
            // Where there is no place for it, there lies an unread one that says the same.
            let low = Delivery { event: ChannelEvent::BufferedAmountLow, _receipt: None };
            let _ = sender.events.try_send(low);
        }
    }
}

/// What the reader sees of its deliveries.
struct Incoming(EventReceiver<Delivery>);

impl Stream for Incoming {
    type Item = ChannelEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ChannelEvent>> {
        self.0.poll_recv(cx).map(|delivery| Some(delivery?.event))
    }
}
