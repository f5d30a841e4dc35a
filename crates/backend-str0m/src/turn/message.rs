//! Messages between us and a TURN server (RFC 8656 §12, §17 and §18).

use std::net::{IpAddr, SocketAddr};

use str0m::ice::StunMessage;

use crate::stun::{MAGIC, TransactionId};

const HEADER: usize = 20;
const CHANNEL_HEADER: usize = 4;

/// Bytes of HMAC-SHA1.
const SIGNATURE: usize = 20;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const CHANNEL_NUMBER: u16 = 0x000c;
const LIFETIME: u16 = 0x000d;
const XOR_PEER_ADDRESS: u16 = 0x0012;
const DATA: u16 = 0x0013;
const REALM: u16 = 0x0014;
const NONCE: u16 = 0x0015;
const REQUESTED_TRANSPORT: u16 = 0x0019;

const SEND_INDICATION: u16 = 0x0016;
const DATA_INDICATION: u16 = 0x0017;
const SUCCESS: u16 = 0x0100;
const ERROR: u16 = 0x0110;

/// UDP in an IP header.
const UDP: u8 = 17;

/// What can be asked of a server; the numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Allocate = 0x003,
    Refresh = 0x004,
    CreatePermission = 0x008,
    ChannelBind = 0x009,
}

/// A request that is being written.
pub(super) struct Request(Vec<u8>);

impl Request {
    pub(super) fn new(method: Method, transaction: TransactionId) -> Self {
        let mut message = Vec::with_capacity(256);
        write_header(&mut message, method as u16, transaction);
        Self(message)
    }

    /// Asks for an address for UDP.
    pub(super) fn transport(self) -> Self {
        self.attribute(REQUESTED_TRANSPORT, &[UDP, 0, 0, 0])
    }

    /// In seconds.
    pub(super) fn lifetime(self, seconds: u32) -> Self {
        self.attribute(LIFETIME, &seconds.to_be_bytes())
    }

    pub(super) fn peer(mut self, peer: SocketAddr) -> Self {
        write_peer(&mut self.0, peer);
        self
    }

    pub(super) fn channel(self, number: u16) -> Self {
        let [high, low] = number.to_be_bytes();
        self.attribute(CHANNEL_NUMBER, &[high, low, 0, 0])
    }

    /// Says who asks, and signs that with what `sign` makes of the message.
    pub(super) fn signed(
        self,
        username: &str,
        realm: &str,
        nonce: &str,
        sign: impl FnOnce(&[u8]) -> [u8; SIGNATURE],
    ) -> Vec<u8> {
        let mut message = self
            .attribute(USERNAME, username.as_bytes())
            .attribute(REALM, realm.as_bytes())
            .attribute(NONCE, nonce.as_bytes())
            .0;
        // The length counts the signature before it is there (RFC 8489 §14.5).
        write_length(&mut message, 4 + SIGNATURE);
        let signature = sign(&message);
        Self(message).attribute(MESSAGE_INTEGRITY, &signature).unsigned()
    }

    pub(super) fn unsigned(mut self) -> Vec<u8> {
        write_length(&mut self.0, 0);
        self.0
    }

    fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        write_attribute(&mut self.0, kind, value);
        self
    }
}

/// Wraps a datagram for a peer that has no channel; nothing if it is too long.
pub(super) fn write_indication(
    message: &mut Vec<u8>,
    transaction: TransactionId,
    peer: SocketAddr,
    contents: &[u8],
) -> Option<()> {
    u16::try_from(contents.len() + 64).ok()?;
    message.clear();
    write_header(message, SEND_INDICATION, transaction);
    write_peer(message, peer);
    write_attribute(message, DATA, contents);
    write_length(message, 0);
    Some(())
}

/// Wraps a datagram for the peer of a channel; nothing if it is too long.
pub(super) fn write_channel_data(
    message: &mut Vec<u8>,
    number: u16,
    contents: &[u8],
) -> Option<()> {
    let length = u16::try_from(contents.len()).ok()?;
    message.clear();
    message.extend(number.to_be_bytes());
    message.extend(length.to_be_bytes());
    message.extend_from_slice(contents);
    Some(())
}

fn write_header(message: &mut Vec<u8>, kind: u16, transaction: TransactionId) {
    message.extend(kind.to_be_bytes());
    message.extend([0, 0]);
    message.extend(MAGIC);
    message.extend(transaction);
}

/// Writes the length of a message to which so many bytes come.
fn write_length(message: &mut [u8], to_come: usize) {
    let length = u16::try_from(message.len() - HEADER + to_come).unwrap_or(u16::MAX);
    message[2..4].copy_from_slice(&length.to_be_bytes());
}

fn write_attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(kind.to_be_bytes());
    message.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
    message.extend_from_slice(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

/// A peer's address, masked by what the message begins with (RFC 8489 §14.2).
fn write_peer(message: &mut Vec<u8>, peer: SocketAddr) {
    let mut value = vec![0, if peer.is_ipv4() { 1 } else { 2 }];
    let port = peer.port() ^ u16::from_be_bytes([MAGIC[0], MAGIC[1]]);
    value.extend(port.to_be_bytes());
    let mask = &message[4..HEADER];
    match peer.ip() {
        IpAddr::V4(ip) => value.extend(ip.octets().iter().zip(mask).map(|(octet, m)| octet ^ m)),
        IpAddr::V6(ip) => value.extend(ip.octets().iter().zip(mask).map(|(octet, m)| octet ^ m)),
    }
    write_attribute(message, XOR_PEER_ADDRESS, &value);
}

/// What a server says.
pub(super) enum Incoming<'a> {
    Answer(Box<Answer<'a>>),
    /// A datagram from a peer that has no channel.
    Indication {
        peer: SocketAddr,
        contents: &'a [u8],
    },
    /// A datagram from the peer of a channel.
    Channel {
        number: u16,
        contents: &'a [u8],
    },
}

/// The answer to a request.
pub(super) struct Answer<'a> {
    /// Of the request.
    pub(super) method: u16,
    pub(super) transaction: TransactionId,
    /// The code of an error; none for a success.
    pub(super) error: Option<u16>,
    pub(super) message: StunMessage<'a>,
}

impl<'a> Incoming<'a> {
    pub(super) fn read(contents: &'a [u8]) -> Option<Self> {
        let kind = u16::from_be_bytes(contents.get(..2)?.try_into().ok()?);
        if (0x4000..0x5000).contains(&kind) {
            let length = usize::from(u16::from_be_bytes(contents.get(2..4)?.try_into().ok()?));
            let contents = contents.get(CHANNEL_HEADER..CHANNEL_HEADER + length)?;
            return Some(Self::Channel { number: kind, contents });
        }
        // The engine's reader indexes a header that has to be there.
        let transaction = contents.get(8..HEADER)?.try_into().ok()?;
        let message = StunMessage::parse(contents).ok()?;
        if kind == DATA_INDICATION {
            let (peer, contents) = (message.xor_peer_address()?, message.data()?);
            return Some(Self::Indication { peer, contents });
        }
        let error = match kind & ERROR {
            SUCCESS => None,
            ERROR => Some(message.error_code()?.0),
            _ => return None,
        };
        let answer = Answer { method: kind & !ERROR, transaction, error, message };
        Some(Self::Answer(Box::new(answer)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: TransactionId =
        [0x78, 0xad, 0x34, 0x33, 0xc6, 0xad, 0x72, 0xc0, 0x29, 0xda, 0x41, 0x2e];

    /// RFC 5769 §2.4, whose user name and password are what they are after SASLprep.
    #[test]
    fn a_request_is_signed_as_in_the_specification() {
        let sample: [u8; 116] = [
            0x00, 0x01, 0x00, 0x60, 0x21, 0x12, 0xa4, 0x42, 0x78, 0xad, 0x34, 0x33, 0xc6, 0xad,
            0x72, 0xc0, 0x29, 0xda, 0x41, 0x2e, 0x00, 0x06, 0x00, 0x12, 0xe3, 0x83, 0x9e, 0xe3,
            0x83, 0x88, 0xe3, 0x83, 0xaa, 0xe3, 0x83, 0x83, 0xe3, 0x82, 0xaf, 0xe3, 0x82, 0xb9,
            0x00, 0x00, 0x00, 0x15, 0x00, 0x1c, 0x66, 0x2f, 0x2f, 0x34, 0x39, 0x39, 0x6b, 0x39,
            0x35, 0x34, 0x64, 0x36, 0x4f, 0x4c, 0x33, 0x34, 0x6f, 0x4c, 0x39, 0x46, 0x53, 0x54,
            0x76, 0x79, 0x36, 0x34, 0x73, 0x41, 0x00, 0x14, 0x00, 0x0b, 0x65, 0x78, 0x61, 0x6d,
            0x70, 0x6c, 0x65, 0x2e, 0x6f, 0x72, 0x67, 0x00, 0x00, 0x08, 0x00, 0x14, 0xf6, 0x70,
            0x24, 0x65, 0x6d, 0xd6, 0x4a, 0x3e, 0x02, 0xb8, 0xe0, 0x71, 0x2e, 0x85, 0xc9, 0xa2,
            0x8c, 0xa8, 0x96, 0x66,
        ];
        let mut message = Vec::new();
        write_header(&mut message, 0x0001, ID);
        write_attribute(&mut message, USERNAME, "マトリックス".as_bytes());
        write_attribute(&mut message, NONCE, b"f//499k954d6OL34oL9FSTvy64sA");
        write_attribute(&mut message, REALM, b"example.org");
        write_length(&mut message, 4 + SIGNATURE);
        assert_eq!(message, sample[..sample.len() - 4 - SIGNATURE]);
        let key = super::super::access::key("マトリックス", "example.org", "TheMatrIX");
        let signature = super::super::access::sign(&key, &[&message]);
        assert_eq!(signature, sample[sample.len() - SIGNATURE..]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        for peer in ["192.0.2.7:4321", "[2001:db8::7]:4321"] {
            let peer = peer.parse().unwrap();
            let mut message = Vec::new();
            for length in 0..9 {
                let contents = &[20, 1, 2, 3, 4, 5, 6, 7, 8][..length];
                write_indication(&mut message, ID, peer, contents).unwrap();
                message[1] = DATA_INDICATION as u8;
                let Some(Incoming::Indication { peer: from, contents: read }) =
                    Incoming::read(&message)
                else {
                    panic!("{message:?}");
                };
                assert_eq!((from, read), (peer, contents));
            }
        }
        let mut message = Vec::new();
        write_channel_data(&mut message, 0x4001, b"abc").unwrap();
        for padding in 0..4 {
            message.resize(7 + padding, 0);
            let Some(Incoming::Channel { number, contents }) = Incoming::read(&message) else {
                panic!("{message:?}");
            };
            assert_eq!((number, contents), (0x4001, &b"abc"[..]));
        }
    }

    #[test]
    fn what_is_cut_off_or_too_long_is_refused() {
        let peer = "192.0.2.7:4321".parse().unwrap();
        let mut message = Vec::new();
        write_indication(&mut message, ID, peer, b"abcd").unwrap();
        message[1] = DATA_INDICATION as u8;
        for length in 0..message.len() {
            assert!(Incoming::read(&message[..length]).is_none(), "{length} bytes");
        }
        write_channel_data(&mut message, 0x4001, b"abc").unwrap();
        for length in 0..message.len() {
            assert!(Incoming::read(&message[..length]).is_none(), "{length} bytes");
        }
        let long = vec![0; 65_536];
        assert!(write_channel_data(&mut message, 0x4001, &long).is_none());
        assert!(write_indication(&mut message, ID, peer, &long).is_none());
    }
}
