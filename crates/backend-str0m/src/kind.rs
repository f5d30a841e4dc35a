//! What a datagram between peers is, by its first byte (RFC 7983 §7).

/// Whether it belongs to STUN, as connectivity checks do.
pub(crate) fn is_check(datagram: &[u8]) -> bool {
    first(datagram).is_some_and(|first| first < 4)
}

/// Whether it belongs to DTLS, which carries the data channels.
pub(crate) fn is_data(datagram: &[u8]) -> bool {
    first(datagram).is_some_and(|first| (20..64).contains(&first))
}

/// Whether it is RTP or RTCP.
pub(crate) fn is_media(datagram: &[u8]) -> bool {
    first(datagram).is_some_and(|first| (128..192).contains(&first))
}

/// Whether it is encrypted, and so for a peer that was chosen.
pub(crate) fn is_encrypted(datagram: &[u8]) -> bool {
    is_data(datagram) || is_media(datagram)
}

fn first(datagram: &[u8]) -> Option<u8> {
    datagram.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_tells() {
        for (byte, check, data, media) in [
            (0, true, false, false),
            (3, true, false, false),
            (16, false, false, false),
            (20, false, true, false),
            (63, false, true, false),
            (64, false, false, false),
            (128, false, false, true),
            (191, false, false, true),
            (192, false, false, false),
        ] {
            let datagram = [byte, 0, 0, 0];
            let told = (is_check(&datagram), is_data(&datagram), is_media(&datagram));
            assert_eq!(told, (check, data, media), "{byte}");
            assert_eq!(is_encrypted(&datagram), data || media, "{byte}");
        }
        assert!(!is_check(&[]) && !is_encrypted(&[]));
    }
}
