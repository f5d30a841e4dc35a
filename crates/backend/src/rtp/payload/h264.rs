//! H.264 (RFC 6184), packetization mode 1: single units, STAP-A (read only) and FU-A. Frames are Annex B
//! access units.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Fragment, MAX_PAYLOAD, even_parts};

const START_CODE: [u8; 4] = [0, 0, 0, 1];
const TYPE: u8 = 0x1f;
const IDR: u8 = 5;
const SEQUENCE_PARAMETERS: u8 = 7;
const DELIMITER: u8 = 9;
const FILLER: u8 = 12;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const FU_START: u8 = 0x80;
const FU_END: u8 = 0x40;

pub(super) fn split(frame: &Bytes) -> Vec<Bytes> {
    let mut payloads = Vec::new();
    for unit in units(frame) {
        match unit.first().map(|header| header & TYPE) {
            None | Some(DELIMITER | FILLER) => {}
            Some(_) if unit.len() <= MAX_PAYLOAD => payloads.push(unit),
            Some(kind) => {
                let indicator = unit[0] & !TYPE | FU_A;
                let body = unit.slice(1..);
                let count = body.len().div_ceil(MAX_PAYLOAD - 2);
                for (index, part) in even_parts(&body, MAX_PAYLOAD - 2).enumerate() {
                    let start = if index == 0 { FU_START } else { 0 };
                    let end = if index + 1 == count { FU_END } else { 0 };
                    let mut payload = BytesMut::with_capacity(2 + part.len());
                    payload.put_u8(indicator);
                    payload.put_u8(kind | start | end);
                    payload.put(part);
                    payloads.push(payload.freeze());
                }
            }
        }
    }
    payloads
}

/// The units of an access unit, without start codes. Without any start code it is one unit.
fn units(frame: &Bytes) -> Vec<Bytes> {
    let mut units = Vec::new();
    let (mut begin, mut at) = (None, 0);
    while let Some(found) = frame[at..].windows(3).position(|bytes| bytes == [0, 0, 1]) {
        let code = at + found;
        if let Some(begin) = begin {
            units.push(trimmed(frame, begin, code));
        }
        at = code + 3;
        begin = Some(at);
    }
    units.push(trimmed(frame, begin.unwrap_or(0), frame.len()));
    units
}

/// A unit never ends with zeros: those belong to the next start code (H.264 Annex B.1).
fn trimmed(frame: &Bytes, begin: usize, end: usize) -> Bytes {
    let zeros = frame[begin..end].iter().rev().take_while(|byte| **byte == 0).count();
    frame.slice(begin..end - zeros)
}

pub(super) fn join(payload: &[u8], picture: &mut BytesMut) -> Option<Fragment> {
    let header = *payload.first()?;
    match header & TYPE {
        FU_A => {
            let (&fragment, body) = payload.get(1..)?.split_first()?;
            let begins = fragment & FU_START != 0;
            if begins {
                picture.put_slice(&START_CODE);
                picture.put_u8(header & !TYPE | fragment & TYPE);
            }
            picture.put_slice(body);
            let starts = if begins { None } else { Some(false) };
            Some(Fragment { starts, keyframe: fragment & TYPE == IDR })
        }
        STAP_A => {
            let mut rest = &payload[1..];
            let mut joined = Fragment { starts: None, keyframe: false };
            while let [high, low, after @ ..] = rest {
                let size = usize::from(u16::from_be_bytes([*high, *low]));
                let unit = after.get(..size)?;
                put_unit(unit, picture, &mut joined);
                rest = &after[size..];
            }
            Some(joined)
        }
        1..=23 => {
            let mut joined = Fragment { starts: None, keyframe: false };
            put_unit(payload, picture, &mut joined);
            Some(joined)
        }
        _ => None,
    }
}

fn put_unit(unit: &[u8], picture: &mut BytesMut, joined: &mut Fragment) {
    let Some(header) = unit.first() else { return };
    picture.put_slice(&START_CODE);
    picture.put_slice(unit);
    match header & TYPE {
        // Whatever was lost before, a picture that can be decoded alone begins with these.
        SEQUENCE_PARAMETERS => joined.starts = Some(true),
        IDR => joined.keyframe = true,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::Codec;

    use super::{super::Packetiser, *};

    fn access_unit(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|unit| [&START_CODE[..], unit].concat()).collect()
    }

    fn round_trip(frame: Vec<u8>) -> (Vec<u8>, bool) {
        let payloads = Packetiser::default().split(Codec::H264, false, &frame.into());
        let (mut picture, mut keyframe) = (BytesMut::new(), false);
        for payload in payloads {
            assert!(payload.len() <= MAX_PAYLOAD);
            keyframe |= join(&payload, &mut picture).unwrap().keyframe;
        }
        (picture.to_vec(), keyframe)
    }

    #[test]
    fn access_units_survive() {
        let idr = [&[0x65][..], &[0xab; 4000]].concat();
        let key = access_unit(&[&[0x67, 1, 2], &[0x68, 3], &idr]);
        assert_eq!(round_trip(key.clone()), (key, true));
        let slice = [&[0x41][..], &[0xcd; 1500]].concat();
        let delta = access_unit(&[&slice, &[0x41, 9]]);
        assert_eq!(round_trip(delta.clone()), (delta, false));
    }

    #[test]
    fn short_start_codes_and_delimiters_are_understood() {
        let frame = [&[0, 0, 1, 0x09, 0xf0][..], &[0, 0, 1, 0x41, 7]].concat();
        assert_eq!(round_trip(frame), (access_unit(&[&[0x41, 7]]), false));
    }

    #[test]
    fn several_units_in_one_packet_are_read() {
        let mut picture = BytesMut::new();
        let payload =
            [&[STAP_A][..], &[0, 2, 0x67, 1], &[0, 2, 0x68, 2], &[0, 2, 0x65, 3]].concat();
        let fragment = join(&payload, &mut picture);
        assert_eq!(fragment, Some(Fragment { starts: Some(true), keyframe: true }));
        assert_eq!(picture.to_vec(), access_unit(&[&[0x67, 1], &[0x68, 2], &[0x65, 3]]));
        assert_eq!(join(&[STAP_A, 0, 9, 1], &mut BytesMut::new()), None, "longer than it is");
    }
}
