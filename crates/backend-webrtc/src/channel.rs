//! A data channel of the engine, in the words of the backend traits.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

use async_trait::async_trait;
use skapi_rtc_backend::{
    ChannelError, ChannelEvents, ChannelHandle, ChannelInit, ChannelState, DataChannel, Message,
};

use crate::{incoming::Incoming, outgoing::Outgoing, shared::Shared};

/// How a channel was made; none of it changes.
#[derive(Debug, Clone)]
pub(crate) struct ChannelParameters {
    pub(crate) label: String,
    pub(crate) init: ChannelInit,
}

pub(crate) struct Channel {
    parameters: ChannelParameters,
    outgoing: Arc<Outgoing>,
    shared: Arc<Shared>,
}

impl Channel {
    pub(crate) fn handle(
        outgoing: Arc<Outgoing>,
        parameters: ChannelParameters,
        shared: &Arc<Shared>,
    ) -> ChannelHandle {
        if let Some(id) = parameters.init.negotiated {
            outgoing.set_stream_id(id);
        }
        let events = Incoming::new(outgoing.clone(), shared.clone());
        let channel = Self { parameters, outgoing, shared: shared.clone() };
        ChannelHandle::new(Arc::new(channel), ChannelEvents::new(events))
    }

    fn check_size(&self, message: &Message) -> Result<(), ChannelError> {
        let (size, max) = (message.len(), self.max_message_size());
        if size > max { Err(ChannelError::TooLarge { size, max }) } else { Ok(()) }
    }
}

#[async_trait]
impl DataChannel for Channel {
    fn label(&self) -> &str {
        &self.parameters.label
    }

    fn init(&self) -> &ChannelInit {
        &self.parameters.init
    }

    fn id(&self) -> Option<u16> {
        self.outgoing.stream_id()
    }

    fn state(&self) -> ChannelState {
        self.outgoing.channel_state()
    }

    async fn send(&self, message: Message) -> Result<(), ChannelError> {
        self.check_size(&message)?;
        self.outgoing.send(message).await
    }

    fn try_send(&self, message: Message) -> Result<(), ChannelError> {
        self.check_size(&message)?;
        self.outgoing.try_send(message)
    }

    fn buffered_amount(&self) -> usize {
        self.outgoing.buffered_amount()
    }

    fn buffered_amount_low_threshold(&self) -> usize {
        self.outgoing.low_threshold()
    }

    fn set_buffered_amount_low_threshold(&self, bytes: usize) {
        self.outgoing.set_low_threshold(bytes);
    }

    fn max_message_size(&self) -> usize {
        self.shared.max_message_size.load(Ordering::Relaxed)
    }

    async fn close(&self) {
        self.outgoing.close().await;
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("label", &self.parameters.label)
            .field("init", &self.parameters.init)
            .field("outgoing", &self.outgoing)
            .finish_non_exhaustive()
    }
}
