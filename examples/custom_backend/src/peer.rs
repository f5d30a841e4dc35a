//! A peer connection, in the words of the backend traits.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use skapi_rtc_backend::{
    BackendError, ChannelError, ChannelHandle, ChannelInit, ChannelInitError, ConnectionState,
    NegotiationError, OfferOptions, PeerConnection, PeerEvent, PeerHandle, PeerStats,
    SignalingState, queue,
};
use skapi_rtc_protocol::{IceCandidate, SdpKind, SessionDescription};

use crate::{
    channel,
    network::{Connection, Network, network, writer_of},
};

type Result<T, E = NegotiationError> = std::result::Result<T, E>;

/// Events that may wait for their reader. Only channels that the far side opens can come in numbers, and
/// those are refused when the queue is full.
const MAX_EVENTS: usize = 1024;

/// What the application holds of a [`Connection`]: its id, so that this one ends with the last handle.
#[derive(Debug)]
pub(crate) struct Peer(u64);

impl Peer {
    pub(crate) fn open() -> PeerHandle {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let (events, reader) = queue(MAX_EVENTS, usize::MAX);
        network().insert(id, Connection::new(id, events));
        PeerHandle::new(Arc::new(Self(id)), reader)
    }

    fn us<'a>(&self, network: &'a mut Network) -> Result<&'a mut Connection> {
        network.get_mut(&self.0).ok_or(NegotiationError::Closed)
    }

    /// We, and who wrote a description: somebody in this process, and nobody new in the middle of a call.
    fn parties<'a>(
        &self,
        network: &'a mut Network,
        description: &SessionDescription,
    ) -> Result<[&'a mut Connection; 2]> {
        if let Some(writer) = writer_of(description).filter(|writer| *writer != self.0)
            && let [Some(us), Some(them)] = network.get_disjoint_mut([&self.0, &writer])
            && (us.far == Some(writer) || us.far.or(them.far).is_none())
        {
            return Ok([us, them]);
        }
        Err(NegotiationError::BadDescription("no peer in this process wrote it".to_owned()))
    }

    fn end(&self) {
        let mut network = network();
        let Some(us) = network.remove(&self.0) else { return };
        us.channels.iter().for_each(|channel| channel::close(channel));
        us.events.force_send(PeerEvent::State(ConnectionState::Closed));
        if let Some(far) = us.far.and_then(|far| network.get_mut(&far)) {
            far.unlink();
        }
    }
}

#[async_trait]
impl PeerConnection for Peer {
    async fn make_offer(&self, options: OfferOptions) -> Result<SessionDescription> {
        let mut network = network();
        let us = self.us(&mut network)?;
        us.signaling = SignalingState::HaveLocalOffer;
        us.restarts += u32::from(options.ice_restart);
        Ok(us.describe(SdpKind::Offer))
    }

    async fn accept_offer(&self, offer: SessionDescription) -> Result<SessionDescription> {
        let mut network = network();
        self.us(&mut network)?.signaling.check_offer(&offer)?;
        let [us, _] = self.parties(&mut network, &offer)?;
        Ok(us.describe(SdpKind::Answer))
    }

    async fn accept_answer(&self, answer: SessionDescription) -> Result<()> {
        let mut network = network();
        self.us(&mut network)?.signaling.check_answer(&answer)?;
        let [us, them] = self.parties(&mut network, &answer)?;
        us.signaling = SignalingState::Stable;
        us.connect(them);
        Ok(())
    }

    async fn rollback(&self) -> Result<()> {
        self.us(&mut network())?.signaling = SignalingState::Stable;
        Ok(())
    }

    async fn add_candidate(&self, candidate: IceCandidate) -> Result<()> {
        self.us(&mut network())?;
        // The end is told by every engine. This one has no addresses, so what else comes is not from it.
        if candidate.is_end_of_candidates() {
            return Ok(());
        }
        Err(NegotiationError::BadCandidate("this engine has no addresses".to_owned()))
    }

    async fn create_channel(
        &self,
        label: &str,
        init: ChannelInit,
    ) -> Result<ChannelHandle, ChannelError> {
        init.validate(label)?;
        let mut network = network();
        let us = network.get_mut(&self.0).ok_or(ChannelError::Closed)?;
        if let Some(id) = init.negotiated.filter(|id| us.find_channel(*id).is_some()) {
            return Err(ChannelInitError::IdInUse(id).into());
        }
        let (channel, handle) = channel::create(label, init);
        us.channels.push(channel);
        if !std::mem::replace(&mut us.is_under_way, true) {
            us.events.force_send(PeerEvent::NegotiationNeeded);
        }
        if let Some(far) = us.far
            && let [Some(us), Some(far)] = network.get_disjoint_mut([&self.0, &far])
        {
            us.open_channels(far);
        }
        Ok(handle)
    }

    async fn stats(&self) -> Result<PeerStats, BackendError> {
        network().get(&self.0).map(Connection::stats).ok_or(BackendError::Closed)
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
