//! The sockets of one connection, and what it is about to send.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    task::{Context, Poll},
};

use str0m::net::Transmit;
use tokio::sync::mpsc;
use tracing::{debug, trace};

use crate::{
    Config,
    addresses::addresses,
    hub::{Datagram, Hub, Membership},
    socket::Socket,
    stun::TransactionId,
};

/// Batches that wait for a full socket; the oldest goes when there are more.
const MAX_BLOCKED: usize = 64;
/// Bytes that one system call may send.
const MAX_BATCH: usize = 60 * 1024;

pub(crate) struct Network {
    sockets: Vec<Arc<Socket>>,
    place: Place,
    batch: Option<Batch>,
    blocked: VecDeque<Batch>,
    bytes_sent: u64,
}

/// Where datagrams come from.
enum Place {
    /// Sockets of the connection's own.
    Own,
    /// Sockets of all connections.
    Shared { membership: Membership, inbox: mpsc::Receiver<Datagram> },
}

/// Datagrams of one size to one address; the last may be shorter.
struct Batch {
    source: SocketAddr,
    destination: SocketAddr,
    contents: Vec<u8>,
    segment: usize,
    count: usize,
}

/// What there is to receive.
pub(crate) enum Received {
    /// This socket can be read.
    Readable(Arc<Socket>),
    /// A datagram came by way of the hub.
    Datagram(Datagram),
    /// Nothing, but what was blocked has left.
    Unblocked,
}

impl Network {
    /// One socket for each local address.
    pub(crate) fn own(config: &Config) -> io::Result<Self> {
        let mut network = Self::new(Place::Own);
        let mut refused = None;
        for address in addresses(config) {
            if let Err(error) = network.bind(address, config) {
                refused = Some(error);
            }
        }
        match refused {
            Some(error) if network.sockets.is_empty() => Err(error),
            _ => Ok(network),
        }
    }

    /// The sockets of a hub.
    pub(crate) fn shared(hub: &Arc<Hub>) -> Self {
        let (membership, inbox) = hub.join();
        let mut network = Self::new(Place::Shared { membership, inbox });
        network.sockets = hub.sockets().to_vec();
        network
    }

    fn new(place: Place) -> Self {
        Self { sockets: Vec::new(), place, batch: None, blocked: VecDeque::new(), bytes_sent: 0 }
    }

    fn bind(&mut self, address: IpAddr, config: &Config) -> io::Result<()> {
        self.sockets.push(Arc::new(Socket::bind(SocketAddr::new(address, 0), config)?));
        Ok(())
    }

    /// Follows the machine to other networks: sockets for addresses that have come since.
    pub(crate) fn refresh(&mut self, config: &Config) {
        if !matches!(self.place, Place::Own) {
            return;
        }
        for address in addresses(config) {
            if !self.locals().any(|local| local.ip() == address)
                && let Err(error) = self.bind(address, config)
            {
                debug!(%error, %address, "no socket for a new address");
            }
        }
    }

    pub(crate) fn locals(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().map(|socket| socket.local())
    }

    /// Takes the checks that are for this ICE user.
    pub(crate) fn listen_as(&self, user: &str) {
        if let Place::Shared { membership, .. } = &self.place {
            membership.listen_as(user);
        }
    }

    /// Sends a datagram whose answer does not come from a peer.
    pub(crate) fn ask(
        &self,
        source: SocketAddr,
        server: SocketAddr,
        transaction: TransactionId,
        request: &[u8],
    ) {
        if let Place::Shared { membership, .. } = &self.place {
            membership.expect(transaction);
        }
        if let Some(socket) = self.socket(source)
            && let Err(error) = socket.try_send(server, request, request.len())
        {
            debug!(%error, %server, "a request was not sent");
        }
    }

    pub(crate) fn bytes_sent(&self) -> u64 {
        self.bytes_sent
    }

    /// Takes a datagram along, and sends what cannot go with it.
    pub(crate) fn push(&mut self, transmit: &Transmit) {
        if !self.batch.as_ref().is_some_and(|batch| self.fits(batch, transmit)) {
            self.flush();
            if let Place::Shared { membership, .. } = &mut self.place {
                membership.sends(transmit.source, transmit.destination);
            }
            self.batch = Some(Batch {
                source: transmit.source,
                destination: transmit.destination,
                contents: Vec::new(),
                segment: transmit.contents.len(),
                count: 0,
            });
        }
        if let Some(batch) = &mut self.batch {
            batch.contents.extend_from_slice(&transmit.contents);
            batch.count += 1;
        }
        self.bytes_sent += transmit.contents.len() as u64;
    }

    fn fits(&self, batch: &Batch, transmit: &Transmit) -> bool {
        let max = self.socket(batch.source).map_or(1, |socket| socket.max_segments());
        (batch.source, batch.destination) == (transmit.source, transmit.destination)
            && batch.count < max
            && batch.contents.len() == batch.segment * batch.count
            && transmit.contents.len() <= batch.segment
            && batch.contents.len() + transmit.contents.len() <= MAX_BATCH
    }

    /// Whether something waits for a full socket.
    pub(crate) fn is_blocked(&self) -> bool {
        !self.blocked.is_empty()
    }

    /// Sends what was taken along.
    pub(crate) fn flush(&mut self) {
        if let Some(batch) = self.batch.take() {
            self.blocked.push_back(batch);
        }
        while let Some(batch) = self.blocked.front() {
            if !self.send(batch) {
                break;
            }
            self.blocked.pop_front();
        }
        if self.blocked.len() > MAX_BLOCKED {
            self.blocked.pop_front();
        }
    }

    /// Whether the batch is gone, sent or not.
    fn send(&self, batch: &Batch) -> bool {
        let Some(socket) = self.socket(batch.source) else {
            trace!(source = %batch.source, "there is no socket of this address any more");
            return true;
        };
        match socket.try_send(batch.destination, &batch.contents, batch.segment) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => {
                trace!(%error, destination = %batch.destination, "datagrams were not sent");
                true
            }
            Ok(()) => true,
        }
    }

    fn socket(&self, local: SocketAddr) -> Option<&Arc<Socket>> {
        self.sockets.iter().find(|socket| socket.local() == local)
    }

    /// Waits until something can be received, or until what was blocked has left. Cancel-safe.
    pub(crate) async fn ready(&mut self) -> Received {
        while let Some(batch) = self.blocked.front() {
            let Some(socket) = self.socket(batch.source).cloned() else {
                self.blocked.pop_front();
                continue;
            };
            tokio::select! {
                received = receive(&self.sockets, &mut self.place) => return received,
                () = socket.writable() => self.flush(),
            }
            if !self.is_blocked() {
                return Received::Unblocked;
            }
        }
        receive(&self.sockets, &mut self.place).await
    }
}

async fn receive(sockets: &[Arc<Socket>], place: &mut Place) -> Received {
    poll_fn(|cx| match place {
        Place::Own => readable(sockets, cx).map(|socket| Received::Readable(socket.clone())),
        Place::Shared { inbox, .. } => match inbox.poll_recv(cx) {
            Poll::Ready(Some(datagram)) => Poll::Ready(Received::Datagram(datagram)),
            _ => Poll::Pending,
        },
    })
    .await
}

fn readable<'a>(sockets: &'a [Arc<Socket>], cx: &mut Context<'_>) -> Poll<&'a Arc<Socket>> {
    let readable = sockets.iter().find(|socket| socket.poll_readable(cx).is_ready());
    readable.map_or(Poll::Pending, Poll::Ready)
}
