//! Figures of a peer connection, with the names of W3C webrtc-stats.

use std::time::Duration;

use crate::MediaKind;

/// Where a candidate came from: `RTCIceCandidateType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CandidateKind {
    /// An address of the machine itself.
    Host,
    /// Learned from a STUN server.
    ServerReflexive,
    /// Learned from the peer's own packets.
    PeerReflexive,
    /// An address at a TURN server.
    Relay,
}

impl std::fmt::Display for CandidateKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relay => "relay",
        })
    }
}

/// One end of a pair: `RTCIceCandidateStats`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CandidateStats {
    /// Where it came from.
    pub kind: CandidateKind,
    /// `udp` or `tcp`.
    pub protocol: String,
    /// Host (an IP address, or a `.local` name) and port, e.g. `192.0.2.1:5000`.
    pub address: String,
}

impl CandidateStats {
    /// A candidate's figures.
    pub fn new(
        kind: CandidateKind,
        protocol: impl Into<String>,
        address: impl Into<String>,
    ) -> Self {
        Self { kind, protocol: protocol.into(), address: address.into() }
    }
}

impl std::fmt::Display for CandidateStats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.kind, self.protocol, self.address)
    }
}

/// The pair that carries the traffic: `RTCIceCandidatePairStats`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CandidatePair {
    /// Our end.
    pub local: CandidateStats,
    /// The peer's end.
    pub remote: CandidateStats,
    /// `currentRoundTripTime` of the connectivity checks, where it was measured.
    pub round_trip_time: Option<Duration>,
    /// `availableOutgoingBitrate`: what the path could carry by the engine's estimate, in bits per second, where
    /// it makes one.
    pub available_outgoing_bitrate: Option<u64>,
}

impl CandidatePair {
    /// A pair without a measured round trip.
    pub fn new(local: CandidateStats, remote: CandidateStats) -> Self {
        Self { local, remote, round_trip_time: None, available_outgoing_bitrate: None }
    }
}

impl std::fmt::Display for CandidatePair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} <-> {}", self.local, self.remote)
    }
}

/// Figures of one data channel: `RTCDataChannelStats`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ChannelStats {
    /// The channel's label.
    pub label: String,
    /// Messages sent and received.
    pub messages_sent: u64,
    /// Messages received.
    pub messages_received: u64,
    /// Payload bytes sent.
    pub bytes_sent: u64,
    /// Payload bytes received.
    pub bytes_received: u64,
}

/// Which way a track goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// We send it.
    Outbound,
    /// The peer sends it.
    Inbound,
}

/// Figures of one track, seen from here: `RTCOutboundRtpStreamStats` with what the peer reports about
/// it, or `RTCInboundRtpStreamStats`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackStats {
    /// Which way it goes.
    pub direction: Direction,
    /// Sound or pictures.
    pub kind: MediaKind,
    /// `ssrc`: the number of the track's RTP stream, where the engine tells it.
    pub ssrc: Option<u32>,
    /// RTP packets sent or received.
    pub packets: u64,
    /// Payload bytes sent or received.
    pub bytes: u64,
    /// Packets lost on the way, by the receiver's count; the peer's, where we send.
    pub lost: u64,
    /// Negative acknowledgements: received where we send, sent otherwise.
    pub nacks: u64,
    /// Requests for a key frame (PLI and FIR): received where we send, sent otherwise.
    pub keyframe_requests: u64,
    /// `roundTripTime` as the receiver's reports tell it, where it was measured. Outbound only.
    pub round_trip_time: Option<Duration>,
    /// `jitter`: how unevenly packets arrive, by the receiver's measure, where there is one.
    pub jitter: Option<Duration>,
}

impl TrackStats {
    /// A track on which nothing has happened yet.
    pub fn new(direction: Direction, kind: MediaKind) -> Self {
        Self {
            direction,
            kind,
            ssrc: None,
            packets: 0,
            bytes: 0,
            lost: 0,
            nacks: 0,
            keyframe_requests: 0,
            round_trip_time: None,
            jitter: None,
        }
    }
}

/// A snapshot of a connection. Two of them say what [flows](Self::since).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PeerStats {
    /// When it was taken, since some moment before; `None` from an engine that has no clock. The facade sets it.
    pub timestamp: Option<Duration>,
    /// The pair that carries the traffic, once there is one.
    pub selected_pair: Option<CandidatePair>,
    /// Bytes sent over the pair, headers of ICE, DTLS and SCTP included where the engine counts them.
    pub bytes_sent: u64,
    /// Bytes received over the pair.
    pub bytes_received: u64,
    /// One entry a channel.
    pub channels: Vec<ChannelStats>,
    /// One entry a track, in each direction, in the same order each time.
    pub tracks: Vec<TrackStats>,
}

impl PeerStats {
    /// For engines that count nothing below their channels: adds one, and its payload to what went over the pair.
    pub fn add_channel(&mut self, channel: ChannelStats) {
        self.bytes_sent += channel.bytes_sent;
        self.bytes_received += channel.bytes_received;
        self.channels.push(channel);
    }

    /// For engines that keep their tracks in maps: what we send before what we receive, sound before pictures.
    pub fn sort_tracks(&mut self) {
        self.tracks.sort_by_key(|track| (track.direction, track.kind, track.ssrc));
    }
}
