//! VP8 (RFC 7741 §4).

use bytes::{BufMut, Bytes, BytesMut};

use super::{Fragment, MAX_PAYLOAD, even_parts};

const EXTENDED: u8 = 0x80;
const START_OF_PARTITION: u8 = 0x10;
const PARTITION: u8 = 0x07;

pub(super) fn split(frame: &Bytes) -> Vec<Bytes> {
    let mut descriptor = START_OF_PARTITION;
    even_parts(frame, MAX_PAYLOAD - 1)
        .map(|part| {
            let mut payload = BytesMut::with_capacity(1 + part.len());
            payload.put_u8(descriptor);
            payload.put(part);
            descriptor = 0;
            payload.freeze()
        })
        .collect()
}

pub(super) fn join(payload: &[u8], picture: &mut BytesMut) -> Option<Fragment> {
    let (&first, mut rest) = payload.split_first()?;
    if first & EXTENDED != 0 {
        let (&extension, after) = rest.split_first()?;
        rest = after;
        let (has_id, has_tl0, has_tid_or_key) =
            (extension & 0x80 != 0, extension & 0x40 != 0, extension & 0x30 != 0);
        if has_id {
            let long = rest.first()? & 0x80 != 0;
            rest = rest.get(if long { 2 } else { 1 }..)?;
        }
        rest = rest.get(usize::from(has_tl0) + usize::from(has_tid_or_key)..)?;
    }
    let starts = first & START_OF_PARTITION != 0 && first & PARTITION == 0;
    // The lowest bit of a picture says whether it refers to another one (RFC 6386 §9.1).
    let keyframe = starts && rest.first()? & 1 == 0;
    picture.put_slice(rest);
    Some(Fragment { starts: Some(starts), keyframe })
}

#[cfg(test)]
mod tests {
    use crate::Codec;

    use super::{super::tests::round_trip, *};

    #[test]
    fn pictures_survive() {
        for size in [1, 2, 1179, 1180, 5000] {
            let key = vec![0x10; size];
            assert_eq!(round_trip(Codec::Vp8, true, key.clone()), (key, true));
            let delta = vec![0x11; size];
            assert_eq!(round_trip(Codec::Vp8, false, delta.clone()), (delta, false));
        }
    }

    #[test]
    fn descriptors_of_browsers_are_read() {
        for descriptor in [
            &[0x90, 0x80, 0x05][..],
            &[0x90, 0x80, 0x81, 0x05],
            &[0x90, 0xe0, 0x81, 0x05, 0x07, 0x20],
            &[0x90, 0x10, 0x03],
        ] {
            let mut picture = BytesMut::new();
            let payload = [descriptor, &[0x9c, 1, 2]].concat();
            let fragment = join(&payload, &mut picture);
            assert_eq!(fragment, Some(Fragment { starts: Some(true), keyframe: true }));
            assert_eq!(&picture[..], [0x9c, 1, 2]);
        }
        assert_eq!(join(&[0x90, 0x80], &mut BytesMut::new()), None, "cut off");
    }
}
