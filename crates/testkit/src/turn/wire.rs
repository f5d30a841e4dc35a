//! STUN messages (RFC 8489) as a TURN server reads and writes them (RFC 8656): no code of ours or of an engine's is in
//! here, so that no mistake is made twice.

use std::net::{IpAddr, SocketAddr};

use hmac::{Hmac, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER: usize = 20;

pub(super) const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
pub(super) const CHANNEL_NUMBER: u16 = 0x000c;
pub(super) const LIFETIME: u16 = 0x000d;
pub(super) const XOR_PEER_ADDRESS: u16 = 0x0012;
pub(super) const DATA: u16 = 0x0013;
pub(super) const REALM: u16 = 0x0014;
pub(super) const NONCE: u16 = 0x0015;
pub(super) const XOR_RELAYED_ADDRESS: u16 = 0x0016;
pub(super) const REQUESTED_TRANSPORT: u16 = 0x0019;
pub(super) const XOR_MAPPED_ADDRESS: u16 = 0x0020;

pub(super) const BINDING: u16 = 0x001;
pub(super) const ALLOCATE: u16 = 0x003;
pub(super) const REFRESH: u16 = 0x004;
pub(super) const CREATE_PERMISSION: u16 = 0x008;
pub(super) const CHANNEL_BIND: u16 = 0x009;
pub(super) const SEND_INDICATION: u16 = 0x016;
pub(super) const DATA_INDICATION: u16 = 0x017;
pub(super) const SUCCESS: u16 = 0x100;
pub(super) const ERROR: u16 = 0x110;

/// What a password becomes.
pub(super) type Key = [u8; 16];

pub(super) fn key(username: &str, realm: &str, password: &str) -> Key {
    Md5::digest(format!("{username}:{realm}:{password}")).into()
}

/// A message that came.
pub(super) struct Message<'a> {
    bytes: &'a [u8],
    pub(super) kind: u16,
    pub(super) id: [u8; 12],
    attributes: Vec<(u16, &'a [u8])>,
    /// Where the signature's attribute begins.
    signature: Option<usize>,
}

impl<'a> Message<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let header = bytes.get(..HEADER)?;
        let kind = u16::from_be_bytes([header[0], header[1]]);
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if kind & 0xc000 != 0 || header[4..8] != COOKIE || length != bytes.len() - HEADER {
            return None;
        }
        let id = header[8..].try_into().ok()?;
        let mut message = Self { bytes, kind, id, attributes: Vec::new(), signature: None };
        let mut at = HEADER;
        while at < bytes.len() {
            let head = bytes.get(at..at + 4)?;
            let kind = u16::from_be_bytes([head[0], head[1]]);
            let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let value = bytes.get(at + 4..at + 4 + length)?;
            if kind == MESSAGE_INTEGRITY {
                message.signature = Some(at);
            }
            message.attributes.push((kind, value));
            at += 4 + length.next_multiple_of(4);
        }
        Some(message)
    }

    pub(super) fn get(&self, kind: u16) -> Option<&'a [u8]> {
        self.attributes.iter().find(|(one, _)| *one == kind).map(|(_, value)| *value)
    }

    pub(super) fn text(&self, kind: u16) -> Option<&'a str> {
        std::str::from_utf8(self.get(kind)?).ok()
    }

    pub(super) fn number(&self, kind: u16) -> Option<u32> {
        Some(u32::from_be_bytes(self.get(kind)?.try_into().ok()?))
    }

    /// All of this kind.
    pub(super) fn addresses(&self, kind: u16) -> Vec<SocketAddr> {
        let values = self.attributes.iter().filter(|(one, _)| *one == kind);
        values.filter_map(|(_, value)| unmasked(value, &self.id)).collect()
    }

    /// Whether it was signed with this key.
    pub(super) fn is_signed(&self, key: &Key) -> bool {
        let Some(at) = self.signature else { return false };
        let mut signed = self.bytes[..at].to_vec();
        let length = u16::try_from(at + 24 - HEADER).unwrap_or(u16::MAX);
        signed[2..4].copy_from_slice(&length.to_be_bytes());
        self.get(MESSAGE_INTEGRITY) == Some(&signature(key, &signed))
    }
}

/// A message that is written.
pub(super) struct Writing {
    bytes: Vec<u8>,
    id: [u8; 12],
}

impl Writing {
    pub(super) fn new(kind: u16, id: [u8; 12]) -> Self {
        let mut bytes = kind.to_be_bytes().to_vec();
        bytes.extend([0, 0]);
        bytes.extend(COOKIE);
        bytes.extend(id);
        Self { bytes, id }
    }

    pub(super) fn put(mut self, kind: u16, value: &[u8]) -> Self {
        self.bytes.extend(kind.to_be_bytes());
        self.bytes.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        self.bytes.extend(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        let length = u16::try_from(self.bytes.len() - HEADER).unwrap_or(u16::MAX);
        self.bytes[2..4].copy_from_slice(&length.to_be_bytes());
        self
    }

    pub(super) fn address(self, kind: u16, address: SocketAddr) -> Self {
        let value = masked(address, &self.id);
        self.put(kind, &value)
    }

    pub(super) fn error(self, code: u16) -> Self {
        let [class, number] = [(code / 100) as u8, (code % 100) as u8];
        self.put(ERROR_CODE, &[&[0, 0, class, number][..], b"no"].concat())
    }

    pub(super) fn signed(self, key: &Key) -> Vec<u8> {
        let unsigned = self.bytes.len();
        let placed = self.put(MESSAGE_INTEGRITY, &[0; 20]);
        let signature = signature(key, &placed.bytes[..unsigned]);
        let mut bytes = placed.bytes;
        bytes[unsigned + 4..].copy_from_slice(&signature);
        bytes
    }

    pub(super) fn unsigned(self) -> Vec<u8> {
        self.bytes
    }
}

fn signature(key: &Key, message: &[u8]) -> [u8; 20] {
    let mut hash = Hmac::<Sha1>::new_from_slice(key).expect("a key of any length will do");
    hash.update(message);
    hash.finalize().into_bytes().into()
}

fn masked(address: SocketAddr, id: &[u8; 12]) -> Vec<u8> {
    let mask: Vec<u8> = COOKIE.iter().chain(id).copied().collect();
    let octets = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let mut value = vec![0, if address.is_ipv4() { 1 } else { 2 }];
    value.extend(address.port().to_be_bytes().iter().zip(&mask).map(|(byte, mask)| byte ^ mask));
    value.extend(octets.iter().zip(&mask).map(|(byte, mask)| byte ^ mask));
    value
}

fn unmasked(value: &[u8], id: &[u8; 12]) -> Option<SocketAddr> {
    let mask: Vec<u8> = COOKIE.iter().chain(id).copied().collect();
    let unmask = |bytes: &[u8]| -> Vec<u8> {
        bytes.iter().zip(&mask).map(|(byte, mask)| byte ^ mask).collect()
    };
    let port = u16::from_be_bytes(unmask(value.get(2..4)?).try_into().ok()?);
    let octets = unmask(value.get(4..)?);
    let ip = match value.get(1)? {
        1 => IpAddr::from(<[u8; 4]>::try_from(octets).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(octets).ok()?),
    };
    Some(SocketAddr::new(ip, port))
}
