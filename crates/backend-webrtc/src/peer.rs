//! A peer connection of the engine, in the words of the backend traits.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, atomic::Ordering},
};

use async_trait::async_trait;
use skapi_rtc_backend::{
    BackendError, ChannelError, ChannelHandle, ChannelInit, ChannelInitError, LocalTrack,
    LocalTrackHandle, MediaError, NegotiationError, OfferOptions, PeerConnection, PeerStats,
    TrackInit,
};
use skapi_rtc_protocol::{IceCandidate, SdpKind, SessionDescription};
use tokio::sync::Mutex;
use tracing::debug;
use webrtc::{
    error::Error as EngineError,
    peer_connection::{PeerConnection as EnginePeer, RTCIceCandidateInit, RTCSessionDescription},
};

use crate::{
    births::Birth,
    channel::{Channel, ChannelParameters},
    convert,
    outgoing::EngineEnd,
    shared::Shared,
};

/// Remote candidates that may wait for the remote description.
const MAX_EARLY_CANDIDATES: usize = 256;

pub(crate) struct Peer {
    engine: Arc<dyn EnginePeer>,
    shared: Arc<Shared>,
    negotiation: Mutex<Negotiation>,
    /// Held while closing, so that a second call returns once the first is done.
    closed: Mutex<bool>,
}

/// ```text
///            make_offer                    accept_offer
///   Stable ─────────────► HaveLocalOffer  ┌────────────┐
///     ▲                        │          │            │
///     └────────────────────────┘          └─► Stable ──┘
///       accept_answer, rollback
/// ```
#[derive(Debug, Default)]
struct Negotiation {
    has_local_offer: bool,
    has_remote_description: bool,
    early_candidates: VecDeque<RTCIceCandidateInit>,
    /// Ids of channels made by agreement.
    negotiated_ids: Vec<u16>,
}

impl Peer {
    pub(crate) fn new(engine: Arc<dyn EnginePeer>, shared: Arc<Shared>) -> Self {
        Self {
            engine,
            shared,
            negotiation: Mutex::default(),
            closed: Mutex::new(false),
        }
    }

    fn check_open(&self) -> Result<(), NegotiationError> {
        if self.shared.is_closing() {
            Err(NegotiationError::Closed)
        } else {
            Ok(())
        }
    }

    /// Sets a description that the engine made itself.
    async fn set_local(&self, description: RTCSessionDescription) -> Result<(), NegotiationError> {
        self.engine
            .set_local_description(description)
            .await
            .map_err(|error| engine_error(&error))
    }

    /// A remote description is in place: what waited for it goes on.
    async fn remote_description_set(&self, negotiation: &mut Negotiation) {
        negotiation.has_remote_description = true;
        for candidate in std::mem::take(&mut negotiation.early_candidates) {
            if let Err(error) = self.engine.add_ice_candidate(candidate).await {
                debug!(%error, "the engine refused an early candidate");
            }
        }
    }

    /// Both descriptions are in place: learns what they say about messages.
    async fn negotiated(&self) {
        if let Some(sctp) = self.engine.sctp().await
            && let Ok(size) = sctp.max_message_size().await
        {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            self.shared.max_message_size.store(size, Ordering::Relaxed);
        }
    }

    async fn answer(&self) -> Result<SessionDescription, NegotiationError> {
        let answer = self
            .engine
            .create_answer(None)
            .await
            .map_err(|error| refused(&error))?;
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
        self.shared.pulse.settle();
        let offer = self
            .engine
            .create_offer(Some(convert::offer_options(options)))
            .await
            .map_err(|error| engine_error(&error))?;
        let offer_sdp = SessionDescription::offer(offer.sdp.clone());
        self.shared.set_local_ufrag(offer_sdp.ice_ufrag());
        self.set_local(offer).await?;
        negotiation.has_local_offer = true;
        self.shared.pulse.nudge();
        Ok(offer_sdp)
    }

    async fn accept_offer(
        &self,
        offer: SessionDescription,
    ) -> Result<SessionDescription, NegotiationError> {
        const STEP: &str = "accept an offer";
        let mut negotiation = self.negotiation.lock().await;
        self.check_open()?;
        if negotiation.has_local_offer {
            return Err(wrong_state(
                STEP,
                "an own offer is pending: roll it back first",
            ));
        }
        if offer.kind != SdpKind::Offer {
            return Err(wrong_state(STEP, "the description is not an offer"));
        }
        self.shared.pulse.settle();
        let offer = convert::to_engine(offer).map_err(|error| refused(&error))?;
        let set = self.engine.set_remote_description(offer).await;
        let answered = match set {
            Ok(()) => self.answer().await,
            Err(error) => Err(refused(&error)),
        };
        if answered.is_err() {
            // Half accepted is not accepted. Fails where the offer was refused at once; nothing is
            // pending then.
            if let Ok(rollback) = RTCSessionDescription::rollback(None) {
                let _ = self.engine.set_remote_description(rollback).await;
            }
            return answered;
        }
        self.remote_description_set(&mut negotiation).await;
        self.negotiated().await;
        self.shared.pulse.nudge();
        answered
    }

    async fn accept_answer(&self, answer: SessionDescription) -> Result<(), NegotiationError> {
        const STEP: &str = "accept an answer";
        let mut negotiation = self.negotiation.lock().await;
        self.check_open()?;
        if !negotiation.has_local_offer {
            return Err(wrong_state(STEP, "no own offer is pending"));
        }
        if answer.kind == SdpKind::Offer {
            return Err(wrong_state(STEP, "the description is an offer"));
        }
        let provisional = answer.kind == SdpKind::ProvisionalAnswer;
        self.shared.pulse.settle();
        let answer = convert::to_engine(answer).map_err(|error| refused(&error))?;
        self.engine
            .set_remote_description(answer)
            .await
            .map_err(|error| refused(&error))?;
        negotiation.has_local_offer = provisional;
        self.remote_description_set(&mut negotiation).await;
        self.negotiated().await;
        self.shared.pulse.nudge();
        Ok(())
    }

    async fn rollback(&self) -> Result<(), NegotiationError> {
        let mut negotiation = self.negotiation.lock().await;
        self.check_open()?;
        if !negotiation.has_local_offer {
            return Ok(());
        }
        let rollback =
            RTCSessionDescription::rollback(None).map_err(|error| engine_error(&error))?;
        self.set_local(rollback).await?;
        negotiation.has_local_offer = false;
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

    async fn create_channel(
        &self,
        label: &str,
        init: ChannelInit,
    ) -> Result<ChannelHandle, ChannelError> {
        init.validate(label)?;
        let mut negotiation = self.negotiation.lock().await;
        if self.shared.is_closing() {
            return Err(ChannelError::Closed);
        }
        if let Some(id) = init.negotiated {
            if negotiation.negotiated_ids.contains(&id) {
                return Err(ChannelInitError::IdInUse(id).into());
            }
            negotiation.negotiated_ids.push(id);
        }
        let birth = Birth::begin(&self.shared);
        let made = self
            .engine
            .create_data_channel(label, Some(convert::channel_init(&init)))
            .await;
        let twin = made.as_ref().ok().and_then(|made| birth.twin(made.id()));
        drop(birth);
        let made = made.map_err(|error| match error {
            error if convert::means_closed(&error) => ChannelError::Closed,
            error => ChannelError::Engine(error.to_string()),
        })?;
        let parameters = ChannelParameters {
            label: label.to_owned(),
            init,
        };
        let end = EngineEnd::made(made, twin).await;
        let handle = Channel::handle(end, parameters, &self.shared);
        self.shared.pulse.nudge();
        Ok(handle)
    }

    async fn add_track(&self, _track: TrackInit) -> Result<LocalTrackHandle, MediaError> {
        Err(MediaError::Unsupported("audio and video tracks".to_owned()))
    }

    async fn remove_track(&self, _track: &Arc<dyn LocalTrack>) -> Result<(), MediaError> {
        Err(MediaError::UnknownTrack)
    }

    async fn stats(&self) -> Result<PeerStats, BackendError> {
        if self.shared.is_closing() {
            return Err(BackendError::Closed);
        }
        let pair = convert::selected_pair(&*self.engine).await;
        Ok(convert::peer_stats(
            &convert::report(&*self.engine).await,
            pair,
        ))
    }

    async fn close(&self) {
        let mut closed = self.closed.lock().await;
        if !std::mem::replace(&mut *closed, true) {
            close(&*self.engine, &self.shared).await;
        }
    }
}

impl Drop for Peer {
    /// The engine keeps a connection that is dropped without being closed, with its sockets and its task.
    fn drop(&mut self) {
        if *self.closed.get_mut() {
            return;
        }
        let (engine, shared) = (self.engine.clone(), self.shared.clone());
        let runtime = shared.runtime.clone();
        runtime.spawn(async move { close(&*engine, &shared).await });
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("closing", &self.shared.is_closing())
            .finish_non_exhaustive()
    }
}

async fn close(engine: &dyn EnginePeer, shared: &Shared) {
    shared.set_closing();
    if let Err(error) = engine.close().await {
        debug!(%error, "the engine did not close a connection in order");
    }
    shared.finish();
}

fn wrong_state(step: &'static str, reason: &str) -> NegotiationError {
    NegotiationError::WrongState {
        step,
        reason: reason.to_owned(),
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
