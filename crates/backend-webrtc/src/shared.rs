//! What the parts of one connection share: its event queue, its channels, its end.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use skapi_rtc_backend::{
    CandidateKind, CandidatePair, Codec, ConnectionState, EventSender, PeerEvent, PeerEvents,
    TrySendError, queue, rtp::PayloadTypes,
};
use tokio::{runtime::Handle, sync::watch};
use tracing::warn;
use webrtc::peer_connection::PeerConnection as EnginePeer;

use crate::{
    addresses::LocalAddresses,
    births::Births,
    ledger::Ledger,
    media::{KeyframeRequests, Local},
    moves::{Moves, Path},
    outgoing::Outgoing,
    pulse::Pulse,
    runtime::DriverWatch,
};

/// Events that may wait for their reader. Only channels that the peer opens and tracks that it adds can
/// come in numbers, and those are refused when the queue is full.
const MAX_EVENTS: usize = 1024;

pub(crate) struct Shared {
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) births: Births,
    pub(crate) keyframe_requests: Arc<KeyframeRequests>,
    /// Where background work goes.
    pub(crate) runtime: Handle,
    /// The send buffer of each channel, in bytes.
    pub(crate) send_buffer: usize,
    /// What was negotiated, or what we offer before that.
    pub(crate) max_message_size: AtomicUsize,
    engine_peer: OnceLock<Weak<dyn EnginePeer>>,
    /// Whether `close` was called, or the last handle dropped.
    closing: AtomicBool,
    /// Whether an offer of ours is being made or waits for its answer.
    offering: AtomicBool,
    over: watch::Sender<bool>,
    moves: Mutex<Moves>,
    state: Mutex<State>,
}

struct State {
    /// Gone once the connection is over.
    events: Option<EventSender<PeerEvent>>,
    connection: ConnectionState,
    selected_pair: Option<CandidatePair>,
    local_ufrag: Option<String>,
    channels: VecDeque<Weak<Outgoing>>,
    tracks: Vec<Weak<Local>>,
    payload_types: PayloadTypes,
}

impl Shared {
    pub(crate) fn new(
        pulse: Arc<Pulse>,
        send_buffer: usize,
        max_message_size: usize,
        addresses: LocalAddresses,
        runtime: Handle,
    ) -> (Arc<Self>, PeerEvents) {
        let (events, reader) = queue(MAX_EVENTS, usize::MAX);
        let shared = Self {
            pulse,
            ledger: Arc::default(),
            births: Births::default(),
            keyframe_requests: Arc::default(),
            runtime,
            send_buffer,
            max_message_size: AtomicUsize::new(max_message_size),
            engine_peer: OnceLock::new(),
            closing: AtomicBool::new(false),
            offering: AtomicBool::new(false),
            over: watch::Sender::new(false),
            moves: Mutex::new(Moves::new(addresses)),
            state: Mutex::new(State {
                events: Some(events),
                connection: ConnectionState::New,
                selected_pair: None,
                local_ufrag: None,
                channels: VecDeque::new(),
                tracks: Vec::new(),
                payload_types: PayloadTypes::new(),
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

    /// Queues something that the peer made. It comes back when the reader is too far behind: there is no
    /// end to what a peer can make.
    pub(crate) fn try_emit(&self, event: PeerEvent) -> Option<PeerEvent> {
        let state = self.state();
        match state.events.as_ref()?.try_send(event) {
            Err(TrySendError::Full(event)) => Some(event),
            _ => None,
        }
    }

    pub(crate) fn emit_state(&self, connection: ConnectionState) {
        use ConnectionState::{Connected, Disconnected};
        self.pulse.catch_up.set_path(matches!(connection, Connected | Disconnected));
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

    pub(crate) fn set_offering(&self, offering: bool) {
        self.offering.store(offering, Ordering::Release);
    }

    pub(crate) fn is_offering(&self) -> bool {
        self.offering.load(Ordering::Acquire)
    }

    /// Whether the connection is over: the engine has nothing more to say.
    pub(crate) fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    /// Waits until the connection is over.
    pub(crate) async fn over(&self) {
        let mut over = self.over.subscribe();
        let _ = over.wait_for(|over| *over).await;
    }

    /// Remembers a track of ours, to tell it of the connection's beginning and end.
    pub(crate) fn enlist_track(&self, track: &Arc<Local>) {
        let connected = {
            let mut state = self.state();
            state.tracks.retain(|track| track.strong_count() > 0);
            state.tracks.push(Arc::downgrade(track));
            state.connection == ConnectionState::Connected
        };
        if connected {
            track.connected();
        }
    }

    /// Media flow from now on.
    pub(crate) fn tracks_connected(&self) {
        let tracks = self.state().tracks.clone();
        tracks.iter().filter_map(Weak::upgrade).for_each(|track| track.connected());
    }

    /// Learns what payload types mean in packets to us.
    pub(crate) fn add_payload_types(&self, types: PayloadTypes) {
        self.state().payload_types.extend(types);
    }

    pub(crate) fn codec(&self, payload_type: u8) -> Option<Codec> {
        self.state().payload_types.get(&payload_type).copied()
    }

    /// Whether there has been a connection, and the engine still runs.
    pub(crate) fn was_connected(&self) -> bool {
        use ConnectionState::{Connected, Disconnected, Failed};
        matches!(self.state().connection, Connected | Disconnected | Failed)
    }

    /// What the connection would lose with an address of the machine.
    fn path(&self) -> Path {
        let state = self.state();
        if state.connection != ConnectionState::Connected {
            return Path::Lost;
        }
        let local = state.selected_pair.as_ref().map(|pair| &pair.local);
        let host = local.filter(|local| local.kind == CandidateKind::Host);
        let address = host.and_then(|local| local.address.parse::<SocketAddr>().ok());
        address.map_or(Path::FromAny, |address| Path::From(address.ip()))
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

    /// Ends everything: channels and tracks, then the connection's state, then its events.
    pub(crate) fn finish(&self) {
        let (events, channels, tracks) = {
            let mut state = self.state();
            let tracks = std::mem::take(&mut state.tracks);
            (state.events.take(), std::mem::take(&mut state.channels), tracks)
        };
        self.over.send_replace(true);
        tracks.iter().filter_map(Weak::upgrade).for_each(|track| track.end());
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
    fn driver_rests(&self) {
        let mut moves = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
        if moves.look(|| self.path()) {
            self.emit(PeerEvent::AddressesChanged);
        }
    }

    fn driver_ended(&self) {
        self.finish();
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}
