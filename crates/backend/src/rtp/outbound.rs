//! The state of a track of ours: what was negotiated, what it tells, and the numbers of its packets.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::payload::Packetiser;
use crate::{
    Codec, EncodedFrame, EventSender, LocalTrackEvent, LocalTrackEvents, MediaError, MediaKind,
    RtpPacket, TrackInit, queue,
};

/// Events of a track that may wait for their reader.
const MAX_EVENTS: usize = 32;
/// A foreign packet this far from the last one belongs to another stream.
const NEW_STREAM: u16 = 4096;

/// A track of ours, as far as no engine is needed for it.
#[derive(Debug)]
pub struct Outbound {
    kind: MediaKind,
    init: TrackInit,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Payload types and codecs that can be sent; the first one is meant.
    formats: Vec<(u8, Codec)>,
    connected: bool,
    /// Gone once the track is.
    events: Option<EventSender<LocalTrackEvent>>,
}

impl Outbound {
    /// A track that was not negotiated yet, with the reader of its events.
    ///
    /// # Errors
    /// [`MediaError::Init`] for options that contradict each other.
    pub fn new(init: TrackInit) -> Result<(Self, LocalTrackEvents), MediaError> {
        let kind = init.kind()?;
        let (events, reader) = queue(MAX_EVENTS, usize::MAX);
        let state = State { formats: Vec::new(), connected: false, events: Some(events) };
        Ok((Self { kind, init, state: Mutex::new(state) }, reader))
    }

    /// Sound or pictures.
    pub fn kind(&self) -> MediaKind {
        self.kind
    }

    /// How the track was to be made.
    pub fn init(&self) -> &TrackInit {
        &self.init
    }

    /// The codec that the negotiation chose.
    pub fn codec(&self) -> Option<Codec> {
        self.state().formats.first().map(|format| format.1)
    }

    /// The first of the peer's formats that the track can deliver.
    pub fn chosen(&self, formats: &[(u8, Codec)]) -> Option<Codec> {
        formats.iter().map(|format| format.1).find(|codec| self.init.codecs.contains(codec))
    }

    /// A negotiation has ended: of these formats, those that the track can deliver can be sent.
    pub fn negotiated(&self, mut formats: Vec<(u8, Codec)>) {
        formats.retain(|(_, codec)| self.init.codecs.contains(codec));
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
    pub fn connected(&self) {
        let mut state = self.state();
        let first = !std::mem::replace(&mut state.connected, true);
        if first && self.kind == MediaKind::Video && !state.formats.is_empty() {
            state.emit(LocalTrackEvent::KeyframeRequested);
        }
    }

    /// The receiver asks for a key frame.
    pub fn keyframe_requested(&self) {
        if self.kind == MediaKind::Video {
            self.state().emit(LocalTrackEvent::KeyframeRequested);
        }
    }

    /// The receiver tells what the path carries, in bits a second.
    pub fn bitrate_estimated(&self, bits_per_second: u64) {
        self.state().emit(LocalTrackEvent::TargetBitrate(bits_per_second));
    }

    /// The track is removed, or its connection closed: its events end.
    pub fn end(&self) {
        let mut state = self.state();
        state.formats.clear();
        state.events = None;
    }

    /// Whether [`end`](Self::end) was called.
    pub fn has_ended(&self) -> bool {
        self.state().events.is_none()
    }

    /// The payload type for a codec; `None` where what is written is to be dropped.
    ///
    /// # Errors
    /// [`MediaError::Closed`] after the end, [`MediaError::Unsupported`] for a codec that was not
    /// negotiated.
    pub fn payload_type(&self, codec: Codec) -> Result<Option<u8>, MediaError> {
        let state = self.state();
        if state.events.is_none() {
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

    fn state(&self) -> MutexGuard<'_, State> {
        // No code of others runs under the lock, so a poisoned state is still a whole one.
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

/// Splits a track's frames into packets and numbers them, own and foreign ones.
#[derive(Debug)]
pub struct Numbering {
    packetiser: Packetiser,
    sequence: u16,
    time_offset: u32,
    /// What is added to the sequence numbers of foreign packets, while they are one stream.
    foreign_offset: Option<u16>,
}

impl Numbering {
    /// Begins at these numbers, which should be random (RFC 3550 §5.1).
    pub fn new(sequence: u16, time_offset: u32) -> Self {
        Self {
            packetiser: Packetiser::default(),
            // The upper half is left free, as some receivers lose track when it wraps early.
            sequence: sequence >> 1,
            time_offset,
            foreign_offset: None,
        }
    }

    /// The packets of a frame; none for an empty one.
    pub fn frame(&mut self, frame: &EncodedFrame) -> Vec<RtpPacket> {
        self.foreign_offset = None;
        let payloads = self.packetiser.split(frame.codec, frame.keyframe, &frame.payload);
        let last = payloads.len();
        let pictures = frame.codec.kind() == MediaKind::Video;
        let rtp_time = frame.rtp_time.wrapping_add(self.time_offset);
        let packets = payloads.into_iter().enumerate().map(|(index, payload)| {
            let sequence = self.sequence;
            self.sequence = sequence.wrapping_add(1);
            let marker = pictures && index + 1 == last;
            RtpPacket::new(frame.codec, sequence, rtp_time, marker, payload)
        });
        packets.collect()
    }

    /// A foreign packet with numbers of ours. Gaps and order are kept, so that what was lost on the way to
    /// us shows.
    pub fn foreign(&mut self, mut packet: RtpPacket) -> RtpPacket {
        packet.sequence = self.own_sequence(packet.sequence);
        packet.rtp_time = packet.rtp_time.wrapping_add(self.time_offset);
        packet
    }

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

fn names(formats: &[(u8, Codec)]) -> String {
    let names: Vec<_> = formats.iter().map(|format| format.1.name()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn packet(sequence: u16) -> RtpPacket {
        RtpPacket::new(Codec::Vp8, sequence, 0, false, Bytes::from_static(b"x"))
    }

    #[test]
    fn gaps_and_order_of_foreign_packets_are_kept_and_another_stream_goes_on_behind() {
        let mut numbering = Numbering::new(20, 0);
        let mut own = |foreign: &[u16]| {
            foreign.iter().map(|f| numbering.foreign(packet(*f)).sequence).collect()
        };
        let numbers: Vec<u16> = own(&[65_534, 65_535, 2, 1, 3]);
        assert_eq!(numbers, [10, 11, 14, 13, 15]);
        let numbers: Vec<u16> = own(&[30_000, 30_002]);
        assert_eq!(numbers, [16, 18]);
    }

    #[test]
    fn a_frame_is_numbered_on_and_its_last_packet_marked() {
        let mut numbering = Numbering::new(20, 1000);
        let picture = EncodedFrame::new(Codec::Vp8, 5, true, vec![0x10; 3000].into());
        let packets = numbering.frame(&picture);
        let seen: Vec<_> = packets.iter().map(|p| (p.sequence, p.marker, p.rtp_time)).collect();
        assert_eq!(seen, [(10, false, 1005), (11, false, 1005), (12, true, 1005)]);
        let sound = EncodedFrame::new(Codec::Opus, 0, true, vec![1; 10].into());
        assert!(!numbering.frame(&sound)[0].marker);
    }

    #[test]
    fn what_was_not_negotiated_is_refused_and_nothing_flows_before_the_connection() {
        let init = TrackInit::new([Codec::H264, Codec::Vp8], "stream", "track");
        let (track, mut events) = Outbound::new(init).unwrap();
        assert_eq!(track.payload_type(Codec::Vp8), Ok(None));
        track.negotiated(vec![(98, Codec::Vp9), (96, Codec::Vp8)]);
        assert_eq!(track.codec(), Some(Codec::Vp8));
        assert_eq!(track.payload_type(Codec::Vp8), Ok(None));
        assert!(matches!(track.payload_type(Codec::Vp9), Err(MediaError::Unsupported(_))));
        track.connected();
        assert_eq!(track.payload_type(Codec::Vp8), Ok(Some(96)));
        track.end();
        assert_eq!(track.payload_type(Codec::Vp8), Err(MediaError::Closed));
        let mut told = Vec::new();
        while let Some(event) = events.try_recv() {
            told.push(event);
        }
        use LocalTrackEvent::{KeyframeRequested, Negotiated};
        assert_eq!(told, [Negotiated(Codec::Vp8), KeyframeRequested]);
    }
}
