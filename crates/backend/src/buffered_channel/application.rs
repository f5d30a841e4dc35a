//! The application's side: sending, closing.

use async_trait::async_trait;

use super::{BufferedChannel, ChannelEngine};
use crate::{ChannelError, ChannelInit, ChannelState, DataChannel, Message};

#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
impl<E: ChannelEngine> DataChannel for BufferedChannel<E> {
    fn label(&self) -> &str {
        &self.label
    }

    fn init(&self) -> &ChannelInit {
        &self.init
    }

    fn id(&self) -> Option<u16> {
        self.init.negotiated.or_else(|| self.id.get().copied())
    }

    fn state(&self) -> ChannelState {
        self.lock().channel
    }

    async fn send(&self, message: Message) -> Result<(), ChannelError> {
        self.check(&message)?;
        let cost = self.room.take(message.len()).await?;
        self.accept(message, cost)
    }

    fn try_send(&self, message: Message) -> Result<(), ChannelError> {
        self.check(&message)?;
        let cost = self.room.try_take(message.len())?;
        self.accept(message, cost)
    }

    fn buffered_amount(&self) -> usize {
        self.lock().account.buffered()
    }

    fn buffered_amount_low_threshold(&self) -> usize {
        self.lock().account.low_threshold()
    }

    fn set_buffered_amount_low_threshold(&self, bytes: usize) {
        self.lock().account.set_low_threshold(bytes);
    }

    fn max_message_size(&self) -> usize {
        self.engine.max_message_size()
    }

    /// Closes behind what was accepted.
    async fn close(&self) {
        let before = {
            let mut state = self.lock();
            let before = state.channel;
            if before == ChannelState::Open {
                state.channel = ChannelState::Closing;
            }
            before
        };
        match before {
            ChannelState::Closing | ChannelState::Closed => return,
            // Nothing was sent, and nothing will come.
            ChannelState::Connecting => self.set_closed(),
            ChannelState::Open => self.room.close(),
        }
        if !std::mem::replace(&mut self.lock().called, true) {
            self.call();
        }
    }
}

impl<E: ChannelEngine> BufferedChannel<E> {
    fn check(&self, message: &Message) -> Result<(), ChannelError> {
        match self.lock().channel {
            ChannelState::Connecting => return Err(ChannelError::NotOpen),
            ChannelState::Open => {}
            ChannelState::Closing | ChannelState::Closed => return Err(ChannelError::Closed),
        }
        let (size, max) = (message.len(), self.engine.max_message_size());
        match size {
            0 if !self.engine.empty_messages() => Err(ChannelError::Empty),
            size if size > max => Err(ChannelError::TooLarge { size, max }),
            _ => Ok(()),
        }
    }

    /// Queues a message that has its room.
    fn accept(&self, message: Message, cost: u32) -> Result<(), ChannelError> {
        let was_called = {
            let mut state = self.lock();
            if state.channel != ChannelState::Open {
                // Closed since it had its room, which nobody waits for any more.
                return Err(ChannelError::Closed);
            }
            state.account.accept(message.len(), cost);
            state.queue.push_back(message);
            std::mem::replace(&mut state.called, true)
        };
        if !was_called {
            self.call();
        }
        Ok(())
    }

    fn call(&self) {
        if let Some(this) = self.this.upgrade() {
            self.engine.has_work(&this);
        }
    }
}
