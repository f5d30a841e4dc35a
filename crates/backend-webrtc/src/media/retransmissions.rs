//! Retransmissions (RFC 4588), unpacked where they come in.
//!
//! The engine unpacks them too, but only behind what asks for missing packets, which then never learns
//! that they came and asks again and again: at 5 % of loss most of what a browser sent was retransmitted.

use std::collections::HashMap;

use rtc::interceptor::{Packet, StreamInfo};

use super::passing::Look;

/// The number of the packet that is repeated comes first.
const NUMBER: usize = 2;

#[derive(Default)]
pub(super) struct Retransmissions {
    /// By the number of their source (SSRC).
    repeated: HashMap<u32, Repeated>,
}

/// What a source repeats.
struct Repeated {
    retransmitted_as: u8,
    source: u32,
    payload_type: u8,
}

impl Retransmissions {
    fn unpack(&self, packet: &mut rtc::rtp::Packet) {
        let Some(repeated) = self.repeated.get(&packet.header.ssrc) else {
            return;
        };
        // Without a number it only probes the path.
        let number = packet.payload.first_chunk::<NUMBER>().copied();
        if packet.header.payload_type == repeated.retransmitted_as
            && let Some(number) = number
        {
            packet.header.ssrc = repeated.source;
            packet.header.payload_type = repeated.payload_type;
            packet.header.sequence_number = u16::from_be_bytes(number);
            packet.payload = packet.payload.slice(NUMBER..);
        }
    }
}

impl Look for Retransmissions {
    fn look(&mut self, packet: &mut Packet) {
        if let Packet::Rtp(packet) = packet {
            self.unpack(packet);
        }
    }

    fn source_bound(&mut self, info: &StreamInfo) {
        if let (Some(source), Some(retransmitted_as)) = (info.ssrc_rtx, info.payload_type_rtx) {
            let repeated =
                Repeated { retransmitted_as, source: info.ssrc, payload_type: info.payload_type };
            self.repeated.insert(source, repeated);
        }
    }

    fn source_unbound(&mut self, info: &StreamInfo) {
        self.repeated.retain(|_, repeated| repeated.source != info.ssrc);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ssrc: u32, payload_type: u8, payload: &'static [u8]) -> rtc::rtp::Packet {
        let header = rtc::rtp::Header {
            version: 2,
            ssrc,
            payload_type,
            sequence_number: 7,
            timestamp: 3000,
            marker: true,
            ..rtc::rtp::Header::default()
        };
        rtc::rtp::Packet { header, payload: payload.into() }
    }

    #[test]
    fn a_retransmission_becomes_what_it_repeats() {
        let mut retransmissions = Retransmissions::default();
        let mut info = StreamInfo::default();
        (info.ssrc, info.payload_type) = (1, 96);
        (info.ssrc_rtx, info.payload_type_rtx) = (Some(2), Some(97));
        retransmissions.source_bound(&info);

        let mut repeated = packet(2, 97, &[0x12, 0x34, 9, 8]);
        retransmissions.unpack(&mut repeated);
        let mut original = packet(1, 96, &[9, 8]);
        original.header.sequence_number = 0x1234;
        assert_eq!(repeated, original);

        for (ssrc, payload_type, payload) in
            [(1, 96, &[1, 2, 3][..]), (2, 97, &[1]), (2, 98, &[1, 2, 3]), (3, 97, &[1, 2, 3])]
        {
            let mut other = packet(ssrc, payload_type, payload);
            retransmissions.unpack(&mut other);
            assert_eq!(other, packet(ssrc, payload_type, payload), "{ssrc} {payload_type}");
        }

        retransmissions.source_unbound(&info);
        let mut unknown = packet(2, 97, &[0, 1, 2]);
        retransmissions.unpack(&mut unknown);
        assert_eq!(unknown.header.ssrc, 2);
    }
}
