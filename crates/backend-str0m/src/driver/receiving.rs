//! What comes from the network, on its way into the engine.

use std::time::Instant;

use str0m::{Input, net::Receive};
use tracing::{debug, trace};

use super::Driver;
use crate::{
    convert,
    kind::{is_data, is_media},
    network::Received,
    path::Path,
    stream::ACTIVE_PORT,
};

/// Datagrams that the engine takes before it is emptied: it acknowledges once for all of them. It refuses
/// more than 30.
pub(super) const MAX_UNDRAINED: usize = 16;
impl Driver {
    pub(super) fn receive(&mut self, received: Received) {
        let now = Instant::now();
        match received {
            Received::Readable(socket) => {
                let local = socket.local();
                socket
                    .receive(|source, contents| self.take(now, Path::udp(local, source), contents));
            }
            Received::Datagram(datagram) => {
                self.take(now, datagram.path, &datagram.contents);
            }
            Received::End(path) => self.stream_ended(path),
            Received::Unblocked => {}
        }
    }

    /// Whoever comes again comes from another address. The one of before is forgotten, or the engine would wait for an
    /// answer from there.
    fn stream_ended(&mut self, path: Path) {
        if path.local.port() != ACTIVE_PORT {
            let gone = convert::tcp_dialer(path.remote);
            self.rtc.direct_api().invalidate_candidate(&gone);
        }
    }

    fn take(&mut self, now: Instant, path: Path, contents: &[u8]) {
        self.bytes_received += contents.len() as u64;
        if self.relays.is_path(path) {
            // Nothing that comes to such a socket is a peer's, but for what the server says is.
            match self.relays.unwrap(now, path, contents) {
                Some((path, contents)) => self.hear_peer(now, path, contents),
                None => {
                    self.serve_relays(now);
                }
            }
        } else if !self.is_server_answer(path, contents) {
            self.hear_peer(now, path, contents);
        }
    }

    fn hear_peer(&mut self, now: Instant, path: Path, contents: &[u8]) {
        self.health.heard(now, path.remote);
        self.clock.catch_up.heard(now);
        self.time_answer(now, path, contents);
        if is_data(contents) && self.is_shut() {
            self.hold_back(path, contents);
            return;
        }
        self.give_engine(now, path, contents);
    }

    pub(super) fn give_engine(&mut self, now: Instant, path: Path, contents: &[u8]) {
        let source = path.remote;
        let receive = match Receive::new(path.protocol, source, path.local, contents) {
            Ok(receive) => receive,
            Err(error) => {
                trace!(%error, %source, "a datagram that is none of ours");
                return;
            }
        };
        let now = self.clock.of_engine(now);
        if let Err(error) = self.rtc.handle_input(Input::Receive(now, receive)) {
            debug!(%error, %source, "the engine refused a datagram");
        }
        self.undrained += 1;
        // The engine has room for one packet of media.
        if self.undrained >= MAX_UNDRAINED || is_media(contents) || self.health.is_connecting() {
            self.drain();
        }
    }
}
