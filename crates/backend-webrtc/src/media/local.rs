//! A track of ours.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use rtc::{
    media_stream::MediaStreamTrack,
    rtp_transceiver::rtp_sender::{
        RTCRtpCodingParameters, RTCRtpEncodingParameters, RTCRtpRtxParameters,
    },
};
use skapi_rtc_backend::{
    Codec, EncodedFrame, EventSender, LocalTrack, LocalTrackEvent, LocalTrackHandle, MediaError,
    MediaKind, RtpPacket, TrackInit, queue,
};
use webrtc::media_stream::track_local::{
    TrackLocal as EngineTrack, static_rtp::TrackLocalStaticRTP,
};

use super::{
    engine::{engine_codec, engine_kind},
    payload::Packetiser,
};
use crate::shared::Shared;

/// Events of a track that may wait for their reader.
const MAX_EVENTS: usize = 32;
/// A foreign packet this far from the last one belongs to another stream.
const NEW_STREAM: u16 = 4096;

pub(crate) struct Local {
    kind: MediaKind,
    pub(super) init: TrackInit,
    /// Numbers of its source and of its retransmissions (SSRC).
    pub(super) source: u32,
    retransmissions: u32,
    engine: OnceLock<Arc<TrackLocalStaticRTP>>,
    shared: Arc<Shared>,
    state: Mutex<State>,
    sending: tokio::sync::Mutex<Sending>,
}

struct State {
    /// Payload types and codecs that can be sent; the first one is meant.
    formats: Vec<(u8, Codec)>,
    connected: bool,
    /// Gone once the track is.
    events: Option<EventSender<LocalTrackEvent>>,
}

struct Sending {
    packetiser: Packetiser,
    sequence: u16,
    time_offset: u32,
    /// What is added to the sequence numbers of foreign packets, while they are one stream.
    foreign_offset: Option<u16>,
}

impl Local {
    pub(crate) fn handle(init: TrackInit, shared: &Arc<Shared>) -> Result<Handle, MediaError> {
        let kind = init.kind()?;
        let (events, reader) = queue(MAX_EVENTS, usize::MAX);
        let local = Arc::new(Self {
            kind,
            init,
            source: fastrand::u32(1..),
            retransmissions: fastrand::u32(1..),
            engine: OnceLock::new(),
            shared: shared.clone(),
            state: Mutex::new(State {
                formats: Vec::new(),
                connected: false,
                events: Some(events),
            }),
            sending: tokio::sync::Mutex::new(Sending {
                packetiser: Packetiser::default(),
                // The upper half is left free, as some receivers lose track when it wraps early.
                sequence: fastrand::u16(..) >> 1,
                time_offset: fastrand::u32(..),
                foreign_offset: None,
            }),
        });
        Ok((local.clone(), LocalTrackHandle::new(Arc::new(Track(local)), reader)))
    }

    /// What the engine is to send, in this codec.
    pub(super) fn engine_track(&self, codec: Codec) -> Arc<TrackLocalStaticRTP> {
        let coding = RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters {
                ssrc: Some(self.source),
                rtx: (self.kind == MediaKind::Video)
                    .then_some(RTCRtpRtxParameters { ssrc: self.retransmissions }),
                ..RTCRtpCodingParameters::default()
            },
            codec: engine_codec(codec),
            ..RTCRtpEncodingParameters::default()
        };
        Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(
            self.init.stream_id.clone(),
            self.init.track_id.clone(),
            self.init.track_id.clone(),
            engine_kind(self.kind),
            vec![coding],
        )))
    }

    /// The engine's track is bound: from now on there is something to write to.
    pub(super) fn bound(&self, engine: Arc<TrackLocalStaticRTP>) {
        let _ = self.engine.set(engine);
    }

    pub(super) fn kind(&self) -> MediaKind {
        self.kind
    }

    /// A negotiation has ended: these formats can be sent, or nothing.
    pub(super) fn negotiated(&self, formats: Vec<(u8, Codec)>) {
        let mut state = self.state();
        let before = state.formats.first().map(|format| format.1);
        let now = formats.first().map(|format| format.1);
        state.formats = formats;
        if let Some(codec) = now.filter(|_| now != before) {
            state.emit(LocalTrackEvent::Negotiated(codec));
            if state.connected && self.kind == MediaKind::Video {
                state.emit(LocalTrackEvent::KeyframeRequested);
            }
        }
    }

    /// The connection is up: what is written now arrives.
    pub(crate) fn connected(&self) {
        let mut state = self.state();
        let first = !std::mem::replace(&mut state.connected, true);
        if first && self.kind == MediaKind::Video && !state.formats.is_empty() {
            state.emit(LocalTrackEvent::KeyframeRequested);
        }
    }

    pub(super) fn keyframe_requested(&self) {
        if self.kind == MediaKind::Video {
            self.state().emit(LocalTrackEvent::KeyframeRequested);
        }
    }

    /// The track is removed, or its connection closed: its events end.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.formats.clear();
        state.events = None;
    }

    /// The payload type for a codec; `None` where what is written is to be dropped.
    fn payload_type(&self, codec: Codec) -> Result<Option<u8>, MediaError> {
        let state = self.state();
        if state.events.is_none() || self.shared.is_closing() {
            return Err(MediaError::Closed);
        }
        if state.formats.is_empty() {
            return Ok(None);
        }
        let format = state.formats.iter().find(|format| format.1 == codec);
        match format {
            Some((payload_type, _)) => Ok(state.connected.then_some(*payload_type)),
            None => Err(MediaError::Unsupported(format!(
                "{codec} was not negotiated; the peer takes {}",
                names(&state.formats)
            ))),
        }
    }

    async fn write_frame(&self, frame: EncodedFrame) -> Result<(), MediaError> {
        let Some(payload_type) = self.payload_type(frame.codec)? else {
            return Ok(());
        };
        let mut sending = self.sending.lock().await;
        sending.foreign_offset = None;
        let payloads = sending.packetiser.split(frame.codec, frame.keyframe, &frame.payload);
        let (last, time) = (payloads.len(), frame.rtp_time.wrapping_add(sending.time_offset));
        for (index, payload) in payloads.into_iter().enumerate() {
            let sequence = sending.sequence;
            sending.sequence = sequence.wrapping_add(1);
            let marker = self.kind == MediaKind::Video && index + 1 == last;
            self.send(payload_type, sequence, time, marker, payload).await?;
        }
        Ok(())
    }

    async fn write_foreign(&self, packet: RtpPacket) -> Result<(), MediaError> {
        let Some(payload_type) = self.payload_type(packet.codec)? else {
            return Ok(());
        };
        let mut sending = self.sending.lock().await;
        let sequence = sending.own_sequence(packet.sequence);
        let time = packet.rtp_time.wrapping_add(sending.time_offset);
        self.send(payload_type, sequence, time, packet.marker, packet.payload).await
    }

    async fn send(
        &self,
        payload_type: u8,
        sequence: u16,
        time: u32,
        marker: bool,
        payload: Bytes,
    ) -> Result<(), MediaError> {
        let Some(engine) = self.engine.get() else {
            return Ok(());
        };
        let header = rtc::rtp::Header {
            version: 2,
            marker,
            payload_type,
            sequence_number: sequence,
            timestamp: time,
            ssrc: self.source,
            ..rtc::rtp::Header::default()
        };
        let sent = engine.write_rtp(rtc::rtp::Packet { header, payload }).await;
        sent.map_err(|error| {
            if self.shared.is_closing() || self.state().events.is_none() {
                MediaError::Closed
            } else {
                MediaError::Engine(error.to_string())
            }
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Nobody has to read them: requests are repeated, and the codec can be asked for.
    fn emit(&self, event: LocalTrackEvent) {
        if let Some(events) = &self.events {
            let _ = events.try_send(event);
        }
    }
}

impl Sending {
    /// The own number of a foreign packet. Gaps and order are kept, so that what was lost on the way to
    /// us shows.
    fn own_sequence(&mut self, foreign: u16) -> u16 {
        let last = self.sequence.wrapping_sub(1);
        let near = |own: u16| {
            let distance = own.wrapping_sub(last);
            distance.min(distance.wrapping_neg()) < NEW_STREAM
        };
        let known = self.foreign_offset.map(|offset| foreign.wrapping_add(offset));
        let own = known.filter(|own| near(*own)).unwrap_or_else(|| {
            self.foreign_offset = Some(self.sequence.wrapping_sub(foreign));
            self.sequence
        });
        if own.wrapping_sub(self.sequence) < NEW_STREAM {
            self.sequence = own.wrapping_add(1);
        }
        own
    }
}

pub(crate) type Handle = (Arc<Local>, LocalTrackHandle);

/// A local track as the application holds it.
pub(super) struct Track(pub(super) Arc<Local>);

#[async_trait]
impl LocalTrack for Track {
    fn kind(&self) -> MediaKind {
        self.0.kind
    }

    fn codec(&self) -> Option<Codec> {
        self.0.state().formats.first().map(|format| format.1)
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
        f.debug_struct("Local").field("init", &self.0.init).finish_non_exhaustive()
    }
}

fn names(formats: &[(u8, Codec)]) -> String {
    let names: Vec<_> = formats.iter().map(|format| format.1.name()).collect();
    names.join(", ")
}
