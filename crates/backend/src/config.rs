//! How a peer connection is to be made, and what an engine can do at all.

use skapi_rtc_protocol::IceServer;

/// Which candidates a peer connection may use: `RTCIceTransportPolicy` (W3C WebRTC §4.2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TransportPolicy {
    /// Every candidate.
    #[default]
    All,
    /// Relayed candidates only; a call without a TURN server cannot connect.
    Relay,
}

/// Configuration of one peer connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerConfig {
    /// STUN and TURN servers. Default: none, which suffices on one machine and in one network.
    pub ice_servers: Vec<IceServer>,
    /// Which candidates may be used. Default: all.
    pub transport_policy: TransportPolicy,
}

impl PeerConfig {
    /// Replaces the list of STUN and TURN servers.
    pub fn ice_servers(mut self, servers: Vec<IceServer>) -> Self {
        self.ice_servers = servers;
        self
    }

    /// Sets which candidates may be used.
    pub fn transport_policy(mut self, policy: TransportPolicy) -> Self {
        self.transport_policy = policy;
        self
    }
}

/// Options of an offer: `RTCOfferOptions` (W3C WebRTC §4.4.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OfferOptions {
    /// Whether the offer starts ICE anew, with new credentials and candidates. Default: no.
    pub ice_restart: bool,
}

impl OfferOptions {
    /// Sets whether the offer starts ICE anew.
    pub fn ice_restart(mut self, restart: bool) -> Self {
        self.ice_restart = restart;
        self
    }
}

/// What an engine can do, so that an application can say "not here" before it tries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Capabilities {
    /// Audio and video tracks.
    pub media: bool,
    /// Restarting ICE in a running connection.
    pub ice_restart: bool,
    /// `.local` candidates, as browsers send them, are resolved.
    pub mdns: bool,
    /// TURN over UDP.
    pub turn_udp: bool,
    /// TURN over TCP.
    pub turn_tcp: bool,
    /// TURN over TLS.
    pub turn_tls: bool,
    /// Calls over TCP where no UDP gets through (ICE over TCP, RFC 6544), if the peer listens at least.
    pub ice_tcp: bool,
    /// The reliability of a channel that the peer opened is known. Where it is not,
    /// [`DataChannel::reliability`](crate::DataChannel::reliability) of such a channel reports
    /// [`Reliable`](crate::Reliability::Reliable).
    pub incoming_reliability: bool,
    /// Empty messages can be sent (RFC 8831 §6.6). Where they cannot, sending one fails with
    /// [`ChannelError::Empty`](crate::ChannelError::Empty); they are received in any case.
    pub empty_messages: bool,
    /// The round trip of the [selected pair](crate::CandidatePair::round_trip_time) is measured.
    pub round_trip_time: bool,
    /// A peer that does not read holds whoever sends to it. Where it cannot, as in a browser, what nobody
    /// reads piles up at the receiving end until the engine closes the channel.
    pub back_pressure: bool,
    /// The largest message the engine can receive, in bytes; what is negotiated may be less.
    pub max_message_size: usize,
}
