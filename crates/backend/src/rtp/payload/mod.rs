//! The RTP payload formats of the codecs, in both directions.

mod h264;
mod vp8;
mod vp9;

use crate::Codec;
use bytes::{Bytes, BytesMut};

/// Largest payload of one packet, in bytes: with all headers it passes every path that carries WebRTC.
pub(super) const MAX_PAYLOAD: usize = 1180;

/// What a track remembers from one outbound frame to the next.
#[derive(Debug, Default)]
pub(super) struct Packetiser {
    vp9: vp9::PictureIds,
}

impl Packetiser {
    /// The payloads of the packets that carry a frame; none for an empty one.
    pub(super) fn split(&mut self, codec: Codec, keyframe: bool, frame: &Bytes) -> Vec<Bytes> {
        match codec {
            _ if frame.is_empty() => Vec::new(),
            Codec::Vp8 => vp8::split(frame),
            Codec::Vp9 => vp9::split(frame, keyframe, &mut self.vp9),
            Codec::H264 => h264::split(frame),
            _ => vec![frame.clone()],
        }
    }
}

/// What one payload of a picture says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    /// Whether the picture begins here; `None` where the format does not tell.
    pub(super) starts: Option<bool>,
    /// Whether this shows that decoding can start at the picture.
    pub(super) keyframe: bool,
}

/// Reads one payload of a picture and appends what it holds. `None` for one that cannot be read.
pub(super) fn join(codec: Codec, payload: &[u8], picture: &mut BytesMut) -> Option<Fragment> {
    match codec {
        Codec::Vp8 => vp8::join(payload, picture),
        Codec::Vp9 => vp9::join(payload, picture),
        Codec::H264 => h264::join(payload, picture),
        _ => None,
    }
}

/// Parts of at most `size` bytes, as even as they can be.
fn even_parts(payload: &Bytes, size: usize) -> impl Iterator<Item = Bytes> + '_ {
    let count = payload.len().div_ceil(size).max(1);
    (0..count).map(move |part| {
        let (from, to) = (payload.len() * part / count, payload.len() * (part + 1) / count);
        payload.slice(from..to)
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Splits a picture, checks the sizes, and joins it again.
    pub(super) fn round_trip(codec: Codec, keyframe: bool, frame: Vec<u8>) -> (Vec<u8>, bool) {
        let payloads = Packetiser::default().split(codec, keyframe, &frame.into());
        let (mut picture, mut is_key) = (BytesMut::new(), false);
        for (index, payload) in payloads.iter().enumerate() {
            assert!(payload.len() <= MAX_PAYLOAD, "{} bytes", payload.len());
            let fragment = join(codec, payload, &mut picture).expect("it can be read");
            if let Some(starts) = fragment.starts {
                assert_eq!(starts, index == 0, "packet {index}");
            }
            is_key |= fragment.keyframe;
        }
        (picture.to_vec(), is_key)
    }

    #[test]
    fn parts_are_even_and_whole() {
        let payload = Bytes::from(vec![7; 2500]);
        let sizes: Vec<_> = even_parts(&payload, 1000).map(|part| part.len()).collect();
        assert_eq!(sizes, [833, 833, 834]);
        assert_eq!(even_parts(&Bytes::from_static(b"x"), 1000).count(), 1);
    }

    #[test]
    fn sound_travels_as_it_is() {
        let packet = Bytes::from(vec![1; 2000]);
        let payloads = Packetiser::default().split(Codec::Opus, true, &packet);
        assert_eq!(payloads, [packet]);
    }

    #[test]
    fn no_payload_whatsoever_makes_the_readers_panic() {
        let mut bytes = vec![0_u8; 64];
        // A generator of fixed seed is enough here: every first byte with many continuations.
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        for round in 0..40_000_usize {
            for byte in &mut bytes {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                *byte = (state >> 24) as u8;
            }
            bytes[0] = (round % 256) as u8;
            let length = round % (bytes.len() + 1);
            for codec in Codec::ALL {
                join(codec, &bytes[..length], &mut BytesMut::new());
            }
        }
    }
}
