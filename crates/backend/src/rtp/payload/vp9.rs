//! VP9 (RFC 9628 §4): sent in flexible mode, one layer, each picture referring to the one before.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Fragment, MAX_PAYLOAD, even_parts};

const HAS_ID: u8 = 0x80;
const REFERS: u8 = 0x40;
const HAS_LAYERS: u8 = 0x20;
const FLEXIBLE: u8 = 0x10;
const START: u8 = 0x08;
const END: u8 = 0x04;
const HAS_STRUCTURE: u8 = 0x02;

/// Refers to one picture: the one before.
const PREVIOUS_PICTURE: u8 = 1 << 1;
const HEADER: usize = 4;

#[derive(Debug, Default)]
pub(super) struct PictureIds(u16);

impl PictureIds {
    fn next(&mut self) -> u16 {
        self.0 = (self.0 + 1) & 0x7fff;
        self.0
    }
}

pub(super) fn split(frame: &Bytes, keyframe: bool, ids: &mut PictureIds) -> Vec<Bytes> {
    let id = ids.next();
    let count = frame.len().div_ceil(MAX_PAYLOAD - HEADER);
    even_parts(frame, MAX_PAYLOAD - HEADER)
        .enumerate()
        .map(|(index, part)| {
            let mut first = HAS_ID | FLEXIBLE;
            if !keyframe {
                first |= REFERS;
            }
            if index == 0 {
                first |= START;
            }
            if index + 1 == count {
                first |= END;
            }
            let mut payload = BytesMut::with_capacity(HEADER + part.len());
            payload.put_u8(first);
            payload.put_u16(0x8000 | id);
            if !keyframe {
                payload.put_u8(PREVIOUS_PICTURE);
            }
            payload.put(part);
            payload.freeze()
        })
        .collect()
}

pub(super) fn join(payload: &[u8], picture: &mut BytesMut) -> Option<Fragment> {
    let (&first, mut rest) = payload.split_first()?;
    let mut lowest_layer = true;
    if first & HAS_ID != 0 {
        let long = rest.first()? & 0x80 != 0;
        rest = rest.get(if long { 2 } else { 1 }..)?;
    }
    if first & HAS_LAYERS != 0 {
        lowest_layer = rest.first()? & 0x0e == 0;
        rest = rest.get(if first & FLEXIBLE != 0 { 1 } else { 2 }..)?;
    }
    if first & FLEXIBLE != 0 && first & REFERS != 0 {
        let references = 1 + rest.iter().take(3).position(|reference| reference & 1 == 0)?;
        rest = rest.get(references..)?;
    }
    if first & HAS_STRUCTURE != 0 {
        rest = after_structure(rest)?;
    }
    let starts = first & START != 0 && lowest_layer;
    picture.put_slice(rest);
    Some(Fragment { starts: Some(starts), keyframe: starts && first & REFERS == 0 })
}

/// Skips the scalability structure (RFC 9628 §4.2.1).
fn after_structure(payload: &[u8]) -> Option<&[u8]> {
    let (&first, mut rest) = payload.split_first()?;
    let layers = usize::from(first >> 5) + 1;
    if first & 0x10 != 0 {
        rest = rest.get(4 * layers..)?;
    }
    if first & 0x08 != 0 {
        let (&pictures, after) = rest.split_first()?;
        rest = after;
        for _ in 0..pictures {
            let references = usize::from(rest.first()? >> 2 & 0x03);
            rest = rest.get(1 + references..)?;
        }
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use crate::Codec;

    use super::{super::tests::round_trip, *};

    #[test]
    fn pictures_survive() {
        for size in [1, 1176, 1177, 5000] {
            for keyframe in [true, false] {
                let frame = vec![0x82; size];
                assert_eq!(round_trip(Codec::Vp9, keyframe, frame.clone()), (frame, keyframe));
            }
        }
    }

    #[test]
    fn descriptors_of_browsers_are_read() {
        // A key picture with its structure: one layer of 640×480, one picture in the group.
        let structure = [0x18, 0x02, 0x80, 0x01, 0xe0, 0x01, 0x04, 0x01];
        let payload = [&[0x8e, 0x80, 0x01][..], &structure, &[9, 9]].concat();
        let mut picture = BytesMut::new();
        let fragment = join(&payload, &mut picture);
        assert_eq!(fragment, Some(Fragment { starts: Some(true), keyframe: true }));
        assert_eq!(&picture[..], [9, 9]);
        // Not flexible, with layers: the second spatial layer starts no picture.
        let mut picture = BytesMut::new();
        let fragment = join(&[0xac, 0x80, 0x01, 0x02, 0x00, 7], &mut picture);
        assert_eq!(fragment, Some(Fragment { starts: Some(false), keyframe: false }));
        assert_eq!(&picture[..], [7]);
    }
}
