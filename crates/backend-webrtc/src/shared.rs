//! What the parts of one connection share: its event queue, its channels, its end.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use skapi_rtc_backend::{
    CandidatePair, ChannelHandle, ConnectionState, EventSender, PeerEvent, PeerEvents,
    TrySendError, queue,
};
use tokio::runtime::Handle;
use tracing::warn;
use webrtc::peer_connection::PeerConnection as EnginePeer;

use crate::{
    births::Births, ledger::Ledger, outgoing::Outgoing, pulse::Pulse, runtime::DriverWatch,
};

/// Events that may wait for their reader. Only channels that the peer opens can come in numbers, and
/// those are refused when the queue is full.
const MAX_EVENTS: usize = 1024;

pub(crate) struct Shared {
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) births: Births,
    /// Where background work goes.
    pub(crate) runtime: Handle,
    /// The send buffer of each channel, in bytes.
    pub(crate) send_buffer: usize,
    /// What was negotiated, or what we offer before that.
    pub(crate) max_message_size: AtomicUsize,
    engine_peer: OnceLock<Weak<dyn EnginePeer>>,
    /// Whether `close` was called, or the last handle dropped.
    closing: AtomicBool,
    state: Mutex<State>,
}

struct State {
    /// Gone once the connection is over.
    events: Option<EventSender<PeerEvent>>,
    connection: ConnectionState,
    selected_pair: Option<CandidatePair>,
    local_ufrag: Option<String>,
    channels: VecDeque<Weak<Outgoing>>,
}

impl Shared {
    pub(crate) fn new(
        pulse: Arc<Pulse>,
        send_buffer: usize,
        max_message_size: usize,
        runtime: Handle,
    ) -> (Arc<Self>, PeerEvents) {
        let (events, reader) = queue(MAX_EVENTS, usize::MAX);
        let shared = Self {
            pulse,
            ledger: Arc::default(),
            births: Births::default(),
            runtime,
            send_buffer,
            max_message_size: AtomicUsize::new(max_message_size),
            engine_peer: OnceLock::new(),
            closing: AtomicBool::new(false),
            state: Mutex::new(State {
                events: Some(events),
                connection: ConnectionState::New,
                selected_pair: None,
                local_ufrag: None,
                channels: VecDeque::new(),
            }),
        };
        (Arc::new(shared), reader)
    }

    pub(crate) fn set_engine_peer(&self, peer: &Arc<dyn EnginePeer>) {
        let _ = self.engine_peer.set(Arc::downgrade(peer));
    }

    /// The engine's connection, unless it is still being built or gone.
    pub(crate) fn engine_peer(&self) -> Option<Arc<dyn EnginePeer>> {
        self.engine_peer.get()?.upgrade()
    }

    pub(crate) fn set_closing(&self) {
        self.closing.store(true, Ordering::Release);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Queues an event of a kind that is rare by nature, and must not be lost.
    pub(crate) fn emit(&self, event: PeerEvent) {
        if let Some(events) = &self.state().events {
            events.force_send(event);
        }
    }

    /// Queues a channel that the peer opened. It comes back when the reader is too far behind: there is
    /// no end to what a peer can open.
    pub(crate) fn emit_channel(&self, channel: ChannelHandle) -> Option<ChannelHandle> {
        let state = self.state();
        match state.events.as_ref()?.try_send(PeerEvent::Channel(channel)) {
            Err(TrySendError::Full(PeerEvent::Channel(channel))) => Some(channel),
            _ => None,
        }
    }

    pub(crate) fn emit_state(&self, connection: ConnectionState) {
        let changed = std::mem::replace(&mut self.state().connection, connection) != connection;
        if changed {
            self.emit(PeerEvent::State(connection));
        }
    }

    pub(crate) fn emit_selected_pair(&self, pair: CandidatePair) {
        let changed = {
            let mut state = self.state();
            let same = state
                .selected_pair
                .as_ref()
                .is_some_and(|known| known.local == pair.local && known.remote == pair.remote);
            state.selected_pair = Some(pair.clone());
            !same
        };
        if changed {
            self.emit(PeerEvent::SelectedPair(pair));
        }
    }

    /// Whether there has been a connection, and the engine still runs.
    pub(crate) fn was_connected(&self) -> bool {
        use ConnectionState::{Connected, Disconnected, Failed};
        matches!(self.state().connection, Connected | Disconnected | Failed)
    }

    /// Hurries the driver through a step of a negotiation.
    pub(crate) fn hurry(&self, restarts_ice: bool) {
        match self.state().connection {
            ConnectionState::New | ConnectionState::Connecting => self.pulse.hurry(),
            _ if restarts_ice => self.pulse.hurry_restart(),
            _ => {}
        }
    }

    pub(crate) fn set_local_ufrag(&self, ufrag: Option<&str>) {
        self.state().local_ufrag = ufrag.map(str::to_owned);
    }

    pub(crate) fn local_ufrag(&self) -> Option<String> {
        self.state().local_ufrag.clone()
    }

    /// Remembers a channel, to close it with the connection.
    pub(crate) fn enlist(&self, channel: &Arc<Outgoing>) {
        let mut state = self.state();
        // A look at two old ones for each new one keeps the list in proportion to what is alive.
        for _ in 0..2 {
            if let Some(oldest) = state.channels.pop_front()
                && oldest.strong_count() > 0
            {
                state.channels.push_back(oldest);
            }
        }
        state.channels.push_back(Arc::downgrade(channel));
    }

    /// Ends everything: channels, then the connection's state, then its events.
    pub(crate) fn finish(&self) {
        let (events, channels) = {
            let mut state = self.state();
            (state.events.take(), std::mem::take(&mut state.channels))
        };
        for channel in channels.iter().filter_map(Weak::upgrade) {
            channel.set_closed();
        }
        self.ledger.close();
        if let Some(events) = events {
            if !self.is_closing() {
                warn!("the engine stopped by itself; its log says why");
                events.force_send(PeerEvent::State(ConnectionState::Failed));
            }
            events.force_send(PeerEvent::State(ConnectionState::Closed));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DriverWatch for Shared {
    fn driver_ended(&self) {
        self.finish();
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}
