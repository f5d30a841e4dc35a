//! A data channel with a send buffer, ready-made: the application puts messages in at one end, the engine
//! takes them out at the other.
//!
//! ```text
//!   send, try_send ──► room ──► queue ──► next_work ──► engine
//!                        ▲                                │
//!                        └──── settle, settle_oldest ◄── what it lets go of
//!
//!   ChannelEvents ◄── opened, received, set_closed ◄───── engine
//! ```

mod application;
mod events;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
};

use self::events::{Delivery, Events};
use crate::{
    ChannelEvent, ChannelEvents, ChannelHandle, ChannelInit, ChannelState, ChannelStats,
    EventSender, MaybeSend, MaybeSync, Message, SendAccount, SendRoom, queue,
};

/// What an engine is to a [`BufferedChannel`] of its own.
pub trait ChannelEngine: Sized + MaybeSend + MaybeSync + 'static {
    /// What a message that arrived holds until it is read, or thrown away because nobody will read it: by
    /// dropping it an engine learns that there is room for another. `()` for one that need not know.
    type Unread: MaybeSend + 'static;

    /// There is [work](BufferedChannel::next_work). Called by whoever sends or closes, without any lock, and
    /// not again until the engine was told that nothing is left: what is done right here, and nowhere else, is
    /// never done by two at a time.
    fn has_work(&self, channel: &Arc<BufferedChannel<Self>>);

    /// The largest message that the peer accepts, in bytes.
    fn max_message_size(&self) -> usize;

    /// [`Capabilities::empty_messages`](crate::Capabilities::empty_messages). Default: yes.
    fn empty_messages(&self) -> bool {
        true
    }
}

/// What an engine has to do for a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelWork {
    /// Send this, and say that it is [handed over](BufferedChannel::handed_over), or
    /// [give it back](BufferedChannel::give_back).
    Send(Message),
    /// Close the channel: everything that was sent is through, and no other work comes.
    Close,
    /// Nothing now.
    Nothing,
}

/// A [`DataChannel`](crate::DataChannel) over any engine that takes messages one by one: it has the send
/// buffer, the states, the events and the figures. The engine holds an [`Arc`] of it and
///
/// * does its [work](Self::next_work), and says when it has [let go](Self::settle) of what it was given,
/// * says when it has [opened](Self::opened), what it has [received](Self::received), and, always, that the
///   channel [is closed](Self::set_closed), or its events never end: one after the other, as from one task.
///
/// A channel whose messages come back to its own reader:
///
/// ```
/// use std::sync::Arc;
///
/// use skapi_rtc_backend::{
///     BufferedChannel, ChannelEngine, ChannelEvent, ChannelInit, ChannelWork,
/// };
///
/// struct Mirror;
///
/// impl ChannelEngine for Mirror {
///     type Unread = ();
///
///     fn has_work(&self, channel: &Arc<BufferedChannel<Self>>) {
///         loop {
///             match channel.next_work() {
///                 ChannelWork::Send(message) => {
///                     channel.handed_over(message.len());
///                     channel.received(message, ());
///                     channel.settle(0); // nothing is on its way any more
///                 }
///                 ChannelWork::Close => return channel.set_closed(),
///                 ChannelWork::Nothing => return,
///             }
///         }
///     }
///
///     fn max_message_size(&self) -> usize {
///         65_536
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let (channel, mut handle) = BufferedChannel::new(Mirror, "echo", ChannelInit::default(), 1 << 20);
/// channel.opened(Some(0));
/// handle.channel.send("hello".into()).await?;
/// handle.channel.close().await;
/// assert_eq!(handle.events.recv().await, Some(ChannelEvent::Open));
/// assert_eq!(handle.events.recv().await, Some(ChannelEvent::Message("hello".into())));
/// assert_eq!(handle.events.recv().await, Some(ChannelEvent::BufferedAmountLow));
/// assert_eq!(handle.events.recv().await, Some(ChannelEvent::Closed));
/// # Ok::<_, skapi_rtc_backend::ChannelError>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub struct BufferedChannel<E: ChannelEngine> {
    engine: E,
    label: String,
    init: ChannelInit,
    id: OnceLock<u16>,
    room: SendRoom,
    /// The engine bounds what lies here: by what it receives at all, or by [`ChannelEngine::Unread`].
    events: EventSender<Delivery<E::Unread>>,
    state: Mutex<State>,
    this: Weak<Self>,
}

struct State {
    channel: ChannelState,
    queue: VecDeque<Message>,
    account: SendAccount,
    /// Nobody has read yet that the buffered amount was low.
    low_untold: bool,
    /// The engine was told that there is work, and not yet that there is none.
    called: bool,
    figures: ChannelStats,
}

impl<E: ChannelEngine> BufferedChannel<E> {
    /// A channel that is not open yet, and what the application gets of it. `send_buffer` is the room for
    /// messages that the engine has not let go of, as [`SendRoom`] measures it.
    pub fn new(
        engine: E,
        label: &str,
        init: ChannelInit,
        send_buffer: usize,
    ) -> (Arc<Self>, ChannelHandle) {
        let (events, deliveries) = queue(usize::MAX, usize::MAX);
        let figures = ChannelStats { label: label.to_owned(), ..ChannelStats::default() };
        let channel = Arc::new_cyclic(|this| Self {
            engine,
            label: label.to_owned(),
            init,
            id: OnceLock::new(),
            room: SendRoom::new(send_buffer),
            events,
            state: Mutex::new(State {
                channel: ChannelState::Connecting,
                queue: VecDeque::new(),
                account: SendAccount::default(),
                low_untold: false,
                called: false,
                figures,
            }),
            this: this.clone(),
        });
        let events = ChannelEvents::new(Events::new(deliveries, channel.clone()));
        let handle = ChannelHandle::new(channel.clone(), events);
        (channel, handle)
    }

    /// The engine's part of the channel.
    pub fn engine(&self) -> &E {
        &self.engine
    }

    /// What to do next, in the order in which it was asked for.
    pub fn next_work(&self) -> ChannelWork {
        let mut state = self.lock();
        if let Some(message) = state.queue.pop_front() {
            return ChannelWork::Send(message);
        }
        state.called = false;
        match state.channel {
            ChannelState::Closing if state.account.is_clear() => ChannelWork::Close,
            ChannelState::Closed => ChannelWork::Close,
            _ => ChannelWork::Nothing,
        }
    }

    /// The engine takes a message of this size; to be said before it can be let go of.
    pub fn handed_over(&self, size: usize) {
        let mut state = self.lock();
        state.account.hand_over(size);
        state.figures.messages_sent += 1;
        state.figures.bytes_sent += size as u64;
    }

    /// The engine has no room for a message now: it is the next again. The engine comes back by itself.
    pub fn give_back(&self, message: Message) {
        let mut state = self.lock();
        if state.channel != ChannelState::Closed {
            state.queue.push_front(message);
        }
    }

    /// The engine still holds so many bytes of what it was given, and nothing reached it while it was asked.
    /// Gives whether nothing is on its way any more; a channel that is [closing](ChannelState::Closing) has
    /// work then.
    pub fn settle(&self, outstanding: usize) -> bool {
        self.let_go(|account| account.let_go(account.handed_over(), outstanding))
    }

    /// The same from an engine that tells of messages one by one: the oldest that it holds is through.
    pub fn settle_oldest(&self) -> bool {
        self.let_go(SendAccount::let_go_of_oldest)
    }

    /// The channel is open, with this SCTP stream id.
    pub fn opened(&self, id: Option<u16>) {
        if let Some(id) = id {
            self.id.get_or_init(|| id);
        }
        let mut state = self.lock();
        if state.channel == ChannelState::Connecting {
            state.channel = ChannelState::Open;
            drop(state);
            self.emit(ChannelEvent::Open);
        }
    }

    /// A message arrived.
    pub fn received(&self, message: Message, unread: E::Unread) {
        {
            let mut state = self.lock();
            state.figures.messages_received += 1;
            state.figures.bytes_received += message.len() as u64;
            if state.channel == ChannelState::Closed {
                return;
            }
        }
        self.events.force_send(Delivery::message(message, unread));
    }

    /// The channel is gone: whoever waits for it is told. What lies unread can still be read.
    pub fn set_closed(&self) {
        let queue = {
            let mut state = self.lock();
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

    /// What the channel has carried.
    pub fn stats(&self) -> ChannelStats {
        self.lock().figures.clone()
    }

    fn let_go(&self, which: impl FnOnce(&mut SendAccount) -> usize) -> bool {
        let (freed, tell_low, is_clear) = {
            let mut state = self.lock();
            let freed = which(&mut state.account);
            let low = state.account.take_low();
            let tell_low = low && !std::mem::replace(&mut state.low_untold, true);
            (freed, tell_low, state.account.is_clear())
        };
        self.room.release(freed);
        if tell_low {
            self.emit(ChannelEvent::BufferedAmountLow);
        }
        is_clear
    }

    fn emit(&self, event: ChannelEvent) {
        self.events.force_send(Delivery::event(event));
    }

    fn low_was_told(&self) {
        self.lock().low_untold = false;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of others runs under the lock, so a poisoned state is still a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E: ChannelEngine> fmt::Debug for BufferedChannel<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("BufferedChannel")
            .field("label", &self.label)
            .field("init", &self.init)
            .field("state", &state.channel)
            .field("buffered", &state.account.buffered())
            .finish_non_exhaustive()
    }
}
