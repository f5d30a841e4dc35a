//! A peer connection of the browser, in the words of the backend traits.

use std::{cell::RefCell, collections::VecDeque, rc::Rc, sync::Arc};

use async_trait::async_trait;
use gloo_events::EventListener;
use gloo_timers::future::TimeoutFuture;
use skapi_rtc_backend::{
    BackendError, ChannelError, ChannelHandle, ChannelInit, ChannelInitError, ConnectionState,
    LocalTrack, LocalTrackHandle, MediaError, NegotiationError, OfferOptions, PeerConnection,
    PeerEvent, PeerEvents, PeerStats, SignalingState, TrackInit, queue,
};
use skapi_rtc_protocol::{IceCandidate, IceServer, SdpKind, SessionDescription};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    Event, EventTarget, RtcDataChannelEvent, RtcOfferOptions, RtcPeerConnection,
    RtcPeerConnectionIceEvent, RtcSdpType, RtcSessionDescriptionInit, RtcSignalingState,
    RtcTrackEvent,
};

use crate::{
    convert,
    shared::{Refused, Shared},
    stats,
};

/// Remote candidates that may wait for the remote description.
const MAX_EARLY_CANDIDATES: usize = 256;
/// How long a browser may look for its networks before an offer is taken back all the same.
const GATHERING_BEGINS_MS: u32 = 500;
/// Events that may wait; only channels that the peer opens can fill the queue.
const MAX_EVENTS: usize = 256;

pub(crate) struct Peer {
    pub(crate) shared: Rc<Shared>,
    early_candidates: RefCell<VecDeque<IceCandidate>>,
    listeners: RefCell<Vec<EventListener>>,
}

impl Peer {
    pub(crate) fn new(native: RtcPeerConnection) -> (Self, PeerEvents) {
        let (sender, events) = queue(MAX_EVENTS, usize::MAX);
        let shared = Shared::new(native, sender);
        let listeners = vec![
            listen(&shared, &shared.native, "icecandidate", on_candidate),
            listen(&shared, &shared.native, "connectionstatechange", on_state),
            listen(&shared, &shared.native, "negotiationneeded", |shared, _| {
                shared.tell(PeerEvent::NegotiationNeeded);
            }),
            listen(&shared, &shared.native, "datachannel", |shared, event| {
                if let Some(event) = event.dyn_ref::<RtcDataChannelEvent>() {
                    shared.tell_channel(event.channel());
                }
            }),
            listen(&shared, &shared.native, "track", |shared, event| {
                if let Some(event) = event.dyn_ref::<RtcTrackEvent>() {
                    shared.tell_track(event.track(), &event.streams().unchecked_into());
                }
            }),
        ];
        let listeners = RefCell::new(listeners);
        (Self { shared, early_candidates: RefCell::default(), listeners }, events)
    }

    fn check_open(&self) -> Result<(), NegotiationError> {
        if self.shared.is_closed() { Err(NegotiationError::Closed) } else { Ok(()) }
    }

    fn signaling_state(&self) -> SignalingState {
        match self.shared.native.signaling_state() {
            RtcSignalingState::HaveLocalOffer | RtcSignalingState::HaveRemotePranswer => {
                SignalingState::HaveLocalOffer
            }
            _ => SignalingState::Stable,
        }
    }

    /// Sets what `createOffer` or `createAnswer` gave, and reads what became of it.
    async fn set_local(&self, made: JsValue) -> Result<SessionDescription, NegotiationError> {
        let native = &self.shared.native;
        self.shared.candidates.send_replace(0);
        let made: RtcSessionDescriptionInit = made.unchecked_into();
        self.shared.settle(native.set_local_description(&made)).await.map_err(engine)?;
        let kind = match made.get_type() {
            RtcSdpType::Offer => SdpKind::Offer,
            _ => SdpKind::Answer,
        };
        let sdp = native.local_description().map(|description| description.sdp());
        Ok(SessionDescription { kind, sdp: sdp.or(made.get_sdp()).unwrap_or_default() })
    }

    async fn set_remote(&self, description: &SessionDescription) -> Result<(), NegotiationError> {
        let description = convert::description(description);
        let set = self.shared.native.set_remote_description(&description);
        self.shared.settle(set).await.map_err(refused)?;
        let early = self.early_candidates.take();
        for candidate in early {
            if let Err(error) = self.add_candidate(candidate).await {
                tracing::debug!(%error, "the browser refused an early candidate");
            }
        }
        Ok(())
    }

    /// Waits until an offer may be taken back. Chromium (156) gathers nothing any more in a connection whose
    /// first offer was taken back while it was still looking for its networks.
    async fn gathering_has_begun(&self) {
        let is_complete = || {
            let state = convert::get(&self.shared.native, "iceGatheringState");
            state.as_string().as_deref() == Some("complete")
        };
        let mut candidates = self.shared.candidates.subscribe();
        let begun = async {
            while *candidates.borrow_and_update() == 0 && !is_complete() {
                if candidates.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = begun => {}
            () = TimeoutFuture::new(GATHERING_BEGINS_MS) => {}
        }
    }

    /// Both descriptions are in place.
    fn negotiated(&self) {
        self.shared.negotiated();
        let mut listeners = self.listeners.borrow_mut();
        let watches_pair = listeners.iter().any(|l| l.event_type() == PAIR_CHANGE);
        let transport = convert::get(&convert::get(&self.shared.native, "sctp"), "transport");
        let ice = convert::get(&transport, "iceTransport");
        if let (false, Some(ice)) = (watches_pair, ice.dyn_ref::<EventTarget>()) {
            listeners.push(listen(&self.shared, ice, PAIR_CHANGE, |shared, _| {
                shared.look_for_pair();
            }));
        }
    }
}

const PAIR_CHANGE: &str = "selectedcandidatepairchange";

#[async_trait(?Send)]
impl PeerConnection for Peer {
    async fn make_offer(
        &self,
        options: OfferOptions,
    ) -> Result<SessionDescription, NegotiationError> {
        self.check_open()?;
        let native = &self.shared.native;
        if native.signaling_state() == RtcSignalingState::HaveRemoteOffer {
            let reason = "a remote offer is pending";
            return Err(NegotiationError::wrong_state("make an offer", reason));
        }
        let offer_options = RtcOfferOptions::new();
        offer_options.set_ice_restart(options.ice_restart);
        let made = native.create_offer_with_rtc_offer_options(&offer_options);
        let offer = self.shared.settle(made).await.map_err(engine)?;
        self.set_local(offer).await
    }

    async fn accept_offer(
        &self,
        offer: SessionDescription,
    ) -> Result<SessionDescription, NegotiationError> {
        self.check_open()?;
        let native = &self.shared.native;
        self.signaling_state().check_offer(&offer)?;
        self.set_remote(&offer).await?;
        self.shared.join_offer();
        let answered = match self.shared.settle(native.create_answer()).await {
            Ok(answer) => self.set_local(answer).await,
            Err(error) => Err(refused(error)),
        };
        match &answered {
            Ok(_) => self.negotiated(),
            // Half accepted is not accepted.
            Err(_) => {
                let rollback = RtcSessionDescriptionInit::new(RtcSdpType::Rollback);
                let _ = self.shared.settle(native.set_remote_description(&rollback)).await;
            }
        }
        answered
    }

    async fn accept_answer(&self, answer: SessionDescription) -> Result<(), NegotiationError> {
        self.check_open()?;
        self.signaling_state().check_answer(&answer)?;
        self.set_remote(&answer).await?;
        self.negotiated();
        Ok(())
    }

    async fn rollback(&self) -> Result<(), NegotiationError> {
        self.check_open()?;
        let native = &self.shared.native;
        if native.signaling_state() != RtcSignalingState::HaveLocalOffer {
            return Ok(());
        }
        self.gathering_has_begun().await;
        let rollback = RtcSessionDescriptionInit::new(RtcSdpType::Rollback);
        self.shared.settle(native.set_local_description(&rollback)).await.map_err(engine)?;
        Ok(())
    }

    async fn add_candidate(&self, candidate: IceCandidate) -> Result<(), NegotiationError> {
        self.check_open()?;
        if candidate.is_end_of_candidates() {
            // A browser finds that out by itself, and one that is wrong would stop it too early.
            return Ok(());
        }
        let native = &self.shared.native;
        if native.remote_description().is_none() {
            if !convert::is_candidate(&candidate) {
                return Err(NegotiationError::BadCandidate(
                    "the browser cannot read it".to_owned(),
                ));
            }
            let mut early = self.early_candidates.borrow_mut();
            if early.len() >= MAX_EARLY_CANDIDATES {
                return Err(NegotiationError::BadCandidate(format!(
                    "{MAX_EARLY_CANDIDATES} candidates wait for the remote description already"
                )));
            }
            early.push_back(candidate);
            return Ok(());
        }
        let candidate = convert::remote_candidate(&candidate);
        let added = native.add_ice_candidate_with_opt_rtc_ice_candidate_init(Some(&candidate));
        match self.shared.settle(added).await {
            Ok(_) => Ok(()),
            Err(Refused::Closed) => Err(NegotiationError::Closed),
            Err(Refused::Because(error)) => {
                Err(NegotiationError::BadCandidate(convert::text_of(&error)))
            }
        }
    }

    async fn set_ice_servers(&self, servers: Vec<IceServer>) -> Result<(), BackendError> {
        if self.shared.is_closed() {
            return Err(BackendError::Closed);
        }
        let native = &self.shared.native;
        let config = native.get_configuration();
        config.set_ice_servers(&convert::ice_servers(&servers));
        native
            .set_configuration_with_configuration(&config)
            .map_err(|error| BackendError::Config(convert::text_of(&error)))
    }

    async fn create_channel(
        &self,
        label: &str,
        init: ChannelInit,
    ) -> Result<ChannelHandle, ChannelError> {
        init.validate(label)?;
        if self.shared.is_closed() {
            return Err(ChannelError::Closed);
        }
        if let Some(id) = init.negotiated
            && self.shared.is_agreed(id)
        {
            return Err(ChannelInitError::IdInUse(id).into());
        }
        let native = convert::create_channel(&self.shared.native, label, &init)
            .map_err(|error| ChannelError::Engine(convert::text_of(&error)))?;
        Ok(self.shared.adopt(native, init.negotiated, false).1)
    }

    async fn add_track(&self, track: TrackInit) -> Result<LocalTrackHandle, MediaError> {
        if self.shared.is_closed() {
            return Err(MediaError::Closed);
        }
        self.shared.send_track(&track)
    }

    async fn remove_track(&self, track: &Arc<dyn LocalTrack>) -> Result<(), MediaError> {
        self.shared.remove_track(track)
    }

    async fn stats(&self) -> Result<PeerStats, BackendError> {
        if self.shared.is_closed() {
            return Err(BackendError::Closed);
        }
        match stats::report_of_now(&self.shared).await {
            Ok(report) => Ok(stats::peer_stats(&report)),
            Err(Refused::Closed) => Err(BackendError::Closed),
            Err(Refused::Because(error)) => Err(BackendError::Engine(convert::text_of(&error))),
        }
    }

    async fn close(&self) {
        self.shared.close();
        self.listeners.borrow_mut().clear();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer").field("closed", &self.shared.is_closed()).finish_non_exhaustive()
    }
}

fn listen(
    shared: &Rc<Shared>,
    target: &EventTarget,
    name: &'static str,
    act: fn(&Rc<Shared>, &Event),
) -> EventListener {
    let shared = shared.clone();
    EventListener::new(target, name, move |event| act(&shared, event))
}

fn on_candidate(shared: &Rc<Shared>, event: &Event) {
    let candidate =
        event.dyn_ref::<RtcPeerConnectionIceEvent>().and_then(|event| event.candidate());
    // `null` says that all have been gathered, of every generation of theirs.
    let candidate = candidate.as_ref().map(convert::local_candidate).unwrap_or_default();
    shared.candidates.send_modify(|count| *count += 1);
    shared.tell(PeerEvent::Candidate(candidate));
}

fn on_state(shared: &Rc<Shared>, _: &Event) {
    match convert::connection_state(shared.native.connection_state()) {
        // Closing tells that itself, after everything else.
        Some(ConnectionState::Closed) | None => {}
        Some(state) => {
            shared.tell(PeerEvent::State(state));
            if state == ConnectionState::Connected {
                shared.look_for_pair();
            }
        }
    }
}

fn engine(error: Refused) -> NegotiationError {
    match error {
        Refused::Closed => NegotiationError::Closed,
        Refused::Because(error) => NegotiationError::Engine(convert::text_of(&error)),
    }
}

fn refused(error: Refused) -> NegotiationError {
    match error {
        Refused::Closed => NegotiationError::Closed,
        Refused::Because(error) => NegotiationError::BadDescription(convert::text_of(&error)),
    }
}
