//! What stands in the place of an engine below: every connection of this process, and how two of them meet.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use skapi_rtc_backend::{
    CandidateKind, CandidatePair, CandidateStats, ChannelState, ConnectionState, DataChannel as _,
    EventSender, PeerEvent, PeerStats, SignalingState,
};
use skapi_rtc_protocol::{IceCandidate, SdpKind, SessionDescription};

use crate::channel::{self, Channel};

pub(crate) type Network = HashMap<u64, Connection>;

/// Every connection that is open, by its id. One lock for all, so that what happens to two happens at once.
pub(crate) fn network() -> MutexGuard<'static, Network> {
    static NETWORK: LazyLock<Mutex<Network>> = LazyLock::new(Mutex::default);
    // No code of others runs under the lock, so a poisoned state is still a whole one.
    NETWORK.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) struct Connection {
    id: u64,
    pub(crate) events: EventSender<PeerEvent>,
    pub(crate) signaling: SignalingState,
    /// How often ICE was started anew.
    pub(crate) restarts: u32,
    /// The first negotiation was asked for, or has begun.
    pub(crate) is_under_way: bool,
    /// Whom it is connected to.
    pub(crate) far: Option<u64>,
    selected_pair: Option<CandidatePair>,
    /// All that it ever had: there are only so many ids.
    pub(crate) channels: Vec<Arc<Channel>>,
}

impl Connection {
    pub(crate) fn new(id: u64, events: EventSender<PeerEvent>) -> Self {
        Self {
            id,
            events,
            signaling: SignalingState::Stable,
            restarts: 0,
            is_under_way: false,
            far: None,
            selected_pair: None,
            channels: Vec::new(),
        }
    }

    /// What it says of itself. Real descriptions say much more; what others read in them is `a=ice-ufrag`, by
    /// which a restart of ICE is told from a mere renegotiation. Here it names the writer, too.
    pub(crate) fn describe(&mut self, kind: SdpKind) -> SessionDescription {
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
    pub(crate) fn connect(&mut self, far: &mut Self) {
        self.link(far.id);
        far.link(self.id);
        self.open_channels(far);
        far.open_channels(self);
    }

    fn link(&mut self, far: u64) {
        if self.far.replace(far).is_some() {
            return;
        }
        let [local, remote] = [self.id, far]
            .map(|id| CandidateStats::new(CandidateKind::Host, "memory", format!("loopback:{id}")));
        let pair = CandidatePair::new(local, remote);
        self.selected_pair = Some(pair.clone());
        self.events.force_send(PeerEvent::State(ConnectionState::Connecting));
        self.events.force_send(PeerEvent::SelectedPair(pair));
        self.events.force_send(PeerEvent::State(ConnectionState::Connected));
    }

    /// The other side is gone.
    pub(crate) fn unlink(&mut self) {
        (self.far, self.selected_pair) = (None, None);
        self.events.force_send(PeerEvent::State(ConnectionState::Disconnected));
    }

    /// Opens what we have made: an agreed channel once there are two, any other is announced.
    pub(crate) fn open_channels(&self, far: &mut Self) {
        for ours in self.channels.iter().filter(|ours| ours.state() == ChannelState::Connecting) {
            if let Some(id) = ours.id() {
                if let Some(theirs) = far.find_channel(id) {
                    channel::open(ours, theirs, id);
                }
                continue;
            }
            // Both lists only grow, so no id is chosen twice.
            let mut ids = (0..u16::MAX).skip(self.channels.len() + far.channels.len());
            let id = ids.find(|id| self.find_channel(*id).or(far.find_channel(*id)).is_none());
            let (theirs, handle) = channel::create(ours.label(), ours.init().clone());
            if let Some(id) = id
                && far.events.try_send(PeerEvent::Channel(handle)).is_ok()
            {
                channel::open(ours, &theirs, id);
                far.channels.push(theirs);
            } else {
                // There is no id left, or nobody who reads of it.
                ours.set_closed();
            }
        }
    }

    /// The channel that has this id now.
    pub(crate) fn find_channel(&self, id: u16) -> Option<&Arc<Channel>> {
        let mut channels = self.channels.iter().filter(|it| it.state() != ChannelState::Closed);
        channels.find(|channel| channel.id() == Some(id))
    }

    pub(crate) fn stats(&self) -> PeerStats {
        let mut stats = PeerStats::default();
        stats.selected_pair.clone_from(&self.selected_pair);
        self.channels.iter().for_each(|channel| stats.add_channel(channel.stats()));
        stats
    }
}

/// The id in a description. Whoever sent it may have written anything.
pub(crate) fn writer_of(description: &SessionDescription) -> Option<u64> {
    let (id, _restarts) = description.ice_ufrag()?.strip_prefix("loopback/")?.split_once('/')?;
    id.parse().ok()
}
