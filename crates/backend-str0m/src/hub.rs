//! One set of sockets for many connections: finds the connection that a datagram is for.
//!
//! A connectivity check names the ICE user it is for; whatever else comes from the same address then
//! belongs to the same connection. Answers of STUN servers are found by their transaction.

use std::{
    collections::HashMap,
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinHandle},
};
use tracing::trace;

use crate::{
    Config, IceTcp,
    addresses::addresses,
    path::Path,
    socket::Socket,
    stream::{Introduced, Listener},
    stun::{self, TransactionId},
};

/// Datagrams that wait for a connection; more are dropped, as a full socket buffer would.
const MAX_WAITING: usize = 2048;
/// Addresses from which one connection can be reached.
const MAX_ADDRESSES: usize = 64;

/// What was found to be for a connection.
pub(crate) enum Arrival {
    Datagram(Datagram),
    Stream(Box<Introduced>),
    /// A stream has ended.
    End(Path),
}

pub(crate) struct Datagram {
    pub(crate) path: Path,
    pub(crate) contents: Vec<u8>,
}

/// Lives as long as a connection uses it.
pub(crate) struct Hub {
    sockets: Vec<Arc<Socket>>,
    listeners: Vec<Listener>,
    routes: Arc<Mutex<Routes>>,
    readers: Vec<AbortHandle>,
}

#[derive(Default)]
struct Routes {
    next_member: u64,
    members: HashMap<u64, mpsc::Sender<Arrival>>,
    by_user: HashMap<String, u64>,
    by_transaction: HashMap<TransactionId, u64>,
    by_address: HashMap<(SocketAddr, SocketAddr), u64>,
}

impl Hub {
    /// Binds the sockets of this configuration, on `port`.
    pub(crate) fn open(config: &Config, port: u16) -> io::Result<Arc<Self>> {
        let (mut sockets, mut listeners) = (Vec::new(), Vec::new());
        let routes = Arc::<Mutex<Routes>>::default();
        for address in addresses(config) {
            let address = SocketAddr::new(address, port);
            sockets.push(Arc::new(Socket::bind(address, config)?));
            if config.ice_tcp == IceTcp::Listen {
                let routes = routes.clone();
                let introduce = move |user: &str, stream| lock(&routes).introduce(user, stream);
                listeners.push(Listener::open(address, introduce)?);
            }
        }
        let readers = sockets.iter().map(|socket| {
            let reader: JoinHandle<()> = tokio::spawn(read(socket.clone(), routes.clone()));
            reader.abort_handle()
        });
        let readers = readers.collect();
        Ok(Arc::new(Self { sockets, listeners, routes, readers }))
    }

    pub(crate) fn sockets(&self) -> &[Arc<Socket>] {
        &self.sockets
    }

    /// Where peers can connect to over TCP.
    pub(crate) fn listeners(&self) -> impl Iterator<Item = SocketAddr> {
        self.listeners.iter().map(Listener::local)
    }

    /// Adds a connection.
    pub(crate) fn join(self: &Arc<Self>) -> (Membership, mpsc::Receiver<Arrival>) {
        let (sender, inbox) = mpsc::channel(MAX_WAITING);
        let mut routes = self.routes();
        let member = routes.next_member;
        routes.next_member += 1;
        routes.members.insert(member, sender);
        drop(routes);
        (Membership { hub: self.clone(), member, addresses: 0 }, inbox)
    }

    fn routes(&self) -> MutexGuard<'_, Routes> {
        lock(&self.routes)
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.readers.iter().for_each(AbortHandle::abort);
    }
}

/// A connection's place in the hub; it leaves when this is dropped.
pub(crate) struct Membership {
    hub: Arc<Hub>,
    member: u64,
    addresses: usize,
}

impl Membership {
    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Takes the checks that are for this ICE user.
    pub(crate) fn listen_as(&self, user: &str) {
        self.hub.routes().by_user.insert(user.to_owned(), self.member);
    }

    /// Takes the answer to this request.
    pub(crate) fn expect(&self, transaction: TransactionId) {
        self.hub.routes().by_transaction.insert(transaction, self.member);
    }

    /// Takes what comes from where something was sent to, unless another connection does.
    pub(crate) fn sends(&mut self, local: SocketAddr, remote: SocketAddr) {
        if self.addresses < MAX_ADDRESSES
            && self.hub.routes().take_address(local, remote, self.member)
        {
            self.addresses += 1;
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut routes = self.hub.routes();
        let gone = self.member;
        routes.members.remove(&gone);
        routes.by_user.retain(|_, member| *member != gone);
        routes.by_transaction.retain(|_, member| *member != gone);
        routes.by_address.retain(|_, member| *member != gone);
    }
}

impl Routes {
    fn take_address(&mut self, local: SocketAddr, remote: SocketAddr, member: u64) -> bool {
        // Whoever has an address keeps it, or a stranger could take a connection's packets away.
        if self.by_address.contains_key(&(local, remote)) {
            return false;
        }
        self.by_address.insert((local, remote), member);
        true
    }

    fn deliver(&mut self, local: SocketAddr, source: SocketAddr, contents: &[u8]) {
        let Some(member) = self.find(local, source, contents) else {
            trace!(%source, "a datagram is for no connection");
            return;
        };
        if let Some(inbox) = self.members.get(&member) {
            // Full is like a full socket buffer: the peer sends again.
            let path = Path::udp(local, source);
            let datagram = Datagram { path, contents: contents.to_vec() };
            let _ = inbox.try_send(Arrival::Datagram(datagram));
        }
    }

    fn introduce(&mut self, user: &str, stream: Introduced) {
        let inbox = self.by_user.get(user).and_then(|member| self.members.get(member));
        if let Some(inbox) = inbox {
            // Full is like a network that drops: the peer connects again.
            let _ = inbox.try_send(Arrival::Stream(Box::new(stream)));
        }
    }

    fn find(&mut self, local: SocketAddr, source: SocketAddr, contents: &[u8]) -> Option<u64> {
        if let Some((transaction, _)) = stun::answer(contents)
            && let Some(member) = self.by_transaction.remove(&transaction)
        {
            return Some(member);
        }
        if let Some(user) = stun::checked_user(contents)
            && let Some(member) = self.by_user.get(&user).copied()
        {
            self.take_address(local, source, member);
            return Some(member);
        }
        self.by_address.get(&(local, source)).copied()
    }
}

async fn read(socket: Arc<Socket>, routes: Arc<Mutex<Routes>>) {
    let local = socket.local();
    loop {
        poll_fn(|cx| socket.poll_readable(cx)).await;
        let mut routes = lock(&routes);
        socket.receive(|source, contents| routes.deliver(local, source, contents));
    }
}

fn lock(routes: &Mutex<Routes>) -> MutexGuard<'_, Routes> {
    // No code of others runs under the lock, so a poisoned state is still a whole one.
    routes.lock().unwrap_or_else(PoisonError::into_inner)
}
