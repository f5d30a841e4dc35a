//! What the engine tells about a connection, put into its event queue.
//!
//! The engine calls these methods from its driver, so none of them waits for anything but the engine's
//! own lock, which the driver does not hold meanwhile.

use std::sync::Arc;

use async_trait::async_trait;
use skapi_rtc_backend::{ChannelInit, ConnectionState, PeerEvent};
use skapi_rtc_protocol::IceCandidate;
use tracing::{debug, warn};
use webrtc::{
    data_channel::DataChannel as EngineChannel,
    error::Result as EngineResult,
    media_stream::track_remote::TrackRemote as EngineTrack,
    peer_connection::{
        PeerConnectionEventHandler, RTCIceConnectionState, RTCIceGatheringState,
        RTCPeerConnectionIceErrorEvent, RTCPeerConnectionIceEvent, RTCPeerConnectionState,
    },
};

use crate::{
    channel::{Channel, ChannelParameters},
    convert, media,
    outgoing::{EngineEnd, Outgoing},
    shared::Shared,
};

pub(crate) struct Handler {
    pub(crate) shared: Arc<Shared>,
}

#[async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_negotiation_needed(&self) {
        // Meanwhile it says nothing: the engine looks again when the negotiation has ended (W3C WebRTC
        // §4.7.3), and what it reports of an offer under way is what that very offer carries.
        if !self.shared.is_offering() {
            self.shared.emit(PeerEvent::NegotiationNeeded);
        }
    }

    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        match event.candidate.to_json() {
            Ok(candidate) => {
                let ufrag = self.shared.local_ufrag();
                let candidate = convert::local_candidate(candidate, ufrag);
                self.shared.emit(PeerEvent::Candidate(candidate));
            }
            Err(error) => warn!(%error, "the engine gathered a candidate that it cannot express"),
        }
    }

    async fn on_ice_candidate_error(&self, event: RTCPeerConnectionIceErrorEvent) {
        debug!(?event, "gathering a candidate failed");
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            let end = IceCandidate {
                sdp_m_line_index: Some(0),
                username_fragment: self.shared.local_ufrag(),
                ..IceCandidate::default()
            };
            self.shared.emit(PeerEvent::Candidate(end));
        }
    }

    /// The pair is told before the handshake over it, so that one that fails can be told from no path.
    async fn on_ice_connection_state_change(&self, state: RTCIceConnectionState) {
        if state == RTCIceConnectionState::Connected
            && let Some(peer) = self.shared.engine_peer()
            && let Some(pair) = convert::selected_pair(&*peer).await
        {
            self.shared.emit_selected_pair(pair);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        // The end is told when the driver has ended, so that it is the last event in any case.
        let Some(state) = convert::connection_state(state) else {
            return;
        };
        if state == ConnectionState::Connected {
            self.shared.tracks_connected();
        }
        if state == ConnectionState::Connected
            && let Some(peer) = self.shared.engine_peer()
            && let Some(pair) = convert::selected_pair(&*peer).await
        {
            self.shared.emit_selected_pair(pair);
        }
        self.shared.emit_state(state);
    }

    async fn on_data_channel(&self, engine: Arc<dyn EngineChannel>) {
        self.shared.pulse.calm();
        if let Some(engine) = self.shared.births.announced(engine) {
            announce(&self.shared, engine).await;
        }
    }

    async fn on_track(&self, track: Arc<dyn EngineTrack>) {
        media::announce(&self.shared, track).await;
    }
}

/// Tells that the peer opened a channel.
pub(crate) async fn announce(shared: &Arc<Shared>, engine: Arc<dyn EngineChannel>) {
    let Ok(parameters) = parameters(&*engine).await else {
        debug!("a data channel was closed while it was being announced");
        return;
    };
    let handle = Channel::handle(Outgoing::new(EngineEnd::new(engine), shared), parameters, shared);
    if let Some(PeerEvent::Channel(refused)) = shared.try_emit(PeerEvent::Channel(handle)) {
        warn!("the peer opens data channels faster than they are taken: one is refused");
        shared.runtime.spawn(async move { refused.channel.close().await });
    }
}

/// The engine does not know the reliability of a channel that the peer opened.
async fn parameters(engine: &dyn EngineChannel) -> EngineResult<ChannelParameters> {
    let init =
        ChannelInit::default().ordered(engine.ordered().await?).protocol(engine.protocol().await?);
    Ok(ChannelParameters { label: engine.label().await?, init })
}
