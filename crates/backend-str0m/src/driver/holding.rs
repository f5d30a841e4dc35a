//! Data packets that are held back while too much is unread, and how nobody waits for ever because of that.
//!
//! What is held back acknowledges our own messages too. An application that reads on only once there is room for what
//! it sends, such as an echo, would then wait for what waits for it. So when messages of ours are on their way and nothing moves, what
//! was held back until then is let in, up to the [reserve](crate::gate::Gate::has_reserve); the engine may then hold
//! as much of ours as the peer has on its way, so that one turn frees as much as it brings. Should the reserve be used
//! up all the same, the newest packet that only acknowledges is let in alone.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{Driver, receiving::MAX_UNDRAINED};
use crate::path::Path;

/// Bytes that are held back. A peer sends at most 1 MiB beyond what was acknowledged, and repeats the beginning of it.
const MAX_HELD_BACK: usize = 2 * 1024 * 1024;

/// How long nothing moves before what is held back is let in.
const STANDSTILL: Duration = Duration::from_millis(20);

/// A DTLS 1.2 record of AES-GCM with an SCTP packet that has nothing but an acknowledgment without gaps: 13 bytes of
/// header, 24 of nonce and tag (RFC 5288 §3), 12 of SCTP header and 16 of the chunk (RFC 9260 §3.3.4). The smallest
/// packet with data has 4 more.
const ACKNOWLEDGMENT: usize = 13 + 24 + 12 + 16;

#[derive(Default)]
pub(super) struct HeldBack {
    packets: VecDeque<Packet>,
    bytes: usize,
    shut: bool,
    still: Option<Still>,
}

struct Packet {
    path: Path,
    contents: Vec<u8>,
}

/// Since when nothing has moved, and where.
struct Still {
    since: Instant,
    unread: usize,
    outstanding: usize,
}

impl Driver {
    pub(super) fn is_shut(&mut self) -> bool {
        let held = &mut self.held_back;
        if !held.shut && self.shared.gate.must_shut() {
            held.shut = true;
        }
        held.shut
    }

    pub(super) fn hold_back(&mut self, path: Path, contents: &[u8]) {
        self.held_back.push(Packet { path, contents: contents.to_vec() });
    }

    /// Lets in what was held back, once enough was read, or once our own messages wait for it.
    pub(super) fn let_in(&mut self, now: Instant) {
        if !self.held_back.shut {
            return;
        }
        if self.shared.gate.may_open() {
            self.held_back.shut = false;
            while !self.is_shut() && self.let_in_next(now) {}
        } else if self.stands_still(now) {
            self.held_back.still = None;
            self.relieve(now);
        }
        // What our messages wait for takes as much room in the engine as what the peer has on its way.
        self.channels.window.widen(self.held_back.shut);
    }

    /// When to look again whether anything has moved.
    pub(super) fn holding_deadline(&self) -> Option<Instant> {
        self.held_back.still.as_ref().map(|still| still.since + STANDSTILL)
    }

    /// Whether messages of ours are on their way and nothing has moved for a while.
    fn stands_still(&mut self, now: Instant) -> bool {
        let held = &mut self.held_back;
        let unread = self.shared.gate.unread();
        let outstanding = self.channels.window.held();
        if held.packets.is_empty() || outstanding == 0 {
            held.still = None;
            return false;
        }
        match &held.still {
            Some(still) if (still.unread, still.outstanding) == (unread, outstanding) => {
                now >= still.since + STANDSTILL
            }
            _ => {
                held.still = Some(Still { since: now, unread, outstanding });
                false
            }
        }
    }

    fn relieve(&mut self, now: Instant) {
        for _ in 0..self.held_back.packets.len() {
            if !self.shared.gate.has_reserve() {
                if let Some(packet) = self.held_back.take_acknowledgment() {
                    self.give_engine(now, packet.path, &packet.contents);
                }
                return;
            }
            self.let_in_next(now);
        }
    }

    fn let_in_next(&mut self, now: Instant) -> bool {
        let Some(packet) = self.held_back.pop() else { return false };
        self.give_engine(now, packet.path, &packet.contents);
        if self.undrained >= MAX_UNDRAINED {
            self.drain();
        }
        true
    }
}

impl HeldBack {
    fn push(&mut self, packet: Packet) {
        if self.bytes + packet.contents.len() <= MAX_HELD_BACK {
            self.bytes += packet.contents.len();
            self.packets.push_back(packet);
        }
    }

    fn pop(&mut self) -> Option<Packet> {
        self.take(0)
    }

    /// The newest one that has nothing else in it.
    fn take_acknowledgment(&mut self) -> Option<Packet> {
        let is_one = |packet: &Packet| packet.contents.len() <= ACKNOWLEDGMENT;
        let at = self.packets.iter().rposition(is_one)?;
        self.take(at)
    }

    fn take(&mut self, at: usize) -> Option<Packet> {
        let packet = self.packets.remove(at)?;
        self.bytes -= packet.contents.len();
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(len: usize) -> Packet {
        let address = ([127, 0, 0, 1], 1).into();
        Packet { path: Path::udp(address, address), contents: vec![23; len] }
    }

    #[test]
    fn what_is_held_back_is_bounded_and_keeps_its_order() {
        let mut held = HeldBack::default();
        for len in [1200, MAX_HELD_BACK, MAX_HELD_BACK - 1200, 1] {
            held.push(packet(len));
        }
        let lens = [(); 3].map(|()| held.pop().map(|packet| packet.contents.len()));
        assert_eq!(lens, [Some(1200), Some(MAX_HELD_BACK - 1200), None]);
        assert_eq!(held.bytes, 0);
    }

    #[test]
    fn the_newest_acknowledgment_is_found_among_data() {
        let mut held = HeldBack::default();
        for len in [ACKNOWLEDGMENT, ACKNOWLEDGMENT - 8, ACKNOWLEDGMENT + 4, 1200] {
            held.push(packet(len));
        }
        let len = |packet: Option<Packet>| packet.map(|packet| packet.contents.len());
        assert_eq!(len(held.take_acknowledgment()), Some(ACKNOWLEDGMENT - 8));
        assert_eq!(len(held.take_acknowledgment()), Some(ACKNOWLEDGMENT));
        assert_eq!(len(held.take_acknowledgment()), None);
        assert_eq!(held.bytes, ACKNOWLEDGMENT + 4 + 1200);
    }
}
