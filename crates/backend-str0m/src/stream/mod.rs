//! Streams that carry datagrams: ICE over TCP (RFC 6544).

mod carrier;
mod framing;
mod listener;

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use str0m::net::Protocol;
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::{Notify, mpsc},
    task::JoinSet,
    time::timeout,
};
use tracing::{debug, trace};

use self::carrier::Carrier;
pub(crate) use self::listener::{Introduced, Listener};
use crate::{
    hub::{Arrival, Datagram},
    path::Path,
};

/// The port of a candidate that connects and does not listen (RFC 6544 §4.5).
pub(crate) const ACTIVE_PORT: u16 = 9;
/// Streams of one connection.
const MAX_STREAMS: usize = 32;
/// Datagrams that wait to be written to a stream; more are dropped, as a full queue of a router would. About what SCTP
/// has under way at most.
const MAX_WAITING: usize = 1024;
/// What waits for the driver; streams are not read on where it is more.
const MAX_ARRIVALS: usize = 64;
/// How long a peer has to take a stream.
const DIALING: Duration = Duration::from_secs(10);
/// How long what is still to be written may take at the end.
const END: Duration = Duration::from_secs(1);
/// ICE users that are listened for: more than one while ICE restarts.
const MAX_USERS: usize = 8;

/// The streams of one connection.
pub(crate) struct Streams {
    open: HashMap<Path, mpsc::Sender<Vec<u8>>>,
    sender: mpsc::Sender<Arrival>,
    arrivals: mpsc::Receiver<Arrival>,
    drained: Arc<Notify>,
    tasks: JoinSet<()>,
    users: Arc<Users>,
}

/// The ICE users of a connection.
#[derive(Default)]
struct Users(Mutex<VecDeque<String>>);

impl Default for Streams {
    fn default() -> Self {
        let (sender, arrivals) = mpsc::channel(MAX_ARRIVALS);
        Self {
            open: HashMap::new(),
            sender,
            arrivals,
            drained: Arc::default(),
            tasks: JoinSet::new(),
            users: Arc::default(),
        }
    }
}

impl Streams {
    /// Listens on an address, for the users of [`listen_as`](Self::listen_as).
    pub(crate) fn listen(&self, address: SocketAddr) -> io::Result<Listener> {
        let (users, arrivals) = (self.users.clone(), self.sender.clone());
        Listener::open(address, move |user, stream| {
            if users.know(user) {
                // Full is like a network that drops: the peer connects again.
                let _ = arrivals.try_send(Arrival::Stream(Box::new(stream)));
            }
        })
    }

    pub(crate) fn listen_as(&self, user: &str) {
        self.users.add(user);
    }

    /// What has arrived: a datagram, or a stream to [`accept`](Self::accept).
    pub(crate) fn poll_arrival(&mut self, cx: &mut Context<'_>) -> Poll<Arrival> {
        match self.arrivals.poll_recv(cx) {
            Poll::Ready(Some(arrival)) => Poll::Ready(arrival),
            // There is always a sender: our own.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Takes a stream that a peer has opened; gives the check that came on it.
    pub(crate) fn accept(&mut self, stream: Introduced) -> Option<Datagram> {
        let Introduced { io, path, first } = stream;
        let carrier = self.carrier(path)?;
        without_delay(&io);
        self.tasks.spawn(carrier.run(io));
        Some(Datagram { path, contents: first })
    }

    /// Sends a datagram to a peer; whether there is a stream for it, or one is being opened.
    pub(crate) fn send(&mut self, path: Path, contents: &[u8]) -> bool {
        if self.push(path, contents) {
            return true;
        }
        // Only checks open a stream: whatever else was meant for one that is gone.
        if path.local.port() != ACTIVE_PORT || !is_check(contents) || !may_dial(path.remote) {
            return false;
        }
        let Some(carrier) = self.carrier(path) else { return false };
        self.tasks.spawn(async move {
            match timeout(DIALING, dial(path)).await {
                Ok(Ok(io)) => carrier.run(io).await,
                Ok(Err(error)) => debug!(%error, remote = %path.remote, "a stream was refused"),
                Err(_) => debug!(remote = %path.remote, "a stream was not taken"),
            }
        });
        self.push(path, contents)
    }

    /// Whether much waits to be written.
    pub(crate) fn are_blocked(&self) -> bool {
        self.open.values().any(|outbox| outbox.capacity() < MAX_WAITING / 2)
    }

    /// Notified whenever something has left.
    pub(crate) fn when_drained(&self) -> Arc<Notify> {
        self.drained.clone()
    }

    /// Closes all streams once what was sent has left, within limits.
    pub(crate) async fn close(mut self) {
        self.open.clear();
        drop(self.arrivals);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(END, all).await.is_err() {
            trace!("a stream did not take what was left for it");
        }
    }

    fn push(&mut self, path: Path, contents: &[u8]) -> bool {
        let Some(outbox) = self.open.get(&path) else { return false };
        match outbox.try_send(contents.to_vec()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                trace!(remote = %path.remote, "a stream is full: a datagram is dropped");
                true
            }
            Err(mpsc::error::TrySendError::Closed(_)) => {
                self.open.remove(&path);
                false
            }
        }
    }

    /// What serves a new stream, if there may be one.
    fn carrier(&mut self, path: Path) -> Option<Carrier> {
        while self.tasks.try_join_next().is_some() {}
        self.open.retain(|_, outbox| !outbox.is_closed());
        if self.open.len() >= MAX_STREAMS {
            debug!(remote = %path.remote, "there are enough streams without this one");
            return None;
        }
        let (sender, outbox) = mpsc::channel(MAX_WAITING);
        self.open.insert(path, sender);
        let (arrivals, drained) = (self.sender.clone(), self.drained.clone());
        Some(Carrier { path, outbox, arrivals, drained })
    }
}

impl Users {
    fn add(&self, user: &str) {
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if users.len() >= MAX_USERS {
            users.pop_front();
        }
        users.push_back(user.to_owned());
    }

    fn know(&self, user: &str) -> bool {
        let users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        users.iter().any(|known| known == user)
    }
}

/// Connects from an address of ours, at a port of the system's choice.
async fn dial(path: Path) -> io::Result<TcpStream> {
    let socket = if path.local.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(SocketAddr::new(path.local.ip(), 0))?;
    let io = socket.connect(path.remote).await?;
    without_delay(&io);
    Ok(io)
}

/// SCTP and RTP decide themselves when to send.
fn without_delay(io: &TcpStream) {
    if let Err(error) = io.set_nodelay(true) {
        debug!(%error, "a stream keeps its delay");
    }
}

/// Whether a datagram belongs to STUN (RFC 7983 §7).
fn is_check(contents: &[u8]) -> bool {
    contents.first().is_some_and(|first| *first < 4)
}

/// Whoever makes candidates up is not to reach, through us, what listens at well-known ports. Those of the web are where
/// media servers listen, too.
fn may_dial(remote: SocketAddr) -> bool {
    const WEB: [u16; 2] = [80, 443];
    remote.port() >= 1024 || WEB.contains(&remote.port())
}

/// Whether a path goes over a stream.
pub(crate) fn is_stream(path: Path) -> bool {
    path.protocol != Protocol::Udp
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_ports_are_not_dialled() {
        for (port, may) in
            [(0, false), (9, false), (22, false), (80, true), (443, true), (1024, true)]
        {
            assert_eq!(may_dial(([192, 0, 2, 1], port).into()), may, "{port}");
        }
    }

    #[test]
    fn users_of_the_last_restarts_are_known() {
        let users = Users::default();
        (0..20).for_each(|user| users.add(&user.to_string()));
        assert!(!users.know("11") && users.know("12") && users.know("19"));
    }

    #[tokio::test]
    async fn only_a_check_opens_a_stream_and_only_so_many() {
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let remote = server.local_addr().unwrap();
        let path = |last| {
            let local = ([127, 0, 0, last], ACTIVE_PORT).into();
            Path { protocol: Protocol::Tcp, local, remote }
        };
        let (check, data) = ([0, 1, 0, 0], [23, 1, 0, 0]);
        let mut streams = Streams::default();
        assert!(!streams.send(path(1), &data), "there is no stream yet");
        assert!(streams.send(path(1), &check));
        assert!(streams.send(path(1), &data));
        let passive = Path { local: ([127, 0, 0, 1], 5000).into(), ..path(1) };
        assert!(!streams.send(passive, &check), "whoever listens does not connect");
        for last in 2..=MAX_STREAMS as u8 {
            assert!(streams.send(path(last), &check));
        }
        assert!(!streams.send(path(200), &check), "one too many");

        let (mut io, _) = server.accept().await.unwrap();
        let mut datagram = Vec::new();
        framing::read(&mut io, &mut datagram).await.unwrap();
        assert_eq!(datagram, check);
        streams.close().await;
    }
}
