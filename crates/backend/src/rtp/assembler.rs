//! From packets, as they arrive, to whole frames in order.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use crate::{Codec, EncodedFrame, MediaKind, RtpPacket};
use bytes::BytesMut;

use super::payload;

/// How long a missing packet is waited for: a retransmission takes a round trip, and sound cannot wait.
const PATIENCE_VIDEO: Duration = Duration::from_millis(300);
const PATIENCE_AUDIO: Duration = Duration::from_millis(60);
/// Packets that wait behind a missing one.
const MAX_WAITING: usize = 512;
/// Largest frame, in bytes. Beyond, it counts as lost.
const MAX_FRAME: usize = 4 * 1024 * 1024;
/// A sequence number this far off is no late packet: the sender began anew.
const RESTART: i16 = 8192;
/// How often a key frame is asked for while none comes.
pub(super) const ASK_AGAIN: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Assembler {
    kind: MediaKind,
    /// The sequence number that comes next, counted on beyond its 16 bits.
    next: Option<u64>,
    waiting: BTreeMap<u64, RtpPacket>,
    waiting_since: Option<Instant>,
    picture: Picture,
    frames: VecDeque<EncodedFrame>,
    keyframe: Keyframe,
}

#[derive(Debug)]
enum Picture {
    /// The last picture is complete: the next packet begins one.
    Between,
    /// Some of a picture is lost, or of the one before: nothing counts until one begins.
    Broken,
    Growing {
        codec: Codec,
        rtp_time: u32,
        keyframe: bool,
        bytes: BytesMut,
    },
}

#[derive(Debug, Clone, Copy)]
enum Keyframe {
    /// Pictures can be decoded.
    Decoding,
    /// Only a key frame helps; asked for at this time.
    Missing { asked: Option<Instant> },
}

impl Assembler {
    pub(super) fn new(kind: MediaKind) -> Self {
        Self {
            kind,
            next: None,
            waiting: BTreeMap::new(),
            waiting_since: None,
            picture: Picture::Broken,
            frames: VecDeque::new(),
            keyframe: Keyframe::Missing { asked: None },
        }
    }

    /// Takes a packet that arrived at `now`. Says whether a key frame is to be asked for.
    pub(super) fn push(&mut self, packet: RtpPacket, now: Instant) -> bool {
        // Room to go back in, for packets that overtook the first one.
        let next = *self.next.get_or_insert(u64::from(packet.sequence) + (1 << 16));
        let ahead = packet.sequence.wrapping_sub(next as u16).cast_signed();
        let mut ask = false;
        if !(-RESTART..=RESTART).contains(&ahead) {
            let sequence = packet.sequence;
            ask = self.lose(now);
            self.waiting.clear();
            self.next = Some(u64::from(sequence) + (1 << 16));
            ask |= self.take(packet, now);
        } else if let Some(number) = next.checked_add_signed(i64::from(ahead))
            && ahead >= 0
        {
            self.waiting.insert(number, packet);
        }
        ask |= self.release(now);
        ask |= self.give_up(now);
        ask
    }

    pub(super) fn next_frame(&mut self) -> Option<EncodedFrame> {
        self.frames.pop_front()
    }

    /// Packets were dropped here: whatever was being put together is not whole.
    pub(super) fn skipped(&mut self, now: Instant) -> bool {
        self.next = None;
        self.waiting.clear();
        self.lose(now)
    }

    /// Takes everything that waits for nothing.
    fn release(&mut self, now: Instant) -> bool {
        let mut ask = false;
        while let Some(next) = self.next
            && let Some(packet) = self.waiting.remove(&next)
        {
            ask |= self.take(packet, now);
        }
        if self.waiting.is_empty() {
            self.waiting_since = None;
        } else {
            self.waiting_since.get_or_insert(now);
        }
        ask
    }

    /// Goes on without what is missing when that has been waited for long enough.
    fn give_up(&mut self, now: Instant) -> bool {
        let patience = match self.kind {
            MediaKind::Audio => PATIENCE_AUDIO,
            MediaKind::Video => PATIENCE_VIDEO,
        };
        let late = self.waiting_since.is_some_and(|since| now.duration_since(since) > patience);
        if !late && self.waiting.len() <= MAX_WAITING {
            return false;
        }
        self.next = self.waiting.keys().next().copied();
        self.waiting_since = None;
        self.lose(now) | self.release(now)
    }

    /// The next packet in order.
    fn take(&mut self, packet: RtpPacket, now: Instant) -> bool {
        self.next = self.next.map(|next| next + 1);
        if packet.payload.is_empty() {
            return false; // only there to probe the path
        }
        if self.kind == MediaKind::Audio {
            let RtpPacket { codec, rtp_time, payload, .. } = packet;
            self.frames.push_back(EncodedFrame::new(codec, rtp_time, true, payload));
            return false;
        }
        let mut ask = false;
        if let Picture::Growing { rtp_time, .. } = self.picture
            && rtp_time != packet.rtp_time
        {
            ask |= self.finish(now); // its sender sets no markers
        }
        self.grow(&packet);
        if let Picture::Growing { bytes, .. } = &self.picture
            && bytes.len() > MAX_FRAME
        {
            ask |= self.lose(now);
        }
        if packet.marker {
            ask |= self.finish(now);
        }
        ask
    }

    fn grow(&mut self, packet: &RtpPacket) {
        let between = matches!(self.picture, Picture::Between);
        if let Picture::Growing { codec, keyframe, bytes, .. } = &mut self.picture
            && *codec == packet.codec
        {
            match payload::join(packet.codec, &packet.payload, bytes) {
                Some(fragment) => *keyframe |= fragment.keyframe,
                None => self.picture = Picture::Broken,
            }
            return;
        }
        let mut bytes = BytesMut::new();
        let begun = payload::join(packet.codec, &packet.payload, &mut bytes)
            .filter(|fragment| fragment.starts.unwrap_or(between));
        self.picture = match begun {
            Some(fragment) => Picture::Growing {
                codec: packet.codec,
                rtp_time: packet.rtp_time,
                keyframe: fragment.keyframe,
                bytes,
            },
            None => Picture::Broken,
        };
    }

    fn finish(&mut self, now: Instant) -> bool {
        match std::mem::replace(&mut self.picture, Picture::Between) {
            Picture::Between => false,
            Picture::Broken => self.missing(now),
            Picture::Growing { codec, rtp_time, keyframe, bytes } => {
                if keyframe {
                    self.keyframe = Keyframe::Decoding;
                } else if let Keyframe::Missing { .. } = self.keyframe {
                    return self.missing(now);
                }
                let frame = EncodedFrame::new(codec, rtp_time, keyframe, bytes.freeze());
                self.frames.push_back(frame);
                false
            }
        }
    }

    fn lose(&mut self, now: Instant) -> bool {
        self.picture = Picture::Broken;
        self.missing(now)
    }

    /// Pictures cannot be decoded from here. Whether it is time to ask for a key frame.
    fn missing(&mut self, now: Instant) -> bool {
        if self.kind == MediaKind::Audio {
            return false;
        }
        let recently = match self.keyframe {
            Keyframe::Missing { asked: Some(asked) } => now.duration_since(asked) < ASK_AGAIN,
            _ => false,
        };
        if !recently {
            self.keyframe = Keyframe::Missing { asked: Some(now) };
        }
        !recently
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// A picture of VP8: `parts` packets, a key frame or not.
    fn picture(sequence: u16, rtp_time: u32, keyframe: bool, parts: u16) -> Vec<RtpPacket> {
        (0..parts)
            .map(|part| {
                let descriptor = if part == 0 { 0x10 } else { 0 };
                let first = if keyframe { 0x10 } else { 0x11 };
                let payload = vec![descriptor, if part == 0 { first } else { part as u8 }];
                let marker = part + 1 == parts;
                let sequence = sequence.wrapping_add(part);
                RtpPacket::new(Codec::Vp8, sequence, rtp_time, marker, payload.into())
            })
            .collect()
    }

    struct Run {
        assembler: Assembler,
        now: Instant,
        asked: usize,
    }

    impl Run {
        fn new(kind: MediaKind) -> Self {
            Self { assembler: Assembler::new(kind), now: Instant::now(), asked: 0 }
        }

        /// The times and kinds of the frames that come of these packets.
        fn push(&mut self, packets: impl IntoIterator<Item = RtpPacket>) -> Vec<(u32, bool)> {
            for packet in packets {
                self.now += Duration::from_millis(1);
                self.asked += usize::from(self.assembler.push(packet, self.now));
            }
            std::iter::from_fn(|| self.assembler.next_frame())
                .map(|frame| (frame.rtp_time, frame.keyframe))
                .collect()
        }
    }

    #[test]
    fn pictures_come_whole_and_in_order_whatever_the_order_of_their_packets() {
        let mut run = Run::new(MediaKind::Video);
        let mut packets = picture(65_530, 0, true, 4);
        packets.extend(picture(65_534, 3000, false, 4));
        packets.extend(picture(2, 6000, false, 1));
        packets.swap(1, 3);
        packets.swap(4, 8);
        packets.push(packets[2].clone());
        assert_eq!(run.push(packets), [(0, true), (3000, false), (6000, false)]);
        assert_eq!(run.asked, 0);
    }

    #[test]
    fn the_bytes_are_those_that_were_sent() {
        let mut assembler = Assembler::new(MediaKind::Video);
        for packet in picture(7, 0, true, 3) {
            assembler.push(packet, Instant::now());
        }
        let frame = assembler.next_frame().unwrap();
        assert_eq!(frame.payload, Bytes::from_static(&[0x10, 1, 2]));
    }

    #[test]
    fn after_a_loss_only_a_key_frame_helps_and_it_is_asked_for() {
        let mut run = Run::new(MediaKind::Video);
        assert_eq!(run.push(picture(0, 0, true, 2)), [(0, true)]);
        let mut damaged = picture(2, 3000, false, 3);
        damaged.remove(1);
        assert_eq!(run.push(damaged), []);
        assert_eq!(run.push(picture(5, 6000, false, 1)), [], "a retransmission may still come");
        assert_eq!(run.asked, 0);
        run.now += PATIENCE_VIDEO;
        assert_eq!(run.push(picture(6, 9000, false, 1)), []);
        assert_eq!(run.asked, 1);
        assert_eq!(run.push(picture(7, 12_000, false, 1)), []);
        assert_eq!(run.asked, 1, "not with every picture");
        run.now += ASK_AGAIN;
        assert_eq!(run.push(picture(8, 15_000, false, 1)), []);
        assert_eq!(run.asked, 2, "but again");
        assert_eq!(run.push(picture(9, 18_000, true, 2)), [(18_000, true)]);
        assert_eq!(run.push(picture(11, 21_000, false, 2)), [(21_000, false)]);
    }

    #[test]
    fn a_retransmission_in_time_mends_the_picture() {
        let mut run = Run::new(MediaKind::Video);
        let mut packets = picture(0, 0, true, 3);
        let missing = packets.remove(1);
        packets.extend(picture(3, 3000, false, 1));
        assert_eq!(run.push(packets), []);
        assert_eq!(run.push([missing]), [(0, true), (3000, false)]);
        assert_eq!(run.asked, 0);
    }

    #[test]
    fn a_stream_that_begins_in_the_middle_waits_for_a_key_frame() {
        let mut run = Run::new(MediaKind::Video);
        assert_eq!(run.push(picture(4, 0, true, 3).split_off(1)), []);
        assert_eq!(run.push(picture(7, 3000, false, 1)), []);
        assert_eq!(run.asked, 1);
        assert_eq!(run.push(picture(8, 6000, true, 1)), [(6000, true)]);
    }

    #[test]
    fn a_sender_that_begins_anew_is_followed() {
        let mut run = Run::new(MediaKind::Video);
        assert_eq!(run.push(picture(100, 0, true, 1)), [(0, true)]);
        assert_eq!(run.push(picture(40_000, 3000, true, 2)), [(3000, true)]);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut run = Run::new(MediaKind::Video);
        run.push(picture(0, 0, true, 1));
        for number in 0..2 * MAX_WAITING as u16 {
            run.now -= Duration::from_millis(1);
            run.push(picture(2 + number, 3000, false, 2).split_off(1));
            assert!(run.assembler.waiting.len() <= MAX_WAITING + 1);
        }
    }

    #[test]
    fn lost_sound_is_passed_over() {
        let packet = |sequence: u16| {
            RtpPacket::new(Codec::Opus, sequence, 960 * u32::from(sequence), false, {
                Bytes::from_static(b"x")
            })
        };
        let mut run = Run::new(MediaKind::Audio);
        assert_eq!(run.push([packet(1), packet(3)]), [(960, true)]);
        run.now += PATIENCE_AUDIO;
        assert_eq!(run.push([packet(4)]), [(2880, true), (3840, true)]);
        assert_eq!(run.push([packet(2)]), [], "too late");
        assert_eq!(run.asked, 0);
    }
}
