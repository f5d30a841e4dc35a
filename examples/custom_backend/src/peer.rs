//! A peer connection: negotiation, how two of them meet, its end.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use skapi_rtc_backend::{
    BackendError, CandidateKind, CandidatePair, CandidateStats, ChannelError, ChannelHandle,
    ChannelInit, ChannelInitError, ChannelState, ConnectionState, DataChannel as _, EventSender,
    NegotiationError, OfferOptions, PeerConnection, PeerEvent, PeerHandle, PeerStats, queue,
};
use skapi_rtc_protocol::{IceCandidate, IceServer, SdpKind, SessionDescription};

use crate::{channel::Channel, lock};

type Result<T, E = NegotiationError> = std::result::Result<T, E>;

/// Events that may wait for their reader. Only channels that the far side opens can come in numbers, and
/// those are refused when the queue is full.
const MAX_EVENTS: usize = 1024;

/// Every connection that is open, by its id. One lock for all, so that what happens to two happens at once; a
/// channel's books may be locked under it, never the other way round.
static NETWORK: LazyLock<Mutex<HashMap<u64, Connection>>> = LazyLock::new(Mutex::default);

/// What the application holds of a [`Connection`]: its id, so that this one is dropped with the last handle.
#[derive(Debug)]
pub(crate) struct Peer(u64);

impl Peer {
    pub(crate) fn open() -> PeerHandle {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let (events, reader) = queue(MAX_EVENTS, usize::MAX);
        let connection = Connection {
            id,
            events,
            far: None,
            offering: false,
            restarts: 0,
            is_under_way: false,
            channels: Vec::new(),
            stats: PeerStats::default(),
        };
        lock(&NETWORK).insert(id, connection);
        PeerHandle::new(Arc::new(Self(id)), reader)
    }

    /// We, and who wrote a description that is right for us now: somebody in this process, and nobody new in
    /// the middle of a call.
    fn parties<'a>(
        &self,
        network: &'a mut HashMap<u64, Connection>,
        description: &SessionDescription,
        kind: SdpKind,
    ) -> Result<[&'a mut Connection; 2]> {
        let us = network.get(&self.0).ok_or(NegotiationError::Closed)?;
        if us.offering != (kind == SdpKind::Answer) {
            let pending = if us.offering { "pending: roll it back" } else { "not pending" };
            let reason = format!("an own offer is {pending}");
            return Err(NegotiationError::WrongState { step: "accept a description", reason });
        }
        let writer = writer_of(description).filter(|id| *id != self.0 && description.kind == kind);
        if let Some(writer) = writer
            && let [Some(us), Some(them)] = network.get_disjoint_mut([&self.0, &writer])
            && (us.far == Some(writer) || us.far.or(them.far).is_none())
        {
            return Ok([us, them]);
        }
        let why = format!("it is not the {kind:?} of a peer in this process");
        Err(NegotiationError::BadDescription(why))
    }

    fn end(&self) {
        let mut network = lock(&NETWORK);
        let Some(us) = network.remove(&self.0) else { return };
        us.channels.iter().for_each(|channel| channel.shut());
        us.events.force_send(PeerEvent::State(ConnectionState::Closed));
        if let Some(far) = us.far.and_then(|far| network.get_mut(&far)) {
            (far.far, far.stats.selected_pair) = (None, None);
            far.events.force_send(PeerEvent::State(ConnectionState::Disconnected));
        }
    }
}

#[async_trait]
impl PeerConnection for Peer {
    async fn make_offer(&self, options: OfferOptions) -> Result<SessionDescription> {
        let mut network = lock(&NETWORK);
        let us = network.get_mut(&self.0).ok_or(NegotiationError::Closed)?;
        us.offering = true;
        us.restarts += u32::from(options.ice_restart);
        Ok(us.describe(SdpKind::Offer))
    }

    async fn accept_offer(&self, offer: SessionDescription) -> Result<SessionDescription> {
        let mut network = lock(&NETWORK);
        let [us, _] = self.parties(&mut network, &offer, SdpKind::Offer)?;
        Ok(us.describe(SdpKind::Answer))
    }

    async fn accept_answer(&self, answer: SessionDescription) -> Result<()> {
        let mut network = lock(&NETWORK);
        let [us, them] = self.parties(&mut network, &answer, SdpKind::Answer)?;
        us.offering = false;
        us.connect(them);
        Ok(())
    }

    async fn rollback(&self) -> Result<()> {
        let mut network = lock(&NETWORK);
        network.get_mut(&self.0).ok_or(NegotiationError::Closed)?.offering = false;
        Ok(())
    }

    async fn add_candidate(&self, candidate: IceCandidate) -> Result<()> {
        if !lock(&NETWORK).contains_key(&self.0) {
            return Err(NegotiationError::Closed);
        }
        // The end is told by every engine. This one has no addresses, so what else comes is not from it.
        if candidate.is_end_of_candidates() {
            return Ok(());
        }
        Err(NegotiationError::BadCandidate("this engine has no addresses".to_owned()))
    }

    async fn set_ice_servers(&self, _servers: Vec<IceServer>) -> Result<(), BackendError> {
        lock(&NETWORK).get(&self.0).map(|_| ()).ok_or(BackendError::Closed)
    }

    async fn create_channel(
        &self,
        label: &str,
        init: ChannelInit,
    ) -> Result<ChannelHandle, ChannelError> {
        init.validate(label)?;
        let mut network = lock(&NETWORK);
        let us = network.get_mut(&self.0).ok_or(ChannelError::Closed)?;
        us.forget_closed();
        if let Some(id) = init.negotiated
            && us.channels.iter().any(|channel| channel.id() == Some(id))
        {
            return Err(ChannelInitError::IdInUse(id).into());
        }
        let (channel, handle) = Channel::new(label, init);
        us.channels.push(channel.clone());
        if !std::mem::replace(&mut us.is_under_way, true) {
            us.events.force_send(PeerEvent::NegotiationNeeded);
        }
        if let Some(far) = us.far
            && let [Some(us), Some(far)] = network.get_disjoint_mut([&self.0, &far])
        {
            far.meet(&channel, us);
        }
        Ok(handle)
    }

    async fn stats(&self) -> Result<PeerStats, BackendError> {
        lock(&NETWORK).get(&self.0).map(Connection::snapshot).ok_or(BackendError::Closed)
    }

    async fn close(&self) {
        self.end();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.end();
    }
}

#[derive(Debug)]
struct Connection {
    id: u64,
    events: EventSender<PeerEvent>,
    /// Whom it is connected to.
    far: Option<u64>,
    /// An own offer is pending.
    offering: bool,
    /// How often ICE was started anew.
    restarts: u32,
    /// The first negotiation was asked for, or has begun.
    is_under_way: bool,
    channels: Vec<Arc<Channel>>,
    /// The selected pair, and what channels that are gone have carried.
    stats: PeerStats,
}

impl Connection {
    /// What it says of itself. Real descriptions say much more; what others read in them is `a=ice-ufrag`, by
    /// which a restart of ICE is told from a mere renegotiation. Here it names the writer, too.
    fn describe(&mut self, kind: SdpKind) -> SessionDescription {
        self.is_under_way = true;
        // There is nothing to gather.
        self.events.force_send(PeerEvent::Candidate(IceCandidate::default()));
        let Self { id, restarts, .. } = self;
        let sdp = format!(
            "v=0\r\no=- {id} {restarts} IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
             a=ice-ufrag:loopback/{id}/{restarts}\r\n"
        );
        SessionDescription { kind, sdp }
    }

    /// Connects two sides and opens what was made before. Later negotiations find it done.
    fn connect(&mut self, far: &mut Self) {
        self.link(far.id);
        far.link(self.id);
        self.channels.clone().iter().for_each(|channel| far.meet(channel, self));
        far.channels.clone().iter().for_each(|channel| self.meet(channel, far));
    }

    fn link(&mut self, far: u64) {
        if self.far.replace(far).is_some() {
            return;
        }
        let [local, remote] = [self.id, far]
            .map(|id| CandidateStats::new(CandidateKind::Host, "memory", format!("loopback:{id}")));
        let pair = CandidatePair::new(local, remote);
        self.stats.selected_pair = Some(pair.clone());
        self.events.force_send(PeerEvent::State(ConnectionState::Connecting));
        self.events.force_send(PeerEvent::SelectedPair(pair));
        self.events.force_send(PeerEvent::State(ConnectionState::Connected));
    }

    /// The far side has made a channel: an agreed one opens when there are two, any other is announced.
    fn meet(&mut self, theirs: &Channel, far: &Self) {
        let is_new = |channel: &Channel| channel.state() == ChannelState::Connecting;
        if !is_new(theirs) {
            return;
        }
        if let Some(id) = theirs.id() {
            let mut ours = self.channels.iter().filter(|ours| is_new(ours));
            if let Some(ours) = ours.find(|ours| ours.id() == Some(id)) {
                ours.join(theirs, id);
            }
            return;
        }
        self.forget_closed();
        let channels = self.channels.iter().chain(&far.channels);
        let taken: HashSet<_> = channels.filter_map(|channel| channel.id()).collect();
        let (ours, handle) = Channel::new(theirs.label(), theirs.init.clone());
        match (0..u16::MAX).find(|id| !taken.contains(id)) {
            Some(id) if self.events.try_send(PeerEvent::Channel(handle)).is_ok() => {
                ours.join(theirs, id);
                self.channels.push(ours);
            }
            // There is no id left, or nobody who reads of it.
            _ => theirs.shut(),
        }
    }

    fn forget_closed(&mut self) {
        let is_closed = |channel: &mut Arc<Channel>| channel.state() == ChannelState::Closed;
        for channel in self.channels.extract_if(.., is_closed) {
            channel.report(&mut self.stats);
        }
        self.stats.channels.clear();
    }

    fn snapshot(&self) -> PeerStats {
        let mut stats = self.stats.clone();
        self.channels.iter().for_each(|channel| channel.report(&mut stats));
        stats
    }
}

/// The id in a description. Whoever sent it may have written anything.
fn writer_of(description: &SessionDescription) -> Option<u64> {
    let (id, _restarts) = description.ice_ufrag()?.strip_prefix("loopback/")?.split_once('/')?;
    id.parse().ok()
}
