//! What comes from the network, on its way into the engine.

use std::{collections::VecDeque, net::SocketAddr, time::Instant};

use str0m::{
    Input,
    net::{Protocol, Receive},
};
use tracing::{debug, trace};

use super::Driver;
use crate::network::Received;

/// Datagrams that the engine takes before it is emptied: it acknowledges once for all of them. It refuses
/// more than 30.
const MAX_UNDRAINED: usize = 16;
/// Bytes that are held back while too much is unread. A peer sends at most 1 MiB beyond what was
/// acknowledged, and repeats the beginning of it.
const MAX_HELD_BACK: usize = 2 * 1024 * 1024;

/// Data packets that wait until the application has read what came before.
#[derive(Default)]
pub(super) struct HeldBack {
    packets: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    bytes: usize,
    shut: bool,
}

impl Driver {
    pub(super) fn receive(&mut self, received: Received) {
        let now = Instant::now();
        match received {
            Received::Readable(socket) => {
                let local = socket.local();
                socket.receive(|source, contents| self.take(now, local, source, contents));
            }
            Received::Datagram(datagram) => {
                self.take(now, datagram.local, datagram.source, &datagram.contents);
            }
        }
    }

    fn take(&mut self, now: Instant, local: SocketAddr, source: SocketAddr, contents: &[u8]) {
        self.bytes_received += contents.len() as u64;
        if self.is_server_answer(local, contents) {
            return;
        }
        self.health.heard(now, source);
        if is_data(contents) && self.is_shut() {
            self.held_back.push(local, source, contents);
            return;
        }
        self.give_engine(now, local, source, contents);
    }

    fn is_shut(&mut self) -> bool {
        let held = &mut self.held_back;
        if !held.shut && self.shared.gate.must_shut() {
            held.shut = true;
        }
        held.shut
    }

    /// Lets in what was held back, once enough was read.
    pub(super) fn let_in(&mut self, now: Instant) {
        if !self.held_back.shut || !self.shared.gate.may_open() {
            return;
        }
        self.held_back.shut = false;
        while let Some((local, source, contents)) = self.held_back.pop() {
            self.give_engine(now, local, source, &contents);
            if self.undrained >= MAX_UNDRAINED {
                self.drain();
            }
            if self.is_shut() {
                return;
            }
        }
    }

    fn give_engine(
        &mut self,
        now: Instant,
        local: SocketAddr,
        source: SocketAddr,
        contents: &[u8],
    ) {
        let receive = match Receive::new(Protocol::Udp, source, local, contents) {
            Ok(receive) => receive,
            Err(error) => {
                trace!(%error, %source, "a datagram that is none of ours");
                return;
            }
        };
        if let Err(error) = self.rtc.handle_input(Input::Receive(now, receive)) {
            debug!(%error, %source, "the engine refused a datagram");
        }
        self.undrained += 1;
        if self.undrained >= MAX_UNDRAINED || self.health.is_connecting() {
            self.drain();
        }
    }
}

impl HeldBack {
    fn push(&mut self, local: SocketAddr, source: SocketAddr, contents: &[u8]) {
        if self.bytes + contents.len() <= MAX_HELD_BACK {
            self.bytes += contents.len();
            self.packets.push_back((local, source, contents.to_vec()));
        }
    }

    fn pop(&mut self) -> Option<(SocketAddr, SocketAddr, Vec<u8>)> {
        let packet = self.packets.pop_front()?;
        self.bytes -= packet.2.len();
        Some(packet)
    }
}

/// Whether a datagram belongs to DTLS (RFC 7983 §7), which carries the data channels.
fn is_data(contents: &[u8]) -> bool {
    contents.first().is_some_and(|first| (20..64).contains(first))
}
