//! Streams that carry datagrams: ICE over TCP (RFC 6544).

mod carrier;
mod framing;
mod listener;

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use str0m::net::Protocol;
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::{Notify, mpsc},
    task::{AbortHandle, JoinSet},
    time::timeout,
};
use tracing::{debug, trace};

use self::carrier::Carrier;
pub(crate) use self::listener::{Introduced, Listener};
use crate::{
    hub::{Arrival, Datagram},
    kind::is_check,
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
const MAX_USERS: usize = 64;

/// The streams of one connection.
pub(crate) struct Streams {
    open: HashMap<Path, Entry>,
    /// After so long without an answer to checks a stream is given up.
    patience: Duration,
    sender: mpsc::Sender<Arrival>,
    arrivals: mpsc::Receiver<Arrival>,
    drained: Arc<Notify>,
    tasks: JoinSet<()>,
    users: Arc<Users>,
}

struct Entry {
    outbox: mpsc::Sender<Vec<u8>>,
    task: AbortHandle,
    /// Whether it is more than an attempt.
    is_up: Arc<AtomicBool>,
    /// When something came from the peer.
    heard: Instant,
}

/// The ICE users of a connection.
#[derive(Default)]
struct Users(Mutex<VecDeque<String>>);

impl Streams {
    pub(crate) fn new(patience: Duration) -> Self {
        let (sender, arrivals) = mpsc::channel(MAX_ARRIVALS);
        Self {
            open: HashMap::new(),
            patience,
            sender,
            arrivals,
            drained: Arc::default(),
            tasks: JoinSet::new(),
            users: Arc::default(),
        }
    }

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
        loop {
            // There is always a sender: our own.
            let Poll::Ready(Some(arrival)) = self.arrivals.poll_recv(cx) else {
                return Poll::Pending;
            };
            match &arrival {
                Arrival::Datagram(datagram) => {
                    if let Some(entry) = self.open.get_mut(&datagram.path) {
                        entry.heard = Instant::now();
                    }
                }
                // The peer may be back already, in another stream on the same path.
                Arrival::End(path) if self.is_open(path) => continue,
                Arrival::End(_) | Arrival::Stream(_) => {}
            }
            return Poll::Ready(arrival);
        }
    }

    fn is_open(&self, path: &Path) -> bool {
        self.open.get(path).is_some_and(|entry| !entry.outbox.is_closed())
    }

    /// Takes a stream that a peer has opened; gives the check that came on it.
    pub(crate) fn accept(&mut self, stream: Introduced) -> Datagram {
        let Introduced { io, path, first } = stream;
        without_delay(&io);
        self.open(path, async move |_| Some(io));
        Datagram { path, contents: first }
    }

    /// Sends a datagram to a peer; whether there is a stream for it, or one is being opened.
    pub(crate) fn send(&mut self, path: Path, contents: &[u8]) -> bool {
        let is_check = is_check(contents);
        if is_check
            && let Some(entry) = self.open.get(&path)
            && entry.is_up.load(Ordering::Relaxed)
            && entry.heard.elapsed() > self.patience
        {
            // What the system takes for a stream leads nowhere any more.
            self.give_up(path);
        }
        if self.push(path, contents) {
            return true;
        }
        // Only checks open a stream: whatever else was meant for one that is gone.
        if path.local.port() != ACTIVE_PORT || !is_check || !may_dial(path) {
            return false;
        }
        self.open(path, dial);
        self.push(path, contents)
    }

    fn give_up(&mut self, path: Path) {
        if let Some(entry) = self.open.remove(&path) {
            trace!(remote = %path.remote, "a stream is given up");
            entry.task.abort();
            // Full only while others are heard of, which the engine then prefers anyway.
            let _ = self.sender.try_send(Arrival::End(path));
        }
    }

    /// Whether much waits to be written to this stream.
    pub(crate) fn is_blocked(&self, path: Path) -> bool {
        self.open.get(&path).is_some_and(|entry| entry.outbox.capacity() < MAX_WAITING / 2)
    }

    /// Notified whenever something has left.
    pub(crate) fn when_drained(&self) -> Arc<Notify> {
        self.drained.clone()
    }

    /// Closes all streams once what was sent has left, within limits.
    pub(crate) async fn close(mut self) {
        for (_, entry) in self.open.drain() {
            if !entry.is_up.load(Ordering::Relaxed) {
                entry.task.abort();
            }
        }
        drop(self.arrivals);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(END, all).await.is_err() {
            trace!("a stream did not take what was left for it");
        }
    }

    fn push(&mut self, path: Path, contents: &[u8]) -> bool {
        let Some(entry) = self.open.get(&path) else { return false };
        match entry.outbox.try_send(contents.to_vec()) {
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

    /// Serves a new stream, in the place of the one that was silent for longest where there are many.
    fn open<F>(&mut self, path: Path, connect: impl FnOnce(Path) -> F + Send + 'static)
    where
        F: Future<Output = Option<TcpStream>> + Send,
    {
        while self.tasks.try_join_next().is_some() {}
        self.open.retain(|_, entry| !entry.outbox.is_closed());
        if self.open.len() >= MAX_STREAMS {
            let silent = self.open.iter().min_by_key(|(_, entry)| entry.heard);
            if let Some(path) = silent.map(|(path, _)| *path) {
                self.give_up(path);
            }
        }
        let (sender, outbox) = mpsc::channel(MAX_WAITING);
        let is_up = Arc::<AtomicBool>::default();
        let (arrivals, drained, up) = (self.sender.clone(), self.drained.clone(), is_up.clone());
        let task = self.tasks.spawn(async move {
            if let Some(io) = connect(path).await {
                up.store(true, Ordering::Relaxed);
                Carrier { path, outbox, arrivals, drained }.run(io).await;
            }
        });
        let heard = Instant::now();
        self.open.insert(path, Entry { outbox: sender, task, is_up, heard });
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
async fn dial(path: Path) -> Option<TcpStream> {
    let connecting = async {
        let is_v4 = path.local.is_ipv4();
        let socket = if is_v4 { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.bind(SocketAddr::new(path.local.ip(), 0))?;
        socket.connect(path.remote).await
    };
    let connected = timeout(DIALING, connecting).await;
    match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(io) => {
            without_delay(&io);
            Some(io)
        }
        Err(error) => {
            debug!(%error, remote = %path.remote, "a stream was refused");
            None
        }
    }
}

/// SCTP and RTP decide themselves when to send.
fn without_delay(io: &TcpStream) {
    if let Err(error) = io.set_nodelay(true) {
        debug!(%error, "a stream keeps its delay");
    }
}

/// Whoever makes candidates up is not to reach, through us, what listens at well-known ports, nor what listens for this
/// machine alone. The ports of the web are where media servers listen, too.
fn may_dial(path: Path) -> bool {
    const WEB: [u16; 2] = [80, 443];
    let (ip, port) = (path.remote.ip(), path.remote.port());
    let is_ours_alone = ip.to_canonical().is_loopback() && !path.local.ip().is_loopback();
    let is_somebody = !ip.is_unspecified() && !ip.is_multicast() && !is_ours_alone;
    is_somebody && (port >= 1024 || WEB.contains(&port))
}

/// Whether a path goes over a stream.
pub(crate) fn is_stream(path: Path) -> bool {
    path.protocol != Protocol::Udp
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_everything_is_dialled() {
        let may = |local: &str, remote: &str| {
            let [local, remote] = [local, remote].map(|it| it.parse().unwrap());
            may_dial(Path { protocol: Protocol::Tcp, local, remote })
        };
        for (port, may_be) in
            [(0, false), (9, false), (22, false), (80, true), (443, true), (1024, true)]
        {
            assert_eq!(may("192.0.2.9:9", &format!("192.0.2.1:{port}")), may_be, "{port}");
        }
        for nobody in ["127.0.0.1:5000", "0.0.0.0:5000", "224.0.0.1:5000"] {
            assert!(!may("192.0.2.9:9", nobody), "{nobody}");
        }
        assert!(!may("[2001:db8::1]:9", "[::ffff:127.0.0.1]:5000"));
        assert!(may("127.0.0.1:9", "127.0.0.1:5000"));
    }

    #[test]
    fn users_of_the_last_restarts_are_known() {
        let users = Users::default();
        (0..20).for_each(|user| users.add(&user.to_string()));
        assert!(users.know("0") && users.know("19"));
        (0..MAX_USERS).for_each(|_| users.add("later"));
        assert!(!users.know("19") && users.know("later"));
    }

    #[tokio::test]
    async fn only_a_check_opens_a_stream_and_there_are_only_so_many() {
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let remote = server.local_addr().unwrap();
        let path = |last| {
            let local = ([127, 0, 0, last], ACTIVE_PORT).into();
            Path { protocol: Protocol::Tcp, local, remote }
        };
        let (check, data) = ([0, 1, 0, 0], [23, 1, 0, 0]);
        let mut streams = Streams::new(Duration::from_secs(60));
        assert!(!streams.send(path(1), &data), "there is no stream yet");
        assert!(streams.send(path(1), &check));
        assert!(streams.send(path(1), &data));
        let passive = Path { local: ([127, 0, 0, 1], 5000).into(), ..path(1) };
        assert!(!streams.send(passive, &check), "whoever listens does not connect");
        for last in 2..=MAX_STREAMS as u8 + 9 {
            assert!(streams.send(path(last), &check));
        }
        assert_eq!(streams.open.len(), MAX_STREAMS);
        assert!(!streams.is_open(&path(1)), "the oldest has made room");

        let (mut io, _) = server.accept().await.unwrap();
        let mut datagram = Vec::new();
        framing::read(&mut io, &mut datagram).await.unwrap();
        assert_eq!(datagram, check);
        streams.close().await;
    }

    #[tokio::test]
    async fn a_stream_that_is_not_heard_is_given_up_for_another() {
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let remote = server.local_addr().unwrap();
        let path =
            Path { protocol: Protocol::Tcp, local: ([127, 0, 0, 1], ACTIVE_PORT).into(), remote };
        let mut streams = Streams::new(Duration::ZERO);
        assert!(streams.send(path, &[0, 1, 0, 0]));
        let (_silent, first) = server.accept().await.unwrap();
        let mut checks = tokio::time::interval(Duration::from_millis(10));
        let another = async {
            loop {
                tokio::select! {
                    accepted = server.accept() => return accepted.unwrap().1,
                    _ = checks.tick() => assert!(streams.send(path, &[0, 1, 0, 0])),
                }
            }
        };
        let second = timeout(Duration::from_secs(20), another).await.unwrap();
        assert_ne!(second, first);
        streams.close().await;
    }
}
