//! What the engine is told about media: codecs, feedback, header extensions, interceptors.

use std::{sync::Arc, time::Duration};

use rtc::{
    interceptor::{NackGeneratorBuilder, NackResponderBuilder, Registry, Slot},
    peer_connection::configuration::interceptor_registry::{
        configure_rtcp_reports, configure_twcc_receiver_only,
    },
    rtp_transceiver::rtp_sender::{
        RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpHeaderExtensionCapability,
        RtpCodecKind,
    },
};
use skapi_rtc_backend::{Codec, MediaKind};
use webrtc::{error::Result as EngineResult, peer_connection::MediaEngine};

use super::{
    feedback::{KeyframeRequests, KeyframeWatch},
    passing::Passing,
    retransmissions::Retransmissions,
};

/// RFC 8843 §16.2: names a packet's section where the description does not name its source.
const MID_EXTENSION: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

/// How often missing packets are asked for, and how often each of them: one that has not come after a
/// second comes too late.
const ASK_FOR_MISSING: Duration = Duration::from_millis(50);
const MAX_REQUESTS: u16 = 20;
/// Closer to the wire than what asks for missing packets.
const BEFORE_REQUESTS: usize = 6_500;

/// Codec, payload type of it, payload type of its retransmissions, parameters. In the order in which they
/// are offered; the payload types are those that browsers use. H.264 comes in the profiles that Chromium
/// offers with packetization mode 1.
const CODECS: [(Codec, u8, Option<u8>, &str); 6] = [
    (Codec::Opus, 111, None, "minptime=10;useinbandfec=1"),
    (Codec::Vp8, 96, Some(97), ""),
    (Codec::Vp9, 98, Some(99), "profile-id=0"),
    (
        Codec::H264,
        102,
        Some(103),
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
    ),
    (
        Codec::H264,
        104,
        Some(105),
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f",
    ),
    (
        Codec::H264,
        106,
        Some(107),
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f",
    ),
];

pub(crate) fn media_engine() -> EngineResult<MediaEngine> {
    let mut engine = MediaEngine::default();
    for (codec, payload_type, retransmission, parameters) in CODECS {
        let kind = engine_kind(codec.kind());
        let rtp_codec = with_parameters(codec, parameters);
        engine.register_codec(RTCRtpCodecParameters { rtp_codec, payload_type }, kind)?;
        if let Some(retransmission) = retransmission {
            let rtp_codec = RTCRtpCodec {
                mime_type: "video/rtx".to_owned(),
                clock_rate: codec.clock_rate(),
                sdp_fmtp_line: format!("apt={payload_type}"),
                ..RTCRtpCodec::default()
            };
            let parameters = RTCRtpCodecParameters { rtp_codec, payload_type: retransmission };
            engine.register_codec(parameters, kind)?;
        }
    }
    for kind in [RtpCodecKind::Audio, RtpCodecKind::Video] {
        let mid = RTCRtpHeaderExtensionCapability { uri: MID_EXTENSION.to_owned() };
        engine.register_header_extension(mid, kind, None)?;
    }
    Ok(engine)
}

/// Retransmission, reports, feedback on arrivals, and the watch for key-frame requests.
pub(crate) fn interceptors(
    engine: &mut MediaEngine,
    requests: &Arc<KeyframeRequests>,
) -> EngineResult<Registry> {
    let registry = configure_twcc_receiver_only(Registry::new(), engine)?;
    let registry = configure_rtcp_reports(registry);
    let missing = NackGeneratorBuilder::new()
        .with_interval(ASK_FOR_MISSING)
        .with_max_nacks_per_packet(MAX_REQUESTS)
        .build();
    Ok(registry
        .with(Slot::NackResponder, NackResponderBuilder::new().build())
        .with(Slot::from(BEFORE_REQUESTS), Passing::new(Retransmissions::default()))
        .with(Slot::NackGenerator, missing)
        .with(Slot::IntervalPli, Passing::new(KeyframeWatch(requests.clone()))))
}

/// The codec in the engine's words, in its first form.
pub(super) fn engine_codec(codec: Codec) -> RTCRtpCodec {
    let parameters = CODECS.iter().find(|(known, ..)| *known == codec).map_or("", |row| row.3);
    with_parameters(codec, parameters)
}

/// Every codec of a kind, those of a track first and in its order.
pub(super) fn preferences(kind: MediaKind, first: &[Codec]) -> Vec<RTCRtpCodecParameters> {
    let mut rows: Vec<_> = CODECS.iter().filter(|(codec, ..)| codec.kind() == kind).collect();
    // Stable: the forms of one codec keep their order, and so do those that the track does not name.
    rows.sort_by_key(|(codec, ..)| {
        first.iter().position(|wanted| wanted == codec).unwrap_or(first.len())
    });
    let parameters = rows.into_iter().map(|(codec, payload_type, _, parameters)| {
        let rtp_codec = with_parameters(*codec, parameters);
        RTCRtpCodecParameters { rtp_codec, payload_type: *payload_type }
    });
    parameters.collect()
}

pub(super) fn engine_kind(kind: MediaKind) -> RtpCodecKind {
    match kind {
        MediaKind::Audio => RtpCodecKind::Audio,
        MediaKind::Video => RtpCodecKind::Video,
    }
}

fn with_parameters(codec: Codec, parameters: &str) -> RTCRtpCodec {
    let video = codec.kind() == MediaKind::Video;
    RTCRtpCodec {
        mime_type: format!("{}/{codec}", codec.kind()),
        clock_rate: codec.clock_rate(),
        channels: if video { 0 } else { 2 },
        sdp_fmtp_line: parameters.to_owned(),
        rtcp_feedback: if video { video_feedback() } else { Vec::new() },
    }
}

/// The engine buffers what it sends, for retransmission, only where this says so.
fn video_feedback() -> Vec<RTCPFeedback> {
    [("ccm", "fir"), ("nack", ""), ("nack", "pli")]
        .map(|(typ, parameter)| RTCPFeedback {
            typ: typ.to_owned(),
            parameter: parameter.to_owned(),
        })
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracks_codecs_come_first_and_none_is_lost() {
        let names = |first: &[Codec]| -> Vec<_> {
            preferences(MediaKind::Video, first)
                .into_iter()
                .map(|codec| codec.payload_type)
                .collect()
        };
        assert_eq!(names(&[]), [96, 98, 102, 104, 106]);
        assert_eq!(names(&[Codec::H264, Codec::Vp9]), [102, 104, 106, 98, 96]);
    }
}
