//! The middle of a data channel: the application puts messages in at one end, the driver takes them out
//! at the other.
//!
//! ```text
//!   send, try_send ──► room (permits) ──► queue ──► driver ──► engine
//!                        ▲                                       │
//!                        └───────────── settle ◄── what it still holds
//! ```
//!
//! A message takes permits for its size and gives them back when the engine has let go of it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use skapi_rtc_backend::{
    ChannelError, ChannelEvent, ChannelState, ChannelStats, EventReceiver, EventSender, Message,
    SendAccount, queue,
};
use tokio::sync::{Semaphore, TryAcquireError};

use crate::{incoming::Delivery, shared::Shared};

/// What a message costs beside its bytes: the bookkeeping for it. It keeps a flood of tiny messages as
/// bounded as one of large ones.
const COST_PER_MESSAGE: usize = 256;

pub(crate) struct Port {
    shared: Arc<Shared>,
    /// The send buffer's size, in bytes of cost.
    capacity: usize,
    room: Semaphore,
    events: EventSender<Delivery>,
    id: OnceLock<u16>,
    state: Mutex<State>,
}

struct State {
    channel: ChannelState,
    queue: VecDeque<Message>,
    account: SendAccount,
    low_threshold: usize,
    /// The buffered amount has been above the threshold since it was last reported low.
    was_above: bool,
    /// Nobody has read yet that it was low.
    low_untold: bool,
    /// Whether the driver is about to look at this channel.
    called: bool,
    figures: ChannelStats,
}

/// What the driver has to do for a channel.
pub(crate) enum Work {
    /// Give this to the engine.
    Send(Message),
    /// Come back when the engine has room.
    Wait,
    /// Close the engine's channel: everything is through.
    Close,
    /// Nothing now.
    Nothing,
}

impl Port {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        label: &str,
        send_buffer: usize,
    ) -> (Arc<Self>, EventReceiver<Delivery>) {
        let largest = Semaphore::MAX_PERMITS.min(u32::MAX as usize);
        let capacity = send_buffer.clamp(COST_PER_MESSAGE, largest);
        // The gate bounds what is queued.
        let (events, reader) = queue(usize::MAX, usize::MAX);
        let mut figures = ChannelStats::default();
        label.clone_into(&mut figures.label);
        let port = Self {
            shared: shared.clone(),
            capacity,
            room: Semaphore::new(capacity),
            events,
            id: OnceLock::new(),
            state: Mutex::new(State {
                channel: ChannelState::Connecting,
                queue: VecDeque::new(),
                account: SendAccount::default(),
                low_threshold: 0,
                was_above: false,
                low_untold: false,
                called: false,
                figures,
            }),
        };
        (Arc::new(port), reader)
    }

    // The application's end.

    pub(crate) async fn send(self: &Arc<Self>, message: Message) -> Result<(), ChannelError> {
        self.check_open()?;
        let cost = self.cost(&message);
        let permit = self.room.acquire_many(cost).await.map_err(|_| ChannelError::Closed)?;
        permit.forget();
        self.accept(message, cost);
        Ok(())
    }

    pub(crate) fn try_send(self: &Arc<Self>, message: Message) -> Result<(), ChannelError> {
        self.check_open()?;
        let cost = self.cost(&message);
        match self.room.try_acquire_many(cost) {
            Ok(permit) => permit.forget(),
            Err(TryAcquireError::NoPermits) => return Err(ChannelError::Full),
            Err(TryAcquireError::Closed) => return Err(ChannelError::Closed),
        }
        self.accept(message, cost);
        Ok(())
    }

    pub(crate) fn buffered_amount(&self) -> usize {
        self.state().account.buffered()
    }

    pub(crate) fn low_threshold(&self) -> usize {
        self.state().low_threshold
    }

    pub(crate) fn set_low_threshold(&self, bytes: usize) {
        let mut state = self.state();
        state.low_threshold = bytes;
        state.was_above = state.account.buffered() > bytes;
    }

    pub(crate) fn channel_state(&self) -> ChannelState {
        self.state().channel
    }

    pub(crate) fn id(&self) -> Option<u16> {
        self.id.get().copied()
    }

    /// Closes the channel behind what was accepted.
    pub(crate) fn close(self: &Arc<Self>) {
        let before = {
            let mut state = self.state();
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
        self.call();
    }

    /// The reader has seen that the buffer is low.
    pub(crate) fn low_was_told(&self) {
        self.state().low_untold = false;
    }

    // The driver's end.

    /// What to do next; `has_room` says whether the engine takes messages. The driver asks until it is told that
    /// there is nothing: until then it comes back by itself, and is not called again.
    pub(crate) fn next_work(&self, has_room: bool) -> Work {
        let mut state = self.state();
        if !state.queue.is_empty() {
            let message = has_room.then(|| state.queue.pop_front()).flatten();
            return message.map_or(Work::Wait, Work::Send);
        }
        state.called = false;
        match state.channel {
            ChannelState::Closing if state.account.is_clear() => Work::Close,
            ChannelState::Closed => Work::Close,
            _ => Work::Nothing,
        }
    }

    /// The engine took a message.
    pub(crate) fn handed_over(&self, size: usize) {
        let mut state = self.state();
        state.account.hand_over(size);
        state.figures.messages_sent += 1;
        state.figures.bytes_sent += size as u64;
    }

    /// The engine has no room for a message now.
    pub(crate) fn give_back(&self, message: Message) {
        self.state().queue.push_front(message);
    }

    /// The engine holds this many bytes. Whether nothing is on its way any more.
    pub(crate) fn settle(&self, outstanding: usize) -> bool {
        let (freed, tell_low, clear) = {
            let mut state = self.state();
            // The engine is asked by the task that hands over, so nothing comes in between.
            let handed_over = state.account.handed_over();
            let freed = state.account.let_go(handed_over, outstanding);
            let low = state.was_above && state.account.buffered() <= state.low_threshold;
            if low {
                state.was_above = false;
            }
            let tell = low && !std::mem::replace(&mut state.low_untold, true);
            (freed, tell, state.account.is_clear())
        };
        if freed > 0 {
            self.room.add_permits(freed);
        }
        if tell_low {
            self.emit(ChannelEvent::BufferedAmountLow);
        }
        clear
    }

    pub(crate) fn opened(&self, id: Option<u16>) {
        if let Some(id) = id {
            self.id.get_or_init(|| id);
        }
        let mut state = self.state();
        if state.channel == ChannelState::Connecting {
            state.channel = ChannelState::Open;
            drop(state);
            self.emit(ChannelEvent::Open);
        }
    }

    pub(crate) fn received(&self, message: Message) {
        {
            let mut state = self.state();
            state.figures.messages_received += 1;
            state.figures.bytes_received += message.len() as u64;
            if state.channel == ChannelState::Closed {
                return;
            }
        }
        if !self.events.is_closed() {
            let weight = self.shared.gate.weigh(message.len());
            self.events.force_send(Delivery::message(message, weight));
        }
    }

    /// The channel is gone: whoever waits for it is told.
    pub(crate) fn set_closed(&self) {
        let queue = {
            let mut state = self.state();
            if state.channel == ChannelState::Closed {
                return;
            }
            state.channel = ChannelState::Closed;
            state.account.write_off();
            std::mem::take(&mut state.queue)
        };
        drop(queue);
        self.room.close();
        self.emit(ChannelEvent::Closed);
    }

    pub(crate) fn figures(&self) -> ChannelStats {
        self.state().figures.clone()
    }

    fn emit(&self, event: ChannelEvent) {
        self.events.force_send(Delivery::event(event));
    }

    fn check_open(&self) -> Result<(), ChannelError> {
        match self.channel_state() {
            ChannelState::Connecting => Err(ChannelError::NotOpen),
            ChannelState::Open => Ok(()),
            ChannelState::Closing | ChannelState::Closed => Err(ChannelError::Closed),
        }
    }

    /// A message larger than the whole buffer takes all of it, and passes alone.
    fn cost(&self, message: &Message) -> u32 {
        let cost = message.len().saturating_add(COST_PER_MESSAGE).min(self.capacity);
        u32::try_from(cost).unwrap_or(u32::MAX)
    }

    fn accept(self: &Arc<Self>, message: Message, cost: u32) {
        {
            let mut state = self.state();
            if state.channel == ChannelState::Closed {
                // Closed while it waited for room: as if it had been sent into a closing channel.
                return;
            }
            state.account.accept(message.len(), cost);
            if state.account.buffered() > state.low_threshold {
                state.was_above = true;
            }
            state.queue.push_back(message);
        }
        self.call();
    }

    /// Has the driver look at this channel.
    fn call(self: &Arc<Self>) {
        if !std::mem::replace(&mut self.state().called, true) {
            self.shared.call(self.clone());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code of others runs under the lock, so a poisoned state is still a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state();
        f.debug_struct("Port")
            .field("state", &state.channel)
            .field("buffered", &state.account.buffered())
            .finish_non_exhaustive()
    }
}
