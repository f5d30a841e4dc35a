//! What an engine is told while its server cannot be reached, so that it need not wait for what does not come.

const HEADER: usize = 20;
const USERNAME: [u8; 2] = [0x00, 0x06];
/// In the second byte of a message: it answers, with an error.
const ERROR: [u8; 2] = [0x01, 0x10];
/// ERROR-CODE, REALM and NONCE (RFC 8489 §14.8 to §14.10).
const UNAUTHENTICATED: &[u8] =
    b"\x00\x09\x00\x04\x00\x00\x04\x01\x00\x14\x00\x04none\x00\x15\x00\x04none";
const SERVER_ERROR: &[u8] = b"\x00\x09\x00\x04\x00\x00\x05\x00";

/// The answer to a request. Whoever asks without credentials is asked for them, as everywhere (RFC 8656 §5): webrtc-rs
/// 0.21 does not hear any other refusal before it has told them. Then it is an error of the server's (500).
pub(super) fn refusal(message: &[u8]) -> Option<Vec<u8>> {
    let header: &[u8; HEADER] = message.first_chunk()?;
    let [kind, class, ..] = *header;
    // Neither ChannelData nor an indication nor an answer.
    if kind & 0b1100_0001 != 0 || class & 0b0001_0000 != 0 {
        return None;
    }
    let reason = if has_username(&message[HEADER..]) { SERVER_ERROR } else { UNAUTHENTICATED };
    let mut refusal = header.to_vec();
    refusal[..4].copy_from_slice(&[kind | ERROR[0], class | ERROR[1], 0, reason.len() as u8]);
    refusal.extend(reason);
    Some(refusal)
}

fn has_username(mut attributes: &[u8]) -> bool {
    while let Some([kind @ .., high, low]) = attributes.first_chunk::<4>() {
        if *kind == USERNAME {
            return true;
        }
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        attributes = attributes.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: [u8; 2], attributes: &[u8]) -> Vec<u8> {
        let mut message = vec![0; 4];
        message[..2].copy_from_slice(&kind);
        message.extend(b"\x21\x12\xa4\x42transaction!");
        message.extend(attributes);
        message
    }

    const ALLOCATE: [u8; 2] = [0x00, 0x03];
    const TRANSPORT: &[u8] = b"\x00\x19\x00\x04\x11\x00\x00\x00";

    #[test]
    fn credentials_are_asked_for_and_then_it_is_the_server() {
        let first = refusal(&request(ALLOCATE, TRANSPORT)).unwrap();
        assert_eq!(first[..4], [0x01, 0x13, 0, 24]);
        assert_eq!(&first[8..20], b"transaction!");
        assert_eq!(&first[20..], UNAUTHENTICATED);
        let with = [TRANSPORT, b"\x00\x06\x00\x01u\x00\x00\x00"].concat();
        let second = refusal(&request(ALLOCATE, &with)).unwrap();
        assert_eq!(second[..4], [0x01, 0x13, 0, 8]);
        assert_eq!(&second[20..], SERVER_ERROR);
    }

    #[test]
    fn only_requests_are_answered() {
        for kind in [[0x00, 0x16], [0x01, 0x03], [0x01, 0x13], [0x40, 0x00]] {
            assert_eq!(refusal(&request(kind, TRANSPORT)), None, "{kind:x?}");
        }
        assert_eq!(refusal(&[0; 19]), None);
    }

    #[test]
    fn attributes_that_end_early_name_nobody() {
        for attributes in [&b""[..], b"\x00", b"\x00\x06", &TRANSPORT[..5], b"\x00\x19\xff\xff"] {
            let refused = refusal(&request(ALLOCATE, attributes)).unwrap();
            assert_eq!(&refused[20..], UNAUTHENTICATED, "{attributes:x?}");
        }
    }
}
