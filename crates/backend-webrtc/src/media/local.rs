//! A track of ours.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use rtc::{
    media_stream::MediaStreamTrack,
    rtp_transceiver::rtp_sender::{
        RTCRtpCodingParameters, RTCRtpEncodingParameters, RTCRtpRtxParameters,
    },
};
use skapi_rtc_backend::{
    Codec, EncodedFrame, LocalTrack, LocalTrackHandle, MediaError, MediaKind, RtpPacket, TrackInit,
    rtp::{Numbering, Outbound},
};
use tokio::sync::Mutex;
use webrtc::media_stream::track_local::{
    TrackLocal as EngineTrack, static_rtp::TrackLocalStaticRTP,
};

use super::engine::{engine_codec, engine_kind};
use crate::shared::Shared;

pub(crate) struct Local {
    pub(super) outbound: Outbound,
    /// Numbers of its source and of its retransmissions (SSRC).
    pub(super) source: u32,
    retransmissions: u32,
    engine: OnceLock<Arc<TrackLocalStaticRTP>>,
    shared: Arc<Shared>,
    numbering: Mutex<Numbering>,
}

impl Local {
    pub(crate) fn handle(init: TrackInit, shared: &Arc<Shared>) -> Result<Handle, MediaError> {
        let (outbound, events) = Outbound::new(init)?;
        let local = Arc::new(Self {
            outbound,
            source: fastrand::u32(1..),
            retransmissions: fastrand::u32(1..),
            engine: OnceLock::new(),
            shared: shared.clone(),
            numbering: Mutex::new(Numbering::new(fastrand::u16(..), fastrand::u32(..))),
        });
        Ok((local.clone(), LocalTrackHandle::new(Arc::new(Track(local)), events)))
    }

    /// What the engine is to send, in this codec.
    pub(super) fn engine_track(&self, codec: Codec) -> Arc<TrackLocalStaticRTP> {
        let init = self.outbound.init();
        let coding = RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters {
                ssrc: Some(self.source),
                rtx: (self.kind() == MediaKind::Video)
                    .then_some(RTCRtpRtxParameters { ssrc: self.retransmissions }),
                ..RTCRtpCodingParameters::default()
            },
            codec: engine_codec(codec),
            ..RTCRtpEncodingParameters::default()
        };
        Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(
            init.stream_id.clone(),
            init.track_id.clone(),
            init.track_id.clone(),
            engine_kind(self.kind()),
            vec![coding],
        )))
    }

    /// The engine's track is bound: from now on there is something to write to.
    pub(super) fn bound(&self, engine: Arc<TrackLocalStaticRTP>) {
        let _ = self.engine.set(engine);
    }

    pub(super) fn kind(&self) -> MediaKind {
        self.outbound.kind()
    }

    /// The connection is up: what is written now arrives.
    pub(crate) fn connected(&self) {
        self.outbound.connected();
    }

    /// The track is removed, or its connection closed: its events end.
    pub(crate) fn end(&self) {
        self.outbound.end();
    }

    /// The payload type for a codec; `None` where what is written is to be dropped.
    fn payload_type(&self, codec: Codec) -> Result<Option<u8>, MediaError> {
        if self.shared.is_closing() {
            return Err(MediaError::Closed);
        }
        self.outbound.payload_type(codec)
    }

    async fn write_frame(&self, frame: EncodedFrame) -> Result<(), MediaError> {
        let Some(payload_type) = self.payload_type(frame.codec)? else {
            return Ok(());
        };
        let mut numbering = self.numbering.lock().await;
        for packet in numbering.frame(&frame) {
            self.send(payload_type, packet).await?;
        }
        Ok(())
    }

    async fn write_foreign(&self, packet: RtpPacket) -> Result<(), MediaError> {
        let Some(payload_type) = self.payload_type(packet.codec)? else {
            return Ok(());
        };
        let mut numbering = self.numbering.lock().await;
        let packet = numbering.foreign(packet);
        self.send(payload_type, packet).await
    }

    async fn send(&self, payload_type: u8, packet: RtpPacket) -> Result<(), MediaError> {
        let Some(engine) = self.engine.get() else {
            return Ok(());
        };
        let header = rtc::rtp::Header {
            version: 2,
            marker: packet.marker,
            payload_type,
            sequence_number: packet.sequence,
            timestamp: packet.rtp_time,
            ssrc: self.source,
            ..rtc::rtp::Header::default()
        };
        let payload = packet.payload;
        let sent = engine.write_rtp(rtc::rtp::Packet { header, payload }).await;
        sent.map_err(|error| {
            if self.shared.is_closing() || self.outbound.has_ended() {
                MediaError::Closed
            } else {
                MediaError::Engine(error.to_string())
            }
        })
    }
}

pub(crate) type Handle = (Arc<Local>, LocalTrackHandle);

/// A local track as the application holds it.
pub(super) struct Track(pub(super) Arc<Local>);

#[async_trait]
impl LocalTrack for Track {
    fn kind(&self) -> MediaKind {
        self.0.kind()
    }

    fn codec(&self) -> Option<Codec> {
        self.0.outbound.codec()
    }

    async fn write(&self, frame: EncodedFrame) -> Result<(), MediaError> {
        self.0.write_frame(frame).await
    }

    async fn write_packet(&self, packet: RtpPacket) -> Result<(), MediaError> {
        self.0.write_foreign(packet).await
    }
}

impl fmt::Debug for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("init", self.0.outbound.init()).finish_non_exhaustive()
    }
}
