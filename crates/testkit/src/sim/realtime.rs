//! What the world needs of a realtime service: the smallest one that can be written, or the real hub.

use std::fmt;

use skapi_rtc_protocol::{ClientFrame, ConnectionId, UserId};
use skapi_rtc_signaling::{Instant, Resumption};

use super::{Delivery, Service};

/// A realtime service, without its sockets.
pub trait Realtime: fmt::Debug {
    /// A user connects by a socket; with a resumption, perhaps again. Without one, it is a client that
    /// cannot be resumed.
    fn connect(
        &mut self,
        now: Instant,
        user: UserId,
        socket: u64,
        resumption: Option<&Resumption>,
    ) -> (ConnectionId, Vec<Delivery>);

    /// A frame has come by this socket; it may get lost in the service, after it was counted.
    fn handle(
        &mut self,
        from: &ConnectionId,
        socket: u64,
        frame: ClientFrame,
        lost: bool,
    ) -> Vec<Delivery>;

    /// A socket is lost.
    fn lose(&mut self, now: Instant, cid: &ConnectionId, socket: u64) -> Vec<Delivery>;

    /// The time is over in which a connection whose socket was lost might have come back.
    fn give_up(&mut self, now: Instant, cid: &ConnectionId, socket: u64) -> Vec<Delivery>;

    /// A client has said goodbye.
    fn disconnect(&mut self, cid: &ConnectionId) -> Vec<Delivery>;

    /// The service loses its memory, as one does that is started again.
    fn restart(&mut self);

    /// How many connections it knows.
    fn connections(&self) -> usize;
}

impl Realtime for Service {
    fn connect(
        &mut self,
        _now: Instant,
        user: UserId,
        socket: u64,
        resumption: Option<&Resumption>,
    ) -> (ConnectionId, Vec<Delivery>) {
        self.connect(user, socket, resumption.unwrap_or(&Resumption::default()))
    }

    fn handle(
        &mut self,
        from: &ConnectionId,
        socket: u64,
        frame: ClientFrame,
        lost: bool,
    ) -> Vec<Delivery> {
        if !self.take(from, socket, &frame) || lost {
            return Vec::new();
        }
        let deliveries = self.handle(from, frame);
        self.noted(deliveries)
    }

    fn lose(&mut self, _now: Instant, cid: &ConnectionId, socket: u64) -> Vec<Delivery> {
        if self.lose(cid, socket) {
            return Vec::new();
        }
        let deliveries = self.give_up(cid, socket);
        self.noted(deliveries)
    }

    fn give_up(&mut self, _now: Instant, cid: &ConnectionId, socket: u64) -> Vec<Delivery> {
        let deliveries = self.give_up(cid, socket);
        self.noted(deliveries)
    }

    fn disconnect(&mut self, cid: &ConnectionId) -> Vec<Delivery> {
        let deliveries = self.disconnect(cid);
        self.noted(deliveries)
    }

    fn restart(&mut self) {
        self.restart();
    }

    fn connections(&self) -> usize {
        self.len()
    }
}
