//! A data channel, in the words of the backend traits.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use skapi_rtc_backend::{
    ChannelError, ChannelEvents, ChannelHandle, ChannelInit, ChannelState, DataChannel,
    EventReceiver, Message,
};

use crate::{
    incoming::{Delivery, Incoming},
    port::Port,
    shared::Shared,
};

pub(crate) struct Channel {
    label: String,
    init: ChannelInit,
    port: Arc<Port>,
    shared: Arc<Shared>,
}

impl Channel {
    /// A channel, with what the application needs to use it.
    pub(crate) fn handle(
        label: &str,
        init: ChannelInit,
        port: Arc<Port>,
        deliveries: EventReceiver<Delivery>,
        shared: &Arc<Shared>,
    ) -> ChannelHandle {
        let events = Incoming::new(deliveries, port.clone());
        let channel = Self { label: label.to_owned(), init, port, shared: shared.clone() };
        ChannelHandle::new(Arc::new(channel), ChannelEvents::new(events))
    }

    fn check_size(&self, message: &Message) -> Result<(), ChannelError> {
        // The engine would put nothing on the wire and count it, after which nothing arrives any more.
        if message.is_empty() && self.state() == ChannelState::Open {
            return Err(ChannelError::Empty);
        }
        let (size, max) = (message.len(), self.max_message_size());
        if size > max { Err(ChannelError::TooLarge { size, max }) } else { Ok(()) }
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
        self.init.negotiated.or_else(|| self.port.id())
    }

    fn state(&self) -> ChannelState {
        self.port.channel_state()
    }

    async fn send(&self, message: Message) -> Result<(), ChannelError> {
        self.check_size(&message)?;
        self.port.send(message).await
    }

    fn try_send(&self, message: Message) -> Result<(), ChannelError> {
        self.check_size(&message)?;
        self.port.try_send(message)
    }

    fn buffered_amount(&self) -> usize {
        self.port.buffered_amount()
    }

    fn buffered_amount_low_threshold(&self) -> usize {
        self.port.low_threshold()
    }

    fn set_buffered_amount_low_threshold(&self, bytes: usize) {
        self.port.set_low_threshold(bytes);
    }

    fn max_message_size(&self) -> usize {
        self.shared.max_message_size()
    }

    async fn close(&self) {
        self.port.close();
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("label", &self.label)
            .field("init", &self.init)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}
