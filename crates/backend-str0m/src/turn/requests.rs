//! Requests that wait for an answer, and are repeated until there is one (RFC 8489 §6.2.1).

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use super::{
    access::Access,
    message::{Answer, Method, Request},
};
use crate::stun::{TransactionId, WAITS};

/// What is asked of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// An address that relays.
    Allocate,
    /// That it stays.
    Refresh,
    /// That it goes.
    Release,
    /// That datagrams to and from there are let through.
    Permit(IpAddr),
    /// That a channel stands for a peer.
    Bind(SocketAddr, u16),
}

/// There is at most one for each thing that can be wished for, so what bounds those bounds these.
pub(super) struct Requests {
    random: fastrand::Rng,
    pending: Vec<Pending>,
}

/// A request on its way.
pub(super) struct Pending {
    pub(super) wish: Wish,
    /// How often the server has turned it away because of its credentials.
    pub(super) turned_away: usize,
    transaction: TransactionId,
    message: Vec<u8>,
    sent: usize,
    due: Instant,
}

impl Requests {
    pub(super) fn new(random: fastrand::Rng) -> Self {
        Self { random, pending: Vec::new() }
    }

    /// Adds a request, which is to be sent now.
    pub(super) fn add(
        &mut self,
        now: Instant,
        wish: Wish,
        turned_away: usize,
        access: &Access,
    ) -> Vec<u8> {
        let transaction = self.transaction();
        let message = access.sign(request(wish, transaction));
        let (sent, due) = (1, now + WAITS[0]);
        let pending =
            Pending { wish, turned_away, transaction, message: message.clone(), sent, due };
        self.pending.push(pending);
        message
    }

    pub(super) fn transaction(&mut self) -> TransactionId {
        std::array::from_fn(|_| self.random.u8(..))
    }

    /// Gives what is to be sent again to `send`, and back what was never answered.
    pub(super) fn repeat(&mut self, now: Instant, mut send: impl FnMut(Vec<u8>)) -> Vec<Wish> {
        let mut given_up = Vec::new();
        self.pending.retain_mut(|pending| {
            if pending.due > now {
                return true;
            }
            let Some(wait) = WAITS.get(pending.sent) else {
                given_up.push(pending.wish);
                return false;
            };
            pending.sent += 1;
            pending.due = now + *wait;
            send(pending.message.clone());
            true
        });
        given_up
    }

    /// Where the request of an answer is.
    pub(super) fn find(&self, answer: &Answer<'_>) -> Option<usize> {
        self.pending.iter().position(|pending| {
            pending.transaction == answer.transaction
                && method(pending.wish) as u16 == answer.method
        })
    }

    pub(super) fn remove(&mut self, index: usize) -> Pending {
        self.pending.swap_remove(index)
    }

    pub(super) fn has(&self, wish: Wish) -> bool {
        self.pending.iter().any(|pending| pending.wish == wish)
    }

    pub(super) fn clear(&mut self) {
        self.pending.clear();
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.pending.iter().map(|pending| pending.due).min()
    }
}

/// How a wish is written.
pub(super) fn request(wish: Wish, transaction: TransactionId) -> Request {
    let request = Request::new(method(wish), transaction);
    match wish {
        Wish::Allocate => request.transport(),
        // For as long as the server likes.
        Wish::Refresh => request,
        Wish::Release => request.lifetime(0),
        Wish::Permit(ip) => request.peer(SocketAddr::new(ip, 0)),
        Wish::Bind(peer, number) => request.channel(number).peer(peer),
    }
}

fn method(wish: Wish) -> Method {
    match wish {
        Wish::Allocate => Method::Allocate,
        Wish::Refresh | Wish::Release => Method::Refresh,
        Wish::Permit(_) => Method::CreatePermission,
        Wish::Bind(..) => Method::ChannelBind,
    }
}
