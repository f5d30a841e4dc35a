//! A peer connection of the engine, in the words of the backend traits.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, OnceLock, Weak, atomic::Ordering},
};

use async_trait::async_trait;
use skapi_rtc_backend::{
    BackendError, ChannelError, ChannelHandle, ChannelInit, ChannelInitError, LocalTrack,
    LocalTrackHandle, MediaError, NegotiationError, OfferOptions, PeerConnection, PeerEvent,
    PeerStats, SignalingState, TrackInit, TurnBridge,
    rtp::{self, Section},
};
use skapi_rtc_protocol::{IceCandidate, IceServer, SdpKind, SessionDescription};
use tokio::sync::{Mutex, watch};
use tracing::debug;
use webrtc::{
    error::{Error as EngineError, Result as EngineResult},
    peer_connection::{PeerConnection as EnginePeer, RTCIceCandidateInit, RTCSessionDescription},
};

use crate::{
    addresses::LocalAddresses,
    births::Birth,
    channel::{Channel, ChannelParameters},
    convert,
    media::{Local, Senders},
    outgoing::{EngineEnd, Outgoing},
    shared::Shared,
    stream_ids::StreamIds,
};

/// Remote candidates that may wait for the remote description.
const MAX_EARLY_CANDIDATES: usize = 256;

pub(crate) struct Peer {
    engine: Arc<dyn EnginePeer>,
    shared: Arc<Shared>,
    bridge: Arc<TurnBridge>,
    addresses: LocalAddresses,
    ids: Arc<StreamIds>,
    negotiation: Mutex<Negotiation>,
    /// Says when the connection is closed, once closing has begun.
    closed: OnceLock<watch::Receiver<bool>>,
}

#[derive(Default)]
struct Negotiation {
    signaling: SignalingState,
    has_remote_description: bool,
    early_candidates: VecDeque<RTCIceCandidateInit>,
    remote_ufrag: Option<String>,
    /// Channels made by agreement, by their ids, which are free again once they are closed.
    agreed: HashMap<u16, Weak<Outgoing>>,
    senders: Senders,
    /// What our pending offer says about media.
    offered: Vec<Section>,
}

impl Negotiation {
    fn is_offering(&self) -> bool {
        self.signaling == SignalingState::HaveLocalOffer
    }
}

impl Peer {
    pub(crate) fn new(
        engine: Arc<dyn EnginePeer>,
        shared: Arc<Shared>,
        bridge: Arc<TurnBridge>,
        addresses: LocalAddresses,
    ) -> Self {
        Self {
            engine,
            bridge,
            addresses,
            ids: Arc::new(StreamIds::new(shared.clone())),
            shared,
            negotiation: Mutex::default(),
            closed: OnceLock::new(),
        }
    }

    /// Closes in the background, once: neither a cancelled `close` nor a drop may stop half way.
    fn start_closing(&self) -> &watch::Receiver<bool> {
        self.closed.get_or_init(|| {
            self.shared.set_closing();
            let (engine, shared) = (self.engine.clone(), self.shared.clone());
            let bridge = self.bridge.clone();
            let (done, closed) = watch::channel(false);
            self.shared.runtime.spawn(async move {
                if let Err(error) = engine.close().await {
                    debug!(%error, "the engine did not close a connection in order");
                }
                bridge.close().await;
                shared.finish();
                done.send_replace(true);
            });
            closed
        })
    }

    fn check_open(&self) -> Result<(), NegotiationError> {
        if self.shared.is_closing() { Err(NegotiationError::Closed) } else { Ok(()) }
    }

    /// Sets a description that the engine made itself.
    async fn set_local(&self, description: RTCSessionDescription) -> Result<(), NegotiationError> {
        self.engine.set_local_description(description).await.map_err(|error| engine_error(&error))
    }

    /// A remote description is in place: what waited for it goes on.
    async fn remote_description_set(&self, negotiation: &mut Negotiation, ufrag: Option<String>) {
        negotiation.has_remote_description = true;
        negotiation.remote_ufrag = ufrag;
        for candidate in std::mem::take(&mut negotiation.early_candidates) {
            if let Err(error) = self.engine.add_ice_candidate(candidate).await {
                debug!(%error, "the engine refused an early candidate");
            }
        }
    }

    /// Both descriptions are in place: learns what they say about media and messages.
    async fn negotiated(&self, senders: &Senders, local: &[Section], remote: &[Section]) {
        senders.negotiated(&*self.engine, local, remote).await;
        if senders.want_offer() {
            self.shared.emit(PeerEvent::NegotiationNeeded);
        }
        if let Some(sctp) = self.engine.sctp().await
            && let Ok(size) = sctp.max_message_size().await
        {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            self.shared.max_message_size.store(size, Ordering::Relaxed);
        }
    }

    /// Between the peer's offer and our answer: our tracks join what is offered.
    async fn attach(&self, senders: &mut Senders, remote: &[Section]) -> EngineResult<()> {
        let engine = &*self.engine;
        senders.attach_to_offered(engine, remote, &self.shared.keyframe_requests).await?;
        senders.fit_to(engine, remote).await
    }

    async fn offer(
        &self,
        negotiation: &mut Negotiation,
        options: OfferOptions,
    ) -> Result<SessionDescription, NegotiationError> {
        let senders = &mut negotiation.senders;
        let attached =
            senders.attach_for_offer(&*self.engine, &self.shared.keyframe_requests).await;
        attached.map_err(|error| engine_error(&error))?;
        let offer = self.engine.create_offer(Some(convert::offer_options(options))).await;
        let offer = offer.map_err(|error| engine_error(&error))?;
        let offer_sdp = SessionDescription::offer(offer.sdp.clone());
        self.shared.set_local_ufrag(offer_sdp.ice_ufrag());
        self.set_local(offer).await?;
        negotiation.offered = rtp::sections(&offer_sdp.sdp);
        self.shared.add_payload_types(rtp::payload_types(&negotiation.offered));
        Ok(offer_sdp)
    }

    async fn answer(&self) -> Result<SessionDescription, NegotiationError> {
        let answer = self.engine.create_answer(None).await.map_err(|error| refused(&error))?;
        let answer_sdp = SessionDescription::answer(answer.sdp.clone());
        self.shared.set_local_ufrag(answer_sdp.ice_ufrag());
        self.set_local(answer).await?;
        Ok(answer_sdp)
    }
}

#[async_trait]
impl PeerConnection for Peer {
    async fn make_offer(
        &self,
        options: OfferOptions,
    ) -> Result<SessionDescription, NegotiationError> {
        let mut negotiation = self.negotiation.lock().await;
        self.check_open()?;
        self.shared.hurry(options.ice_restart);
        self.shared.set_offering(true);
        let offered = self.offer(&mut negotiation, options).await;
        if offered.is_ok() {
            negotiation.signaling = SignalingState::HaveLocalOffer;
        }
        self.shared.set_offering(negotiation.is_offering());
        self.shared.pulse.nudge();
        offered
    }

    async fn accept_offer(
        &self,
        offer: SessionDescription,
    ) -> Result<SessionDescription, NegotiationError> {
        let mut negotiation = self.negotiation.lock().await;
        self.check_open()?;
        negotiation.signaling.check_offer(&offer)?;
        let remote_ufrag = offer.ice_ufrag().map(str::to_owned);
        self.shared.hurry(remote_ufrag != negotiation.remote_ufrag);
        let remote = rtp::sections(&offer.sdp);
        let offer = convert::to_engine(offer).map_err(|error| refused(&error))?;
        let set = match self.engine.set_remote_description(offer).await {
            Ok(()) => self.attach(&mut negotiation.senders, &remote).await,
            Err(error) => Err(error),
        };
        let answered = match set {
            Ok(()) => self.answer().await,
            Err(error) => Err(refused(&error)),
        };
        let Ok(answer) = &answered else {
            // Half accepted is not accepted. Fails where the offer was refused at once; nothing is
            // pending then.
            if let Ok(rollback) = RTCSessionDescription::rollback(None) {
                let _ = self.engine.set_remote_description(rollback).await;
            }
            return answered;
        };
        self.remote_description_set(&mut negotiation, remote_ufrag).await;
        let local = rtp::sections(&answer.sdp);
        self.shared.add_payload_types(rtp::payload_types(&local));
        self.negotiated(&negotiation.senders, &local, &remote).await;
        self.shared.pulse.nudge();
        answered
    }

    async fn accept_answer(&self, answer: SessionDescription) -> Result<(), NegotiationError> {
        let mut negotiation = self.negotiation.lock().await;
        self.check_open()?;
        negotiation.signaling.check_answer(&answer)?;
        let provisional = answer.kind == SdpKind::ProvisionalAnswer;
        let remote_ufrag = answer.ice_ufrag().map(str::to_owned);
        self.shared.hurry(remote_ufrag != negotiation.remote_ufrag);
        let remote = rtp::sections(&answer.sdp);
        let answer = convert::to_engine(answer).map_err(|error| refused(&error))?;
        negotiation
            .senders
            .fit_to(&*self.engine, &remote)
            .await
            .map_err(|error| refused(&error))?;
        self.engine.set_remote_description(answer).await.map_err(|error| refused(&error))?;
        if !provisional {
            negotiation.signaling = SignalingState::Stable;
        }
        self.shared.set_offering(provisional);
        self.remote_description_set(&mut negotiation, remote_ufrag).await;
        self.negotiated(&negotiation.senders, &negotiation.offered, &remote).await;
        self.shared.pulse.nudge();
        Ok(())
    }

    async fn rollback(&self) -> Result<(), NegotiationError> {
        let mut negotiation = self.negotiation.lock().await;
        self.check_open()?;
        if !negotiation.is_offering() {
            return Ok(());
        }
        let rollback =
            RTCSessionDescription::rollback(None).map_err(|error| engine_error(&error))?;
        self.set_local(rollback).await?;
        negotiation.signaling = SignalingState::Stable;
        self.shared.set_offering(false);
        Ok(())
    }

    async fn add_candidate(&self, candidate: IceCandidate) -> Result<(), NegotiationError> {
        let mut negotiation = self.negotiation.lock().await;
        self.check_open()?;
        if candidate.is_end_of_candidates() {
            // The engine does not use it.
            return Ok(());
        }
        let candidate =
            convert::remote_candidate(candidate).map_err(NegotiationError::BadCandidate)?;
        if negotiation.has_remote_description {
            let added = self.engine.add_ice_candidate(candidate).await;
            self.shared.pulse.nudge();
            return added.map_err(|error| match error {
                error if convert::means_closed(&error) => NegotiationError::Closed,
                error => NegotiationError::BadCandidate(error.to_string()),
            });
        }
        if negotiation.early_candidates.len() >= MAX_EARLY_CANDIDATES {
            return Err(NegotiationError::BadCandidate(format!(
                "{MAX_EARLY_CANDIDATES} candidates wait for the remote description already"
            )));
        }
        negotiation.early_candidates.push_back(candidate);
        Ok(())
    }

    async fn set_ice_servers(&self, servers: Vec<IceServer>) -> Result<(), BackendError> {
        if self.shared.is_closing() {
            return Err(BackendError::Closed);
        }
        let servers = self.bridge.carry(servers, || self.addresses.chosen())?;
        let policy = self.engine.get_configuration().await.ice_transport_policy();
        let set = self.engine.set_configuration(convert::renewed(servers, policy)).await;
        set.map_err(|error| convert::create_error(&error))
    }

    async fn create_channel(
        &self,
        label: &str,
        init: ChannelInit,
    ) -> Result<ChannelHandle, ChannelError> {
        init.validate(label)?;
        let mut ids = self.ids.ready(&self.engine).await?;
        let mut negotiation = self.negotiation.lock().await;
        if self.shared.is_closing() {
            return Err(ChannelError::Closed);
        }
        negotiation.agreed.retain(|_, channel| channel.upgrade().is_some_and(|c| !c.is_closed()));
        if let Some(id) = init.negotiated
            && negotiation.agreed.contains_key(&id)
        {
            return Err(ChannelInitError::IdInUse(id).into());
        }
        let birth = Birth::begin(&self.shared);
        let made = self.engine.create_data_channel(label, Some(convert::channel_init(&init))).await;
        let twin = made.as_ref().ok().and_then(|made| birth.twin(made.id()));
        drop(birth);
        let made = made.map_err(|error| match error {
            error if convert::means_closed(&error) => ChannelError::Closed,
            error => ChannelError::Engine(error.to_string()),
        })?;
        let agreed = init.negotiated;
        if agreed.is_none() {
            ids.made(&made);
        }
        drop(ids);
        let keeper = agreed.is_none().then(|| self.ids.clone());
        let parameters = ChannelParameters { label: label.to_owned(), init };
        let outgoing = Outgoing::new(EngineEnd::made(made, twin, keeper).await, &self.shared);
        if let Some(id) = agreed {
            negotiation.agreed.insert(id, Arc::downgrade(&outgoing));
        }
        let handle = Channel::handle(outgoing, parameters, &self.shared);
        self.shared.pulse.nudge();
        Ok(handle)
    }

    async fn add_track(&self, init: TrackInit) -> Result<LocalTrackHandle, MediaError> {
        let (local, handle) = Local::handle(init, &self.shared)?;
        let mut negotiation = self.negotiation.lock().await;
        if self.shared.is_closing() {
            return Err(MediaError::Closed);
        }
        self.shared.enlist_track(&local);
        negotiation.senders.add(local, handle.track.clone());
        if negotiation.senders.want_offer() && !negotiation.is_offering() {
            self.shared.emit(PeerEvent::NegotiationNeeded);
        }
        Ok(handle)
    }

    async fn remove_track(&self, track: &Arc<dyn LocalTrack>) -> Result<(), MediaError> {
        self.negotiation.lock().await.senders.remove(&*self.engine, track).await
    }

    async fn stats(&self) -> Result<PeerStats, BackendError> {
        if self.shared.is_closing() {
            return Err(BackendError::Closed);
        }
        let pair = convert::selected_pair(&*self.engine).await;
        Ok(convert::peer_stats(&convert::report(&*self.engine).await, pair))
    }

    async fn close(&self) {
        let mut closed = self.start_closing().clone();
        // An error means that the runtime ended, and with it everything there was to close.
        let _ = closed.wait_for(|closed| *closed).await;
    }
}

impl Drop for Peer {
    /// The engine keeps a connection that is dropped without being closed, with its sockets and its task.
    fn drop(&mut self) {
        self.start_closing();
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("closing", &self.shared.is_closing()).finish_non_exhaustive()
    }
}

fn engine_error(error: &EngineError) -> NegotiationError {
    if convert::means_closed(error) {
        NegotiationError::Closed
    } else {
        NegotiationError::Engine(error.to_string())
    }
}

fn refused(error: &EngineError) -> NegotiationError {
    if convert::means_closed(error) {
        NegotiationError::Closed
    } else {
        NegotiationError::BadDescription(error.to_string())
    }
}
