//! A peer connection: negotiation, candidates, channels and tracks.

use std::{any::Any, fmt::Debug, sync::Arc};

use async_trait::async_trait;
use skapi_rtc_protocol::{IceCandidate, IceServer, SessionDescription};

use crate::{
    BackendError, ChannelError, ChannelHandle, ChannelInit, LocalTrack, LocalTrackHandle,
    MaybeSend, MaybeSync, MediaError, NegotiationError, OfferOptions, PeerStats, TrackInit,
};

/// One connection to one peer: `RTCPeerConnection` (W3C WebRTC §4.4).
///
/// Negotiation methods are called one at a time by the layer above; an engine need not order
/// concurrent ones. All other methods may be called at any time, from any task.
#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
pub trait PeerConnection: Any + Debug + MaybeSend + MaybeSync {
    /// `createOffer()` and `setLocalDescription()` in one step. Gathering starts.
    ///
    /// # Errors
    /// [`NegotiationError::WrongState`] while a remote offer is pending, [`NegotiationError::Closed`]
    /// after close.
    async fn make_offer(
        &self,
        options: OfferOptions,
    ) -> Result<SessionDescription, NegotiationError>;

    /// `setRemoteDescription(offer)`, `createAnswer()` and `setLocalDescription()` in one step. Local
    /// tracks that were added before are attached to the offered sections.
    ///
    /// # Errors
    /// [`NegotiationError::WrongState`] while an own offer is pending (roll it back first),
    /// [`NegotiationError::BadDescription`] when the offer cannot be read or accepted; the connection is
    /// then as it was before.
    async fn accept_offer(
        &self,
        offer: SessionDescription,
    ) -> Result<SessionDescription, NegotiationError>;

    /// `setRemoteDescription(answer)`.
    ///
    /// # Errors
    /// [`NegotiationError::WrongState`] when no own offer is pending,
    /// [`NegotiationError::BadDescription`] when the answer does not fit the offer.
    async fn accept_answer(&self, answer: SessionDescription) -> Result<(), NegotiationError>;

    /// Takes a pending own offer back (`setLocalDescription({type: "rollback"})`). Succeeds without
    /// effect where none is pending.
    ///
    /// # Errors
    /// [`NegotiationError::Closed`] after close.
    async fn rollback(&self) -> Result<(), NegotiationError>;

    /// `addIceCandidate()`. An engine queues candidates that come before the remote description, up to
    /// a bound of its own. The end-of-candidates mark is accepted by every engine.
    ///
    /// # Errors
    /// [`NegotiationError::BadCandidate`] for one that cannot be read; the connection goes on.
    async fn add_candidate(&self, candidate: IceCandidate) -> Result<(), NegotiationError>;

    /// `setConfiguration()` with other STUN and TURN servers, which count from the next start of ICE on:
    /// credentials expire.
    ///
    /// Default: they are passed over, as by an engine that asks no servers.
    ///
    /// # Errors
    /// [`BackendError::Config`] for servers that cannot be used, [`BackendError::Closed`] after close.
    async fn set_ice_servers(&self, _servers: Vec<IceServer>) -> Result<(), BackendError> {
        Ok(())
    }

    /// `createDataChannel()`. Before the first negotiation the channel becomes part of it.
    ///
    /// # Errors
    /// [`ChannelError::Init`] for options that contradict each other, [`ChannelError::Closed`] after
    /// close.
    async fn create_channel(
        &self,
        label: &str,
        init: ChannelInit,
    ) -> Result<ChannelHandle, ChannelError>;

    /// `addTrack()`: what is written to the track is sent once a negotiation has carried it.
    ///
    /// On the answering side it joins the first section of its kind that the peer offers and that has no
    /// track of ours yet.
    ///
    /// Default: refused, for an engine without [media](crate::Capabilities::media).
    ///
    /// # Errors
    /// [`MediaError::Unsupported`] when the engine has no media or none of the codecs,
    /// [`MediaError::Init`] for options that contradict each other, [`MediaError::Closed`] after close.
    async fn add_track(&self, _track: TrackInit) -> Result<LocalTrackHandle, MediaError> {
        Err(MediaError::Unsupported("audio and video".to_owned()))
    }

    /// `removeTrack()`: the section goes inactive with the next negotiation.
    ///
    /// Default: no track is of this connection.
    ///
    /// # Errors
    /// [`MediaError::UnknownTrack`] when the track is not of this connection.
    async fn remove_track(&self, _track: &Arc<dyn LocalTrack>) -> Result<(), MediaError> {
        Err(MediaError::UnknownTrack)
    }

    /// `getStats()`: a snapshot.
    ///
    /// # Errors
    /// [`BackendError::Closed`] after close.
    async fn stats(&self) -> Result<PeerStats, BackendError>;

    /// Closes the connection, its channels and tracks, and waits until the engine has let go of its
    /// sockets and tasks. A second call returns once the first is done. Every channel reports
    /// [`ChannelEvent::Closed`](crate::ChannelEvent::Closed), the connection
    /// [`ConnectionState::Closed`](crate::ConnectionState::Closed), then the event queues end.
    ///
    /// Dropping the last handle closes too, in the background.
    async fn close(&self);
}
