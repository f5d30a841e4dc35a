//! What happens on a peer connection.

use skapi_rtc_protocol::IceCandidate;

use crate::{CandidatePair, ChannelHandle, EventReceiver, RemoteTrackHandle, Weigh};

/// How a peer connection is doing: `RTCPeerConnectionState` (W3C WebRTC §4.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionState {
    /// Nothing has been tried yet.
    New,
    /// Transports are being established.
    Connecting,
    /// Every transport in use is connected.
    Connected,
    /// A transport has lost its peer; it may come back by itself.
    Disconnected,
    /// A transport has failed; only an ICE restart can mend it.
    Failed,
    /// [`close`](crate::PeerConnection::close) was called.
    Closed,
}

/// One event of a peer connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum PeerEvent {
    /// A local candidate was gathered and should travel to the peer. The end of candidates comes as an
    /// [empty one](IceCandidate::is_end_of_candidates), from engines that tell it.
    Candidate(IceCandidate),
    /// The connection's state changed.
    State(ConnectionState),
    /// Something was added or removed that only a new negotiation carries over.
    NegotiationNeeded,
    /// The machine has moved to other addresses, so that the path may be gone: from engines that look.
    AddressesChanged,
    /// The pair of candidates that carries the traffic was chosen or has changed.
    SelectedPair(CandidatePair),
    /// The peer opened a data channel.
    Channel(ChannelHandle),
    /// The peer sends a track.
    Track(RemoteTrackHandle),
}

impl Weigh for PeerEvent {}

/// The events of one peer connection, in order. They end after
/// [`ConnectionState::Closed`].
pub type PeerEvents = EventReceiver<PeerEvent>;
