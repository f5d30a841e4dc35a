//! A data channel of the browser, in the words of the backend traits.

use std::{fmt, rc::Rc, sync::Arc};

use async_trait::async_trait;
use skapi_rtc_backend::{
    ChannelError, ChannelEvents, ChannelHandle, ChannelInit, ChannelState, DataChannel, Message,
};

use crate::{convert, line::Line, shared::Shared};

pub(crate) struct Channel {
    label: String,
    line: Rc<Line>,
    shared: Rc<Shared>,
}

impl Channel {
    pub(crate) fn handle(
        line: Rc<Line>,
        events: ChannelEvents,
        shared: Rc<Shared>,
    ) -> ChannelHandle {
        let label = line.native.label();
        ChannelHandle::new(Arc::new(Self { label, line, shared }), events)
    }

    /// Sends a message, or says that there is no room now.
    fn offer(&self, message: &Message) -> Result<(), ChannelError> {
        match self.state() {
            ChannelState::Connecting => return Err(ChannelError::NotOpen),
            ChannelState::Closing | ChannelState::Closed => return Err(ChannelError::Closed),
            ChannelState::Open => {}
        }
        let (size, max) = (message.len(), self.max_message_size());
        if size > max {
            return Err(ChannelError::TooLarge { size, max });
        }
        if !self.line.has_room(size) {
            return Err(ChannelError::Full);
        }
        self.line.hand_over(message).map_err(|error| ChannelError::Engine(convert::text_of(&error)))
    }
}

#[async_trait(?Send)]
impl DataChannel for Channel {
    fn label(&self) -> &str {
        &self.label
    }

    fn init(&self) -> &ChannelInit {
        &self.line.init
    }

    fn id(&self) -> Option<u16> {
        self.line.native.id()
    }

    fn state(&self) -> ChannelState {
        self.line.state()
    }

    async fn send(&self, message: Message) -> Result<(), ChannelError> {
        loop {
            match self.offer(&message) {
                Err(ChannelError::Full) => self.line.relieved().await,
                done => return done,
            }
        }
    }

    fn try_send(&self, message: Message) -> Result<(), ChannelError> {
        self.offer(&message)
    }

    fn buffered_amount(&self) -> usize {
        self.line.buffered()
    }

    fn buffered_amount_low_threshold(&self) -> usize {
        self.line.low_threshold()
    }

    fn set_buffered_amount_low_threshold(&self, bytes: usize) {
        self.line.set_low_threshold(bytes);
    }

    fn max_message_size(&self) -> usize {
        self.shared.max_message_size()
    }

    async fn close(&self) {
        self.line.close();
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("label", &self.label).finish_non_exhaustive()
    }
}
