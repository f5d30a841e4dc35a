//! The STUN messages that the driver reads and writes by itself (RFC 8489): a binding request, and the address in its
//! answer.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use str0m::ice::StunMessage;

/// How long after each other a server is asked again, and after the last time given up.
pub(crate) const WAITS: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_millis(1000),
    Duration::from_millis(2000),
];

pub(crate) const MAGIC: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER: usize = 20;
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const MAPPED_ADDRESS: u16 = 0x0001;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;

/// What tells which request an answer belongs to.
pub(crate) type TransactionId = [u8; 12];

/// A binding request without attributes.
pub(crate) fn request(id: TransactionId) -> [u8; HEADER] {
    let mut message = [0; HEADER];
    message[..2].copy_from_slice(&BINDING_REQUEST);
    message[4..8].copy_from_slice(&MAGIC);
    message[8..].copy_from_slice(&id);
    message
}

/// The transaction of a binding request.
pub(crate) fn requested(message: &[u8]) -> Option<TransactionId> {
    transaction(message, BINDING_REQUEST)
}

/// The transaction of an answer to a binding request that was granted.
pub(crate) fn answered(message: &[u8]) -> Option<TransactionId> {
    transaction(message, BINDING_SUCCESS)
}

/// The ICE user whom a connectivity check is for (RFC 8445 §7.2.2).
pub(crate) fn checked_user(message: &[u8]) -> Option<String> {
    let message = StunMessage::parse(message).ok()?;
    message.split_username().map(|(user, _)| user.to_owned())
}

fn transaction(message: &[u8], kind: [u8; 2]) -> Option<TransactionId> {
    let header = message.get(..HEADER)?;
    if header[..2] != kind || header[4..8] != MAGIC {
        return None;
    }
    header[8..].try_into().ok()
}

/// The transaction of an answer to a binding request, and the address that the server saw.
pub(crate) fn answer(message: &[u8]) -> Option<(TransactionId, SocketAddr)> {
    let id = answered(message)?;
    let header = &message[..HEADER];
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let mut attributes = message.get(HEADER..HEADER + length)?;
    let mut plain = None;
    while let [a, b, c, d, rest @ ..] = attributes {
        let length = usize::from(u16::from_be_bytes([*c, *d]));
        let value = rest.get(..length)?;
        match u16::from_be_bytes([*a, *b]) {
            XOR_MAPPED_ADDRESS => return Some((id, address(value, Some(&id))?)),
            MAPPED_ADDRESS => plain = address(value, None),
            _ => {}
        }
        attributes = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some((id, plain?))
}

/// Reads an address, which with a transaction id is masked by it (RFC 8489 §14.2).
fn address(value: &[u8], mask: Option<&TransactionId>) -> Option<SocketAddr> {
    let [_, family, port @ .., _, _, _, _] = value else { return None };
    let mut port = u16::from_be_bytes(port.get(..2)?.try_into().ok()?);
    let mut octets = [0; 16];
    let ip = value.get(4..)?;
    octets.get_mut(..ip.len())?.copy_from_slice(ip);
    if let Some(id) = mask {
        port ^= u16::from_be_bytes([MAGIC[0], MAGIC[1]]);
        let mask = MAGIC.iter().chain(id);
        octets.iter_mut().zip(mask).for_each(|(octet, mask)| *octet ^= mask);
    }
    let ip = match (family, ip.len()) {
        (1, 4) => IpAddr::V4(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3])),
        (2, 16) => IpAddr::V6(Ipv6Addr::from(octets)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5769 §2.2 and §2.3, without the attributes that come behind the address.
    const SAMPLE_ID: TransactionId =
        [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

    fn response(attributes: &[u8]) -> Vec<u8> {
        let mut message = vec![0x01, 0x01, 0, attributes.len() as u8];
        message.extend(MAGIC);
        message.extend(SAMPLE_ID);
        message.extend(attributes);
        message
    }

    #[test]
    fn the_masked_address_is_read() {
        let software = [0x80, 0x22, 0, 3, b'a', b'b', b'c', 0];
        let v4 = [0x00, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
        let message = response(&[&software[..], &v4].concat());
        assert_eq!(answer(&message), Some((SAMPLE_ID, "192.0.2.1:32853".parse().unwrap())));
        let v6 = [
            0x00, 0x20, 0, 20, 0, 2, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79,
            0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9,
        ];
        let expected = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
        assert_eq!(answer(&response(&v6)), Some((SAMPLE_ID, expected)));
    }

    #[test]
    fn what_is_no_answer_or_is_cut_off_is_refused() {
        let v4 = [0x00, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
        let whole = response(&v4);
        assert!(answer(&whole).is_some());
        for length in 0..whole.len() {
            assert_eq!(answer(&whole[..length]), None, "{length} bytes");
        }
        assert_eq!(answer(&request(SAMPLE_ID)), None);
        assert_eq!(answer(&response(&[])), None);
        assert_eq!(
            answer(&response(&[0, 0x20, 0, 4, 0, 1, 0, 0])),
            None,
            "a port without an address"
        );
    }
}
