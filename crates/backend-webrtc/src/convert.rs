//! Between the engine's types and those of the backend traits.

use std::time::{Duration, Instant};

use rtc::{
    peer_connection::configuration::RTCOfferOptions,
    rtp_transceiver::rtp_sender::RtpCodecKind,
    statistics::stats::{
        data_channel::RTCDataChannelStats,
        ice_candidate_pair::RTCIceCandidatePairStats,
        rtp_stream::{
            received::inbound::RTCInboundRtpStreamStats, sent::outbound::RTCOutboundRtpStreamStats,
        },
    },
};
use skapi_rtc_backend::{
    BackendError, CandidateKind, CandidatePair, CandidateStats, ChannelInit, ChannelStats, Codec,
    ConnectionState, Direction, MediaKind, OfferOptions, PeerConfig, PeerStats, Reliability,
    TrackStats, TransportPolicy,
};
use skapi_rtc_protocol::{IceCandidate, IceServer, SdpKind, SessionDescription};
use webrtc::{
    data_channel::{RTCDataChannelId, RTCDataChannelInit},
    error::{Error as EngineError, Result as EngineResult},
    peer_connection::{
        PeerConnection as EnginePeer, RTCConfiguration, RTCConfigurationBuilder, RTCIceCandidate,
        RTCIceCandidateInit, RTCIceCandidateType, RTCIceServer, RTCIceTransportPolicy,
        RTCPeerConnectionState, RTCSessionDescription, RTCStatsReport, RTCStatsReportEntry,
        StatsSelector,
    },
};

pub(crate) fn configuration(config: PeerConfig) -> RTCConfiguration {
    let policy = match config.transport_policy {
        TransportPolicy::All => RTCIceTransportPolicy::All,
        TransportPolicy::Relay => RTCIceTransportPolicy::Relay,
    };
    renewed(config.ice_servers, policy)
}

/// The configuration with other servers.
pub(crate) fn renewed(servers: Vec<IceServer>, policy: RTCIceTransportPolicy) -> RTCConfiguration {
    let servers = servers.into_iter().map(|server| RTCIceServer {
        urls: server.urls,
        username: server.username.unwrap_or_default(),
        credential: server.credential.unwrap_or_default(),
    });
    RTCConfigurationBuilder::default()
        .with_ice_servers(servers.collect())
        .with_ice_transport_policy(policy)
        .build()
}

pub(crate) fn channel_init(init: &ChannelInit) -> RTCDataChannelInit {
    let (max_retransmits, max_packet_life_time) = match init.reliability {
        Reliability::Reliable => (None, None),
        Reliability::MaxRetransmits(times) => (Some(times), None),
        // Validated before: at most 65,535 ms.
        Reliability::MaxLifetime(time) => {
            (None, Some(u16::try_from(time.as_millis()).unwrap_or(u16::MAX)))
        }
    };
    RTCDataChannelInit {
        ordered: init.ordered,
        max_packet_life_time,
        max_retransmits,
        protocol: init.protocol.clone(),
        negotiated: init.negotiated,
    }
}

pub(crate) fn offer_options(options: OfferOptions) -> RTCOfferOptions {
    RTCOfferOptions { ice_restart: options.ice_restart }
}

pub(crate) fn to_engine(description: SessionDescription) -> EngineResult<RTCSessionDescription> {
    match description.kind {
        SdpKind::Offer => RTCSessionDescription::offer(description.sdp),
        SdpKind::Answer => RTCSessionDescription::answer(description.sdp),
        SdpKind::ProvisionalAnswer => RTCSessionDescription::pranswer(description.sdp),
    }
}

/// The engine leaves `sdpMid` empty; as everything is bundled, the first section is always right.
pub(crate) fn local_candidate(
    candidate: RTCIceCandidateInit,
    ufrag: Option<String>,
) -> IceCandidate {
    IceCandidate {
        candidate: candidate.candidate,
        sdp_mid: candidate.sdp_mid.filter(|mid| !mid.is_empty()),
        sdp_m_line_index: candidate.sdp_mline_index.or(Some(0)),
        username_fragment: candidate.username_fragment.or(ufrag),
    }
}

/// # Errors
/// Says what is wrong with a candidate that the engine would not understand.
pub(crate) fn remote_candidate(candidate: IceCandidate) -> Result<RTCIceCandidateInit, String> {
    // The attribute's name is part of the value in browsers, and not in the parser.
    let value = candidate.candidate.strip_prefix("candidate:").unwrap_or(&candidate.candidate);
    rtc::ice::candidate::unmarshal_candidate(value).map_err(|error| error.to_string())?;
    Ok(RTCIceCandidateInit {
        candidate: candidate.candidate,
        sdp_mid: candidate.sdp_mid,
        sdp_mline_index: candidate.sdp_m_line_index,
        username_fragment: candidate.username_fragment,
        url: None,
    })
}

/// `None` for states that are no news to the application, or are told another way.
pub(crate) fn connection_state(state: RTCPeerConnectionState) -> Option<ConnectionState> {
    match state {
        RTCPeerConnectionState::Connecting => Some(ConnectionState::Connecting),
        RTCPeerConnectionState::Connected => Some(ConnectionState::Connected),
        RTCPeerConnectionState::Disconnected => Some(ConnectionState::Disconnected),
        RTCPeerConnectionState::Failed => Some(ConnectionState::Failed),
        _ => None,
    }
}

/// Whether an error of the engine says that the channel or its connection is over.
pub(crate) fn means_closed(error: &EngineError) -> bool {
    matches!(error, EngineError::ErrDataChannelClosed | EngineError::ErrConnectionClosed)
}

/// Whether the configuration is to blame for a connection that could not be made.
pub(crate) fn create_error(error: &EngineError) -> BackendError {
    match error {
        EngineError::Other(_) | EngineError::Io(_) => BackendError::Engine(error.to_string()),
        error => BackendError::Config(error.to_string()),
    }
}

pub(crate) async fn selected_pair(peer: &dyn EnginePeer) -> Option<CandidatePair> {
    let ice = peer.sctp().await?.transport().ice_transport();
    let pair = ice.get_selected_candidate_pair().await.ok()??;
    Some(CandidatePair::new(candidate_stats(pair.local()), candidate_stats(pair.remote())))
}

/// A snapshot of the engine's statistics.
pub(crate) async fn report(peer: &dyn EnginePeer) -> RTCStatsReport {
    peer.get_stats(Instant::now(), StatsSelector::None).await
}

/// The stream id of a channel that is or was open.
pub(crate) fn stream_id(report: &RTCStatsReport, channel: RTCDataChannelId) -> Option<u16> {
    channel_stats(report, channel).map(|stats| stats.data_channel_identifier)
}

/// How many messages a channel that is or was open has received.
pub(crate) fn messages_received(report: &RTCStatsReport, channel: RTCDataChannelId) -> Option<u32> {
    channel_stats(report, channel).map(|stats| stats.messages_received)
}

fn channel_stats(
    report: &RTCStatsReport,
    channel: RTCDataChannelId,
) -> Option<&RTCDataChannelStats> {
    match report.get(&format!("RTCDataChannel_{channel}"))? {
        RTCStatsReportEntry::DataChannel(stats) => Some(stats),
        _ => None,
    }
}

pub(crate) fn peer_stats(report: &RTCStatsReport, pair: Option<CandidatePair>) -> PeerStats {
    let mut stats = PeerStats::default();
    let mut nominated: Option<&RTCIceCandidatePairStats> = None;
    for entry in report.iter() {
        match entry {
            RTCStatsReportEntry::DataChannel(channel) => {
                let mut figures = ChannelStats::default();
                figures.label.clone_from(&channel.label);
                figures.messages_sent = channel.messages_sent.into();
                figures.messages_received = channel.messages_received.into();
                figures.bytes_sent = channel.bytes_sent;
                figures.bytes_received = channel.bytes_received;
                stats.channels.push(figures);
            }
            RTCStatsReportEntry::IceCandidatePair(pair) => {
                stats.bytes_sent += pair.bytes_sent;
                stats.bytes_received += pair.bytes_received;
                // After an ICE restart there are several; the latest is the one in use.
                if pair.nominated
                    && nominated
                        .is_none_or(|best| pair.responses_received > best.responses_received)
                {
                    nominated = Some(pair);
                }
            }
            RTCStatsReportEntry::OutboundRtp(sent) => stats.tracks.extend(outbound(sent, report)),
            RTCStatsReportEntry::InboundRtp(received) => stats.tracks.extend(inbound(received)),
            _ => {}
        }
    }
    stats.sort_tracks();
    stats.selected_pair = pair.map(|mut pair| {
        pair.round_trip_time = nominated
            .map(|stats| stats.current_round_trip_time)
            .filter(|seconds| *seconds > 0.0)
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        pair
    });
    stats
}

fn outbound(sent: &RTCOutboundRtpStreamStats, report: &RTCStatsReport) -> Option<TrackStats> {
    let stream = &sent.sent_rtp_stream_stats;
    let mut stats = TrackStats::new(Direction::Outbound, kind(stream.rtp_stream_stats.kind)?);
    stats.ssrc = Some(stream.rtp_stream_stats.ssrc);
    stats.packets = stream.packets_sent;
    stats.bytes = stream.bytes_sent;
    stats.nacks = sent.nack_count.into();
    stats.keyframe_requests = u64::from(sent.pli_count) + u64::from(sent.fir_count);
    let reported = report.iter().find_map(|entry| match entry {
        RTCStatsReportEntry::RemoteInboundRtp(reported) => Some(reported).filter(|reported| {
            let reported = &reported.received_rtp_stream_stats.rtp_stream_stats;
            reported.ssrc == stream.rtp_stream_stats.ssrc
        }),
        _ => None,
    });
    if let Some(reported) = reported {
        stats.lost = u64::try_from(reported.received_rtp_stream_stats.packets_lost).unwrap_or(0);
        stats.round_trip_time = Some(reported.round_trip_time)
            .filter(|seconds| *seconds > 0.0)
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        stats.jitter = jitter(stats.kind, reported.received_rtp_stream_stats.jitter);
    }
    Some(stats)
}

fn inbound(received: &RTCInboundRtpStreamStats) -> Option<TrackStats> {
    let stream = &received.received_rtp_stream_stats;
    let mut stats = TrackStats::new(Direction::Inbound, kind(stream.rtp_stream_stats.kind)?);
    stats.ssrc = Some(stream.rtp_stream_stats.ssrc);
    stats.packets = stream.packets_received;
    stats.bytes = received.bytes_received;
    stats.lost = u64::try_from(stream.packets_lost).unwrap_or(0);
    stats.nacks = received.nack_count.into();
    stats.keyframe_requests = u64::from(received.pli_count) + u64::from(received.fir_count);
    stats.jitter = jitter(stats.kind, stream.jitter);
    Some(stats)
}

/// The engine hands on what the reports say, in units of the stream's clock, and 0 before the first.
fn jitter(kind: MediaKind, units: f64) -> Option<Duration> {
    let clock = match kind {
        MediaKind::Audio => Codec::Opus.clock_rate(),
        MediaKind::Video => Codec::Vp8.clock_rate(),
    };
    Some(units)
        .filter(|units| *units > 0.0)
        .and_then(|units| Duration::try_from_secs_f64(units / f64::from(clock)).ok())
}

fn kind(kind: RtpCodecKind) -> Option<MediaKind> {
    match kind {
        RtpCodecKind::Audio => Some(MediaKind::Audio),
        RtpCodecKind::Video => Some(MediaKind::Video),
        _ => None,
    }
}

fn candidate_stats(candidate: &RTCIceCandidate) -> CandidateStats {
    let kind = match candidate.typ {
        RTCIceCandidateType::Srflx => CandidateKind::ServerReflexive,
        RTCIceCandidateType::Prflx => CandidateKind::PeerReflexive,
        RTCIceCandidateType::Relay => CandidateKind::Relay,
        _ => CandidateKind::Host,
    };
    let (host, port) = (&candidate.address, candidate.port);
    let address =
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    CandidateStats::new(kind, candidate.protocol.to_string().to_lowercase(), address)
}

#[cfg(test)]
mod tests {
    use skapi_rtc_protocol::IceServer;

    use super::*;

    const CANDIDATE: &str = "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host";

    fn candidate(value: &str) -> IceCandidate {
        IceCandidate { candidate: value.into(), ..IceCandidate::default() }
    }

    #[test]
    fn candidates_are_read_with_and_without_the_attribute_name() {
        assert!(remote_candidate(candidate(CANDIDATE)).is_ok());
        assert!(remote_candidate(candidate(&CANDIDATE["candidate:".len()..])).is_ok());
        assert!(remote_candidate(candidate("candidate:nonsense")).is_err());
    }

    #[test]
    fn candidates_of_browsers_are_read() {
        for value in [
            "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 0.0.0.0 rport 0 \
             generation 0 ufrag EEtu network-cost 999",
            "candidate:1 1 UDP 2122252543 2001:db8::1 53000 typ host",
            "candidate:3 1 udp 41885439 198.51.100.3 60000 typ relay raddr 203.0.113.7 rport 46154",
            "candidate:0 1 UDP 2122187007 8e9a3b5c-1d2e-4f60-8a7b-9c0d1e2f3a4b.local 50000 typ host",
            "candidate:4 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active",
        ] {
            remote_candidate(candidate(value)).unwrap_or_else(|error| panic!("{value}: {error}"));
        }
    }

    #[test]
    fn an_empty_mid_is_left_out_and_the_section_index_kept() {
        let init = RTCIceCandidateInit {
            candidate: CANDIDATE.into(),
            sdp_mid: Some(String::new()),
            sdp_mline_index: None,
            username_fragment: None,
            url: None,
        };
        let candidate = local_candidate(init, Some("abcd".into()));
        assert_eq!(candidate.sdp_mid, None);
        assert_eq!(candidate.sdp_m_line_index, Some(0));
        assert_eq!(candidate.username_fragment.as_deref(), Some("abcd"));
    }

    #[test]
    fn reliability_becomes_one_of_the_two_fields() {
        let of = |reliability| {
            let init = channel_init(&ChannelInit::default().reliability(reliability));
            (init.max_retransmits, init.max_packet_life_time)
        };
        assert_eq!(of(Reliability::Reliable), (None, None));
        assert_eq!(of(Reliability::MaxRetransmits(3)), (Some(3), None));
        assert_eq!(of(Reliability::MaxLifetime(Duration::from_millis(250))), (None, Some(250)));
    }

    #[test]
    fn ice_servers_keep_their_credentials() {
        let config = PeerConfig::default()
            .ice_servers(vec![IceServer {
                urls: vec!["turn:192.0.2.1:3478".into()],
                username: Some("user".into()),
                credential: Some("secret".into()),
            }])
            .transport_policy(TransportPolicy::Relay);
        let configuration = configuration(config);
        assert_eq!(configuration.ice_transport_policy(), RTCIceTransportPolicy::Relay);
        let [server] = configuration.ice_servers() else { panic!("one server") };
        assert_eq!((&*server.username, &*server.credential), ("user", "secret"));
    }
}
