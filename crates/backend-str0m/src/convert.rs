//! Between the engine's types and those of the backend traits.

use std::{net::SocketAddr, time::Instant};

use skapi_rtc_backend::{CandidateKind, ChannelInit, Reliability};
use skapi_rtc_protocol::IceCandidate;
use str0m::{
    Candidate, CandidateKind as EngineKind, Rtc,
    channel::{ChannelConfig, Reliability as EngineReliability},
    error,
    format::{Codec as EngineCodec, FormatParams},
    media::Frequency,
    net::{Protocol, TcpType},
};

use crate::Config;

/// Size of the datagrams that carry data: what browsers use, and what every path carries.
const DATAGRAM: usize = 1200;
/// Bytes of all channels that the engine may hold; each channel has its own, smaller bound.
const ENGINE_BUFFER: usize = 16 * 1024 * 1024;
/// How often the engine tells its figures.
const FIGURES_EVERY: std::time::Duration = std::time::Duration::from_secs(1);

/// Payload types of video codecs and of their retransmissions, in the order in which they are offered; the numbers
/// are those that browsers use.
const VP8: (u8, u8) = (96, 97);
const VP9: (u8, u8) = (98, 99);
/// With the profiles that Chromium offers with packetization mode 1.
const H264: [(u8, u8, u32); 3] =
    [(102, 103, 0x42_e01f), (104, 105, 0x42_001f), (106, 107, 0x4d_001f)];

/// The engine's part of a connection.
pub(crate) fn engine(config: &Config) -> Rtc {
    let mut settings = Rtc::builder()
        .clear_codecs()
        .enable_opus(true, false)
        // Frames are put together by the reader, so that whoever passes packets on can have those.
        .set_rtp_mode(true)
        .set_mtu(DATAGRAM..=usize::MAX)
        .set_stats_interval(Some(FIGURES_EVERY))
        .set_sctp_max_buffered_amount(ENGINE_BUFFER)
        .set_sctp_max_message_size(u32::try_from(config.max_message_size).unwrap_or(u32::MAX));
    settings.set_initial_stun_rto(config.check_interval);
    settings.set_max_stun_rto(config.keepalive);
    let codecs = settings.codec_config();
    let mut add = |(number, repeats): (u8, u8), codec, format| {
        let (number, repeats) = (number.into(), Some(repeats.into()));
        codecs.add_config(number, repeats, codec, Frequency::NINETY_KHZ, None, format);
    };
    add(VP8, EngineCodec::Vp8, FormatParams::default());
    add(VP9, EngineCodec::Vp9, FormatParams { profile_id: Some(0), ..FormatParams::default() });
    for (number, repeats, profile) in H264 {
        codecs.add_h264(number.into(), Some(repeats.into()), true, profile);
    }
    settings.build(Instant::now())
}

pub(crate) fn channel_config(label: &str, init: &ChannelInit) -> ChannelConfig {
    ChannelConfig {
        label: label.to_owned(),
        ordered: init.ordered,
        reliability: match init.reliability {
            Reliability::Reliable => EngineReliability::Reliable,
            Reliability::MaxRetransmits(retransmits) => {
                EngineReliability::MaxRetransmits { retransmits }
            }
            // Validated before: at most 65,535 ms. With 0 ms the engine would give up before it has tried.
            Reliability::MaxLifetime(lifetime) => EngineReliability::MaxPacketLifetime {
                lifetime: u16::try_from(lifetime.as_millis()).unwrap_or(u16::MAX).max(1),
            },
        },
        negotiated: init.negotiated,
        protocol: init.protocol.clone(),
    }
}

/// How a channel that the peer opened was made.
pub(crate) fn channel_init(config: &ChannelConfig) -> ChannelInit {
    let reliability = match config.reliability {
        EngineReliability::Reliable => Reliability::Reliable,
        EngineReliability::MaxRetransmits { retransmits } => {
            Reliability::MaxRetransmits(retransmits)
        }
        EngineReliability::MaxPacketLifetime { lifetime } => {
            Reliability::MaxLifetime(std::time::Duration::from_millis(lifetime.into()))
        }
    };
    ChannelInit::default()
        .ordered(config.ordered)
        .reliability(reliability)
        .protocol(config.protocol.clone())
}

pub(crate) fn candidate_kind(kind: EngineKind) -> CandidateKind {
    match kind {
        EngineKind::Host => CandidateKind::Host,
        EngineKind::PeerReflexive => CandidateKind::PeerReflexive,
        EngineKind::ServerReflexive => CandidateKind::ServerReflexive,
        EngineKind::Relayed => CandidateKind::Relay,
    }
}

/// An address from which, or at which, streams are opened.
pub(crate) fn tcp_candidate(
    address: SocketAddr,
    kind: TcpType,
) -> Result<Candidate, error::IceError> {
    Candidate::builder().tcp().host(address).tcptype(kind).build()
}

/// Whoever connects to us, as the engine has learned of it: its port is known from what it sends.
pub(crate) fn tcp_dialer(address: SocketAddr) -> Candidate {
    let (kind, foundation) = (EngineKind::PeerReflexive, String::new());
    Candidate::from_parts(foundation, 1, Protocol::Tcp, 1, address, kind, None, None, None)
}

/// As everything is bundled, the first section is always right; the engine's mids are no use to others.
pub(crate) fn local_candidate(candidate: &Candidate, ufrag: &str) -> IceCandidate {
    let value = candidate.to_sdp_string();
    // The engine's own note of the user, which is not that of an offered ICE restart.
    let value = value.split_once(" ufrag ").map_or(value.as_str(), |(value, _)| value);
    IceCandidate {
        candidate: value.to_owned(),
        sdp_mid: None,
        sdp_m_line_index: Some(0),
        username_fragment: Some(ufrag.to_owned()),
    }
}

/// A candidate of the peer, as far as this engine can use it.
#[derive(Debug, PartialEq)]
pub(crate) enum RemoteCandidate {
    /// An address that can be tried.
    Usable(Candidate),
    /// Well formed, and nothing this engine can try: a `.local` name, or a peer that does not listen on TCP.
    Unusable,
}

/// # Errors
/// Says what is wrong with a candidate that cannot be read.
pub(crate) fn remote_candidate(candidate: &IceCandidate) -> Result<RemoteCandidate, String> {
    let value = candidate.candidate.trim();
    let value = value.strip_prefix("a=").unwrap_or(value);
    let value = value.strip_prefix("candidate:").unwrap_or(value);
    if is_hidden(value) {
        return Ok(RemoteCandidate::Unusable);
    }
    let candidate =
        Candidate::from_sdp_string(&format!("candidate:{value}")).map_err(|e| e.to_string())?;
    match (candidate.proto(), candidate.tcptype()) {
        (Protocol::Udp, _) | (Protocol::Tcp, Some(TcpType::Passive)) => {
            Ok(RemoteCandidate::Usable(candidate))
        }
        _ => Ok(RemoteCandidate::Unusable),
    }
}

/// Whether a candidate hides its address behind a `.local` name, and is well formed otherwise.
fn is_hidden(value: &str) -> bool {
    let mut fields: Vec<&str> = value.split_whitespace().collect();
    match fields.get_mut(4) {
        Some(host) if host.ends_with(".local") => *host = "192.0.2.1",
        _ => return false,
    }
    Candidate::from_sdp_string(&format!("candidate:{}", fields.join(" "))).is_ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const CANDIDATE: &str = "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host";

    fn read(value: &str) -> Result<RemoteCandidate, String> {
        remote_candidate(&IceCandidate { candidate: value.into(), ..IceCandidate::default() })
    }

    #[test]
    fn candidates_are_read_with_and_without_the_attribute_name() {
        assert!(matches!(read(CANDIDATE), Ok(RemoteCandidate::Usable(_))));
        assert!(matches!(read(&CANDIDATE["candidate:".len()..]), Ok(RemoteCandidate::Usable(_))));
        assert!(read("candidate:nonsense").is_err());
        assert!(read("candidate:1 1 udp x y.local z typ host").is_err());
    }

    #[test]
    fn candidates_of_browsers_are_read() {
        for (value, usable) in [
            (
                "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 0.0.0.0 rport 0 \
                 generation 0 ufrag EEtu network-cost 999",
                true,
            ),
            ("candidate:1 1 UDP 2122252543 2001:db8::1 53000 typ host", true),
            (
                "candidate:3 1 udp 41885439 198.51.100.3 60000 typ relay raddr 203.0.113.7 rport 46154",
                true,
            ),
            (
                "candidate:0 1 UDP 2122187007 8e9a3b5c-1d2e-4f60-8a7b-9c0d1e2f3a4b.local 50000 typ host",
                false,
            ),
            ("candidate:4 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active", false),
            ("candidate:4 1 tcp 1518280447 192.0.2.1 4000 typ host tcptype so", false),
            ("candidate:4 1 ssltcp 1518280447 192.0.2.1 443 typ host tcptype passive", false),
            ("candidate:4 1 tcp 1518280447 192.0.2.1 4000 typ host tcptype passive", true),
        ] {
            let read = read(value).unwrap_or_else(|error| panic!("{value}: {error}"));
            assert_eq!(matches!(read, RemoteCandidate::Usable(_)), usable, "{value}");
        }
    }

    #[test]
    fn a_local_candidate_names_the_user_of_its_description() {
        let engine = Candidate::host("192.0.2.1:5000".parse().unwrap(), "udp").unwrap();
        let candidate = local_candidate(&engine, "abcd");
        assert!(candidate.candidate.ends_with("192.0.2.1 5000 typ host"), "{candidate:?}");
        assert_eq!(candidate.username_fragment.as_deref(), Some("abcd"));
        assert_eq!((candidate.sdp_mid, candidate.sdp_m_line_index), (None, Some(0)));
    }

    #[test]
    fn how_a_channel_is_made_survives_both_ways() {
        for reliability in [
            Reliability::Reliable,
            Reliability::MaxRetransmits(3),
            Reliability::MaxLifetime(Duration::from_millis(250)),
        ] {
            let init =
                ChannelInit::default().ordered(false).reliability(reliability).protocol("chat");
            let config = channel_config("label", &init);
            assert_eq!((&*config.label, config.negotiated), ("label", None));
            assert_eq!(channel_init(&config), init);
        }
    }
}
