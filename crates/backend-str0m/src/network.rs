//! The sockets of one connection, and what it is about to send.

use std::{
    collections::VecDeque,
    future::{pending, poll_fn},
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::sync::{Notify, mpsc};
use tracing::{debug, trace, warn};

use crate::{
    Config, IceTcp,
    addresses::addresses,
    hub::{Arrival, Datagram, Hub, Membership},
    path::Path,
    socket::Socket,
    stream::{Listener, Streams, is_stream},
    stun::TransactionId,
};

/// Batches that wait for a full socket; the oldest goes when there are more.
const MAX_BLOCKED: usize = 64;
/// Bytes that one system call may send.
const MAX_BATCH: usize = 60 * 1024;

pub(crate) struct Network {
    sockets: Vec<Arc<Socket>>,
    /// Sockets that know nobody but a TURN server.
    relays: Vec<Arc<Socket>>,
    place: Place,
    /// Made when the first is needed: most connections have none.
    streams: Option<Box<Streams>>,
    /// After so long without an answer a stream is given up.
    patience: Duration,
    /// The path that carries what is encrypted.
    carrying: Option<Path>,
    /// Somebody was told that something is blocked.
    blocked_told: bool,
    batch: Option<Batch>,
    blocked: VecDeque<Batch>,
    bytes_sent: u64,
}

/// Where datagrams come from.
enum Place {
    /// TURN servers alone.
    Relays,
    /// Sockets of the connection's own.
    Own { listeners: Vec<Listener> },
    /// Sockets of all connections.
    Shared { membership: Membership, inbox: mpsc::Receiver<Arrival> },
}

/// Datagrams of one size to one address; the last may be shorter.
struct Batch {
    path: Path,
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
    /// The stream of this path has ended.
    End(Path),
    /// Nothing, but what was blocked has left.
    Unblocked,
}

/// Where there is something to receive.
enum Next {
    Readable(Arc<Socket>),
    Arrived(Arrival),
}

impl Network {
    /// One socket for each local address.
    pub(crate) fn own(config: &Config) -> io::Result<Self> {
        let mut network = Self::new(Place::Own { listeners: Vec::new() }, config);
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
    pub(crate) fn shared(hub: &Arc<Hub>, config: &Config) -> Self {
        let (membership, inbox) = hub.join();
        let mut network = Self::new(Place::Shared { membership, inbox }, config);
        network.sockets = hub.sockets().to_vec();
        network
    }

    /// No sockets but those to TURN servers.
    pub(crate) fn relayed(config: &Config) -> Self {
        Self::new(Place::Relays, config)
    }

    fn new(place: Place, config: &Config) -> Self {
        Self {
            sockets: Vec::new(),
            relays: Vec::new(),
            place,
            streams: None,
            patience: config.disconnected_after,
            carrying: None,
            blocked_told: false,
            batch: None,
            blocked: VecDeque::new(),
            bytes_sent: 0,
        }
    }

    fn bind(&mut self, address: IpAddr, config: &Config) -> io::Result<()> {
        let address = SocketAddr::new(address, 0);
        self.sockets.push(Arc::new(Socket::bind(address, config)?));
        if let Place::Own { listeners } = &mut self.place
            && config.ice_tcp == IceTcp::Listen
        {
            let streams = streams(&mut self.streams, self.patience);
            match streams.listen(address) {
                Ok(listener) => listeners.push(listener),
                Err(error) => warn!(%error, %address, "this address is not listened on over TCP"),
            }
        }
        Ok(())
    }

    /// Follows the machine to other networks: sockets for addresses that have come since.
    pub(crate) fn refresh(&mut self, config: &Config) {
        if !matches!(self.place, Place::Own { .. }) {
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

    /// Adds a socket for a TURN server; gives its address.
    pub(crate) fn add_relay(&mut self, address: IpAddr, config: &Config) -> io::Result<SocketAddr> {
        let socket = Socket::bind(SocketAddr::new(address, 0), config)?;
        let local = socket.local();
        self.relays.push(Arc::new(socket));
        Ok(local)
    }

    /// Closes a socket for a TURN server. What still waits for it is dropped.
    pub(crate) fn remove_relay(&mut self, local: SocketAddr) {
        self.relays.retain(|socket| socket.local() != local);
    }

    /// The addresses at which peers reach us without a server.
    pub(crate) fn locals(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().map(|socket| socket.local())
    }

    /// The addresses to which peers can connect over TCP.
    pub(crate) fn listeners(&self) -> Vec<SocketAddr> {
        match &self.place {
            Place::Relays => Vec::new(),
            Place::Own { listeners } => listeners.iter().map(Listener::local).collect(),
            Place::Shared { membership, .. } => membership.hub().listeners().collect(),
        }
    }

    /// Takes the checks that are for this ICE user.
    pub(crate) fn listen_as(&self, user: &str) {
        match &self.place {
            Place::Relays => {}
            Place::Own { .. } => {
                if let Some(streams) = &self.streams {
                    streams.listen_as(user);
                }
            }
            Place::Shared { membership, .. } => membership.listen_as(user),
        }
    }

    /// Sends a datagram whose answer does not come from a peer.
    pub(crate) fn ask(&mut self, path: Path, transaction: TransactionId, request: &[u8]) {
        if let Place::Shared { membership, .. } = &self.place {
            membership.expect(transaction);
        }
        self.send_at_once(path, request);
    }

    /// Sends a message to a server, before what was taken along.
    pub(crate) fn send_at_once(&mut self, path: Path, message: &[u8]) {
        let (contents, segment) = (message.to_vec(), message.len());
        let batch = Batch { path, contents, segment, count: 1 };
        // A socket that is new is not known to be writable yet.
        if !self.send(&batch) {
            self.block(batch);
        }
    }

    pub(crate) fn bytes_sent(&self) -> u64 {
        self.bytes_sent
    }

    /// Takes a datagram along, and sends what cannot go with it.
    pub(crate) fn push(&mut self, path: Path, contents: &[u8]) {
        let length = contents.len();
        if is_stream(path) {
            if streams(&mut self.streams, self.patience).send(path, contents) {
                self.bytes_sent += length as u64;
            }
            return;
        }
        let fits = |batch: &Batch| self.fits(batch, path, length);
        if !self.batch.as_ref().is_some_and(fits) {
            self.flush();
            if let Place::Shared { membership, .. } = &mut self.place
                && !self.relays.iter().any(|socket| socket.local() == path.local)
            {
                membership.sends(path.local, path.remote);
            }
            let contents = Vec::new();
            self.batch = Some(Batch { path, contents, segment: length, count: 0 });
        }
        if let Some(batch) = &mut self.batch {
            batch.contents.extend_from_slice(contents);
            batch.count += 1;
        }
        self.bytes_sent += length as u64;
    }

    fn fits(&self, batch: &Batch, path: Path, length: usize) -> bool {
        let max = self.socket(batch.path.local).map_or(1, |socket| socket.max_segments());
        batch.path == path
            && batch.count < max
            && batch.contents.len() == batch.segment * batch.count
            && length <= batch.segment
            && batch.contents.len() + length <= MAX_BATCH
    }

    /// Whether something waits for a full socket, or much for a stream. Whoever was told so hears of it when that is
    /// over: [`Received::Unblocked`].
    pub(crate) fn is_blocked(&mut self) -> bool {
        self.blocked_told = self.are_blocked();
        self.blocked_told
    }

    fn are_blocked(&self) -> bool {
        !self.blocked.is_empty() || self.blocked_stream().is_some()
    }

    /// The streams, if much waits for the one that is in use. What waits for another says nothing.
    fn blocked_stream(&self) -> Option<&Streams> {
        let (streams, path) = (self.streams.as_deref()?, self.carrying?);
        streams.is_blocked(path).then_some(streams)
    }

    /// What is encrypted goes over this path from now on.
    pub(crate) fn carry_on(&mut self, path: Path) {
        self.carrying = Some(path);
    }

    /// Sends what was taken along.
    pub(crate) fn flush(&mut self) {
        if let Some(batch) = self.batch.take() {
            self.block(batch);
        }
        while let Some(batch) = self.blocked.front() {
            if !self.send(batch) {
                break;
            }
            self.blocked.pop_front();
        }
    }

    fn block(&mut self, batch: Batch) {
        if self.blocked.len() >= MAX_BLOCKED {
            self.blocked.pop_front();
        }
        self.blocked.push_back(batch);
    }

    /// Whether the batch is gone, sent or not.
    fn send(&self, batch: &Batch) -> bool {
        let Some(socket) = self.socket(batch.path.local) else {
            trace!(source = %batch.path.local, "there is no socket of this address any more");
            return true;
        };
        match socket.try_send(batch.path.remote, &batch.contents, batch.segment) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => {
                trace!(%error, destination = %batch.path.remote, "datagrams were not sent");
                true
            }
            Ok(()) => true,
        }
    }

    fn socket(&self, local: SocketAddr) -> Option<&Arc<Socket>> {
        let mut all = self.sockets.iter().chain(&self.relays);
        all.find(|socket| socket.local() == local)
    }

    /// Waits until something can be received, or until what was blocked has left. Cancel-safe.
    pub(crate) async fn ready(&mut self) -> Received {
        loop {
            if self.blocked_told && !self.are_blocked() {
                self.blocked_told = false;
                return Received::Unblocked;
            }
            let full = self.full_socket();
            let drained = self.blocked_stream().map(Streams::when_drained);
            tokio::select! {
                next = poll_fn(|cx| self.poll_next(cx)) => match next {
                    Next::Readable(socket) => return Received::Readable(socket),
                    Next::Arrived(Arrival::Datagram(datagram)) => {
                        return Received::Datagram(datagram);
                    }
                    Next::Arrived(Arrival::End(path)) => return Received::End(path),
                    Next::Arrived(Arrival::Stream(stream)) => {
                        let streams = streams(&mut self.streams, self.patience);
                        return Received::Datagram(streams.accept(*stream));
                    }
                },
                () = writable(full) => self.flush(),
                () = notified(drained) => {}
            }
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        // What is shared is read by the hub.
        let is_own = matches!(self.place, Place::Own { .. });
        let own: &[_] = if is_own { &self.sockets } else { &[] };
        let mut sockets = self.relays.iter().chain(own);
        if let Some(socket) = sockets.find(|socket| socket.poll_readable(cx).is_ready()) {
            return Poll::Ready(Next::Readable(socket.clone()));
        }
        if let Place::Shared { inbox, .. } = &mut self.place
            && let Poll::Ready(Some(arrival)) = inbox.poll_recv(cx)
        {
            return Poll::Ready(Next::Arrived(arrival));
        }
        let Some(streams) = &mut self.streams else { return Poll::Pending };
        streams.poll_arrival(cx).map(Next::Arrived)
    }

    /// The socket that the oldest blocked batch waits for.
    fn full_socket(&mut self) -> Option<Arc<Socket>> {
        while let Some(batch) = self.blocked.front() {
            if let Some(socket) = self.socket(batch.path.local) {
                return Some(socket.clone());
            }
            self.blocked.pop_front();
        }
        None
    }

    /// Closes the streams, behind what was sent on them.
    pub(crate) async fn close_streams(&mut self) {
        if let Some(streams) = self.streams.take() {
            streams.close().await;
        }
    }
}

fn streams(made: &mut Option<Box<Streams>>, patience: Duration) -> &mut Streams {
    made.get_or_insert_with(|| Box::new(Streams::new(patience)))
}

async fn writable(socket: Option<Arc<Socket>>) {
    match socket {
        Some(socket) => socket.writable().await,
        None => pending().await,
    }
}

async fn notified(notify: Option<Arc<Notify>>) {
    match notify {
        Some(notify) => notify.notified().await,
        None => pending().await,
    }
}
