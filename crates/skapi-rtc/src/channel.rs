//! A data channel of a call.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;
use skapi_rtc_backend::{
    ChannelError, ChannelEvent, ChannelEvents, ChannelHandle, DataChannel, Message, Reliability,
};

use crate::runtime;

/// A data channel of a call: send, and receive as a stream.
///
/// The channel lives as long as its call: hanging up, or dropping the last handle of the
/// [`Call`](crate::Call), closes it.
#[derive(Debug)]
pub struct Channel {
    sender: ChannelSender,
    receiver: ChannelReceiver,
}

impl Channel {
    pub(crate) fn new(handle: ChannelHandle) -> Self {
        Self {
            sender: ChannelSender { channel: handle.channel },
            receiver: ChannelReceiver { events: handle.events, open: false },
        }
    }

    /// Waits until the channel is open.
    pub(crate) async fn opened(&mut self) -> Result<(), ChannelError> {
        self.receiver.opened().await
    }

    /// The label, by which both sides find it.
    pub fn label(&self) -> &str {
        self.sender.label()
    }

    /// Sends a message; waits while the send buffer is full, so that a fast sender takes bounded memory.
    ///
    /// # Errors
    /// See [`ChannelSender::send`].
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), ChannelError> {
        self.sender.send(message).await
    }

    /// The next message; `None` when the channel is closed. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Message> {
        self.receiver.recv().await
    }

    /// The sending half.
    pub fn sender(&self) -> &ChannelSender {
        &self.sender
    }

    /// Separates the two directions, to use them from two tasks.
    pub fn split(self) -> (ChannelSender, ChannelReceiver) {
        (self.sender, self.receiver)
    }

    /// Closes the channel; what was sent before still arrives, what the peer sends meanwhile does not. The
    /// call goes on.
    pub async fn close(&self) {
        self.sender.close().await;
    }
}

impl Stream for Channel {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        Pin::new(&mut self.receiver).poll_next(cx)
    }
}

/// The sending half of a channel. Clones send on the same channel.
#[derive(Debug, Clone)]
pub struct ChannelSender {
    channel: Arc<dyn DataChannel>,
}

impl ChannelSender {
    /// The label, by which both sides find it.
    pub fn label(&self) -> &str {
        self.channel.label()
    }

    /// The sub-protocol's name, or empty.
    pub fn protocol(&self) -> &str {
        self.channel.protocol()
    }

    /// Whether messages arrive in order.
    pub fn ordered(&self) -> bool {
        self.channel.ordered()
    }

    /// How hard the channel tries.
    pub fn reliability(&self) -> Reliability {
        self.channel.reliability()
    }

    /// Sends a message; waits while the send buffer is full, so that a fast sender takes bounded memory.
    ///
    /// # Errors
    /// When the channel is closed, or the message is larger than
    /// [`max_message_size`](Self::max_message_size).
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), ChannelError> {
        self.channel.send(message.into()).await
    }

    /// Sends a message if the send buffer has room, and returns at once.
    ///
    /// # Errors
    /// Those of [`send`](Self::send), and [`ChannelError::Full`].
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), ChannelError> {
        self.channel.try_send(message.into())
    }

    /// Payload bytes that wait in the send buffer.
    pub fn buffered_amount(&self) -> usize {
        self.channel.buffered_amount()
    }

    /// The largest message the peer accepts, in bytes.
    pub fn max_message_size(&self) -> usize {
        self.channel.max_message_size()
    }

    /// Closes the channel; what was sent before still arrives, what the peer sends meanwhile does not. The
    /// call goes on.
    pub async fn close(&self) {
        self.channel.close().await;
    }
}

/// Closes a channel that is used for one thing when that is over, however it ended.
#[derive(Debug)]
pub(crate) struct CloseOnDrop(ChannelSender);

impl CloseOnDrop {
    pub(crate) fn new(channel: &Channel) -> Self {
        Self(channel.sender.clone())
    }
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        if runtime::is_running() {
            let sender = self.0.clone();
            runtime::spawn(async move { sender.close().await });
        }
    }
}

/// The receiving half of a channel. Not reading it holds the sender back where the channel is reliable.
#[derive(Debug)]
pub struct ChannelReceiver {
    events: ChannelEvents,
    open: bool,
}

impl ChannelReceiver {
    /// The next message; `None` when the channel is closed. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Message> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    async fn opened(&mut self) -> Result<(), ChannelError> {
        while !self.open {
            match self.events.recv().await {
                Some(ChannelEvent::Open) => self.open = true,
                Some(ChannelEvent::Closed) | None => return Err(ChannelError::Closed),
                Some(_) => {}
            }
        }
        Ok(())
    }
}

impl Stream for ChannelReceiver {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            match std::task::ready!(Pin::new(&mut self.events).poll_next(cx)) {
                Some(ChannelEvent::Message(message)) => return Poll::Ready(Some(message)),
                Some(ChannelEvent::Closed) | None => return Poll::Ready(None),
                Some(_) => {}
            }
        }
    }
}
