//! The sending half of a data channel: order, back-pressure, closing behind what was sent.
//!
//! ```text
//!   send, try_send ──► room ──► queue, only while another message is being handed over
//!                        ▲        │
//!                        │        ▼
//!                      settle ◄── outstanding_bytes ── engine
//! ```
//!
//! A message takes of the room and gives it back when the engine has let go of it. One message at a time is
//! handed to the engine, so order holds; as a rule its own sender does that, with no task and no queue in between.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll, Waker},
};

use futures_util::task::AtomicWaker;
use skapi_rtc_backend::{ChannelError, ChannelState, Message, SendAccount, SendRoom};
use tokio::{runtime::Handle, task::JoinHandle};
use webrtc::data_channel::{DataChannel as EngineChannel, DataChannelEvent, RTCDataChannelState};

use crate::{
    handover::Handover,
    ledger::{Balance, Ledger},
    shared::Shared,
    stream_ids::{StreamIds, close_engine},
};

/// A channel of the engine.
pub(crate) struct EngineEnd {
    channel: Arc<dyn EngineChannel>,
    /// The same channel once more, with its first events; see `births.rs`. Must live as long: the engine
    /// forgets the channel when it goes.
    twin: Option<Arc<dyn EngineChannel>>,
    is_open: bool,
    /// Where the stream id is looked after, of a channel that we announce.
    ids: Option<Arc<StreamIds>>,
}

impl EngineEnd {
    /// A channel whose events come in order, `Open` first.
    pub(crate) fn new(channel: Arc<dyn EngineChannel>) -> Self {
        Self { channel, twin: None, is_open: false, ids: None }
    }

    /// A channel that was just made, and may be open already.
    pub(crate) async fn made(
        channel: Arc<dyn EngineChannel>,
        twin: Option<Arc<dyn EngineChannel>>,
        ids: Option<Arc<StreamIds>>,
    ) -> Self {
        let is_open = matches!(channel.ready_state().await, Ok(RTCDataChannelState::Open));
        Self { channel, twin, is_open, ids }
    }
}

pub(crate) struct Outgoing {
    engine: Arc<dyn EngineChannel>,
    twin: Option<Arc<dyn EngineChannel>>,
    born_open: bool,
    stream_id: OnceLock<u16>,
    ids: Option<Arc<StreamIds>>,
    ledger: Arc<Ledger>,
    handle: Handle,
    room: SendRoom,
    /// Whoever reads the channel's events.
    reader: AtomicWaker,
    state: Mutex<State>,
}

struct State {
    channel: ChannelState,
    /// Accepted while another message was being handed over.
    queue: VecDeque<Message>,
    /// Some message is on its way to the engine.
    handing_over: bool,
    account: SendAccount,
    low_unreported: bool,
    /// Whether the ledger holds this channel.
    in_ledger: bool,
    /// Whether the channel is to be closed once nothing of it is in flight.
    close_when_settled: bool,
}

impl Outgoing {
    pub(crate) fn new(end: EngineEnd, shared: &Shared) -> Arc<Self> {
        let channel = Arc::new(Self {
            engine: end.channel,
            twin: end.twin,
            born_open: end.is_open,
            stream_id: OnceLock::new(),
            ids: end.ids,
            ledger: shared.ledger.clone(),
            handle: shared.runtime.clone(),
            room: SendRoom::new(shared.send_buffer),
            reader: AtomicWaker::new(),
            state: Mutex::new(State {
                channel: ChannelState::Connecting,
                queue: VecDeque::new(),
                handing_over: false,
                account: SendAccount::default(),
                low_unreported: false,
                in_ledger: false,
                close_when_settled: false,
            }),
        });
        shared.enlist(&channel);
        channel
    }

    /// Whether the channel was open when it was made, which the engine may tell nobody.
    pub(crate) fn born_open(&self) -> bool {
        self.born_open
    }

    /// The SCTP stream id, once it is known.
    pub(crate) fn stream_id(&self) -> Option<u16> {
        self.stream_id.get().copied()
    }

    /// Notes the stream id, which never changes.
    pub(crate) fn set_stream_id(&self, id: u16) {
        self.stream_id.get_or_init(|| id);
    }

    /// The engine's next event of this channel.
    pub(crate) async fn next_event(&self) -> Option<DataChannelEvent> {
        if let Some(twin) = &self.twin
            && let Some(event) = twin.poll().await
        {
            return Some(event);
        }
        self.engine.poll().await
    }

    pub(crate) fn engine(&self) -> &Arc<dyn EngineChannel> {
        &self.engine
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Sends a message once there is room for it.
    pub(crate) async fn send(self: &Arc<Self>, message: Message) -> Result<(), ChannelError> {
        self.check_open()?;
        let cost = self.room.take(message.len()).await?;
        match self.accept(message, cost) {
            Some(handover) => handover.await,
            None => Ok(()),
        }
    }

    /// Sends a message if there is room for it.
    pub(crate) fn try_send(self: &Arc<Self>, message: Message) -> Result<(), ChannelError> {
        self.check_open()?;
        let cost = self.room.try_take(message.len())?;
        let Some(mut handover) = self.accept(message, cost) else {
            return Ok(());
        };
        // The engine takes a message at once unless another task is busy in it; then the dropped
        // handover goes on in the background.
        match Pin::new(&mut handover).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(()),
        }
    }

    pub(crate) fn buffered_amount(&self) -> usize {
        self.state().account.buffered()
    }

    pub(crate) fn low_threshold(&self) -> usize {
        self.state().account.low_threshold()
    }

    pub(crate) fn set_low_threshold(&self, bytes: usize) {
        self.state().account.set_low_threshold(bytes);
    }

    /// Whether the buffered amount has become low since this was last asked.
    pub(crate) fn take_low(&self) -> bool {
        std::mem::take(&mut self.state().low_unreported)
    }

    /// Has `cx` woken when the buffered amount becomes low or the channel is closed from here.
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        self.reader.register(cx.waker());
    }

    /// The channel's state, asked of the engine as long as its events may not have been read.
    pub(crate) fn channel_state(&self) -> ChannelState {
        let known = self.state().channel;
        if matches!(known, ChannelState::Closing | ChannelState::Closed) {
            return known;
        }
        match poll_once(self.engine.ready_state()) {
            Some(Ok(RTCDataChannelState::Open)) => self.set_open(),
            Some(Ok(RTCDataChannelState::Closed) | Err(_)) => self.set_closed(),
            _ => {}
        }
        self.state().channel
    }

    pub(crate) fn set_open(&self) {
        let mut state = self.state();
        if state.channel == ChannelState::Connecting {
            state.channel = ChannelState::Open;
        }
    }

    /// The peer closes the channel: it takes no new messages.
    pub(crate) fn set_closing(&self) {
        let mut state = self.state();
        if state.channel != ChannelState::Closed {
            state.channel = ChannelState::Closing;
        }
        drop(state);
        self.room.close();
    }

    /// Closes the channel behind what was accepted: the engine would drop what it has not sent.
    pub(crate) async fn close(&self) {
        let (before, now) = {
            let mut state = self.state();
            let before = state.channel;
            if matches!(before, ChannelState::Closing | ChannelState::Closed) {
                return;
            }
            state.channel = ChannelState::Closing;
            state.close_when_settled = state.in_ledger;
            (before, !state.in_ledger)
        };
        self.room.close();
        if before == ChannelState::Connecting {
            // The engine is silent about channels that are closed before they open.
            self.set_closed();
        }
        if now {
            let closing = self.start_closing_engine();
            if before == ChannelState::Open {
                // An error means that the runtime ended.
                let _ = closing.await;
            }
        }
    }

    /// The channel is gone: whoever waits for it is told.
    pub(crate) fn set_closed(&self) {
        let queue = {
            let mut state = self.state();
            if state.channel == ChannelState::Closed {
                // The reader may still have waited for what had arrived, of which there is no more.
                self.reader.wake();
                return;
            }
            state.channel = ChannelState::Closed;
            state.account.write_off();
            state.low_unreported = false;
            std::mem::take(&mut state.queue)
        };
        drop(queue);
        self.room.close();
        self.reader.wake();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state().channel == ChannelState::Closed
    }

    /// Compares the account with what the engine still holds; gives also how much that is. Runs in the
    /// driver's round.
    pub(crate) fn settle(&self) -> (Balance, usize) {
        // What is handed over after this may or may not be among what the engine says it holds.
        let handed_over = self.state().account.handed_over();
        let outstanding = match poll_once(self.engine.outstanding_bytes()) {
            Some(Ok(outstanding)) => outstanding,
            Some(Err(_)) => {
                self.set_closed();
                return (Balance::Settled, 0);
            }
            None => return (Balance::Unknown, 0),
        };
        let (account, freed, low, close) = {
            let mut state = self.state();
            let freed = state.account.let_go(handed_over, outstanding);
            let low = state.account.take_low();
            state.low_unreported |= low;
            let moves = state.handing_over || state.account.handed_over() != handed_over;
            let account = match state.account.buffered() {
                _ if moves => Balance::Unknown,
                0 if state.account.is_clear() => Balance::Settled,
                _ => Balance::Open,
            };
            state.in_ledger = account != Balance::Settled;
            let close =
                account == Balance::Settled && std::mem::take(&mut state.close_when_settled);
            (account, freed, low, close)
        };
        self.room.release(freed);
        if low {
            self.reader.wake();
        }
        if close {
            self.start_closing_engine();
        }
        (account, outstanding)
    }

    /// In the background, because a cancelled `close` must not stop half way.
    fn start_closing_engine(&self) -> JoinHandle<()> {
        let (engine, ids) = (self.engine.clone(), self.ids.clone());
        self.handle.spawn(async move {
            match ids {
                Some(ids) => ids.close(&engine).await,
                None => close_engine(&*engine).await,
            }
        })
    }

    fn check_open(&self) -> Result<(), ChannelError> {
        let mut known = self.state().channel;
        if known == ChannelState::Connecting {
            known = self.channel_state();
        }
        match known {
            ChannelState::Connecting => Err(ChannelError::NotOpen),
            ChannelState::Open => Ok(()),
            ChannelState::Closing | ChannelState::Closed => Err(ChannelError::Closed),
        }
    }

    /// Enters a message into the books; the caller hands it over unless another message is on its way,
    /// whose handover then takes this one along.
    fn accept(self: &Arc<Self>, message: Message, cost: u32) -> Option<Handover> {
        let enter;
        let handover = {
            let mut state = self.state();
            state.account.accept(message.len(), cost);
            if state.account.buffered() > state.account.low_threshold() {
                // A fall that nobody has been told of yet is no news any more; the next one is.
                state.low_unreported = false;
            }
            enter = !std::mem::replace(&mut state.in_ledger, true);
            if state.handing_over {
                state.queue.push_back(message);
                None
            } else {
                state.handing_over = true;
                Some(Handover::new(self.clone(), message))
            }
        };
        if enter {
            self.ledger.enter(self.clone());
        }
        handover
    }

    /// One message has reached the engine, or been refused by it; gives the next.
    pub(crate) fn handed_over(&self, size: usize) -> Option<Message> {
        let mut state = self.state();
        state.account.hand_over(size);
        let next = state.queue.pop_front();
        state.handing_over = next.is_some();
        next
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result of an engine call that only waits for the engine's lock, if the lock is free.
fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let future = std::pin::pin!(future);
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state();
        f.debug_struct("Outgoing")
            .field("state", &state.channel)
            .field("buffered", &state.account.buffered())
            .finish_non_exhaustive()
    }
}
