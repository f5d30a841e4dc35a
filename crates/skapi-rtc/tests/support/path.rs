//! A path between two peers that a test can cut, or let lose packets: a UDP relay stands before every address that a peer
//! tells the other, and no packet of theirs goes another way.
//!
//! ```text
//!   peer A ──▶ relay of B ─ ─ from the relay of A ─ ─▶ peer B
//! ```

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use skapi_rtc::{
    ConnectOptions, Endpoint, OpenError, QueryError, SocketError,
    transport::{
        OpenRequest, Ping, Received, Socket, SocketSink, SocketStream, Transport,
        WebSocketTransport,
    },
};
use tokio::{net::UdpSocket, sync::watch};

/// The path. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Path(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Whether packets are dropped.
    cut: watch::Sender<bool>,
    /// The share of packets that is lost, in millionths.
    lossy: AtomicU32,
    /// Whether frames to and from the service wait.
    stalled: watch::Sender<bool>,
    relays: Mutex<HashMap<SocketAddr, Arc<UdpSocket>>>,
}

impl Path {
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            cut: watch::Sender::new(false),
            lossy: AtomicU32::new(0),
            stalled: watch::Sender::new(false),
            relays: Mutex::default(),
        }))
    }

    /// Lets the session's calls go over this path, and its link to the service beside it.
    pub fn carries(&self, options: ConnectOptions) -> ConnectOptions {
        let inner = WebSocketTransport::new();
        options.transport(Arc::new(Relayed { inner, path: self.clone() }))
    }

    /// Drops every packet from now on.
    pub fn cut(&self) {
        self.0.cut.send_replace(true);
    }

    /// Drops this share of the packets from now on, 0 to 1, at random.
    pub fn lose(&self, share: f64) {
        self.0.lossy.store((share * 1e6) as u32, Ordering::Relaxed);
    }

    fn drops(&self) -> bool {
        *self.0.cut.borrow() || fastrand::u32(..1_000_000) < self.0.lossy.load(Ordering::Relaxed)
    }

    /// Holds every frame to and from the service too, as TCP does on a path that is gone.
    pub fn cut_all(&self) {
        self.0.stalled.send_replace(true);
        self.cut();
    }

    pub fn restore(&self) {
        self.0.stalled.send_replace(false);
        self.0.cut.send_replace(false);
    }

    /// The relay that stands before an address.
    fn relay(&self, real: SocketAddr) -> Arc<UdpSocket> {
        let mut relays = self.0.relays.lock().unwrap();
        if let Some(relay) = relays.get(&real) {
            return relay.clone();
        }
        let socket = std::net::UdpSocket::bind((real.ip(), 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let socket = Arc::new(UdpSocket::from_std(socket).unwrap());
        relays.insert(real, socket.clone());
        tokio::spawn(self.clone().run(real, socket.clone()));
        socket
    }

    /// Carries what comes for a real address, from the relay of whoever sends it.
    async fn run(self, real: SocketAddr, socket: Arc<UdpSocket>) {
        let mut packet = vec![0; 65_536];
        loop {
            // An error says that an earlier packet found nobody: not of interest.
            let Ok((len, from)) = socket.recv_from(&mut packet).await else { continue };
            if !self.drops() {
                let _ = self.relay(from).send_to(&packet[..len], real).await;
            }
        }
    }

    /// Puts a relay before every address of candidates in a frame.
    fn rewrite(&self, frame: &str) -> String {
        let mut words: Vec<String> = frame.split(' ').map(str::to_owned).collect();
        for at in 2..words.len() {
            // `candidate:<foundation> <component> udp <priority> <address> <port> typ <type>`
            if words[at] != "typ" {
                continue;
            }
            if let (Ok(ip), Ok(port)) = (words[at - 2].parse(), words[at - 1].parse()) {
                let relay = self.relay(SocketAddr::new(ip, port)).local_addr().unwrap();
                words[at - 1] = relay.port().to_string();
            }
        }
        words.join(" ")
    }
}

#[derive(Debug)]
struct Relayed {
    inner: WebSocketTransport,
    path: Path,
}

#[async_trait::async_trait]
impl Transport for Relayed {
    async fn open(&self, endpoint: &Endpoint, request: &OpenRequest) -> Result<Socket, OpenError> {
        self.path.flowing().await;
        let Socket { sink, stream, .. } = self.inner.open(endpoint, request).await?;
        let path = self.path.clone();
        Ok(Socket::new(
            RelayedSink { inner: sink, path: path.clone() },
            RelayedStream { inner: stream, path },
        ))
    }

    async fn query(
        &self,
        endpoint: &Endpoint,
        token: &str,
        path: &str,
        body: String,
    ) -> Result<String, QueryError> {
        self.inner.query(endpoint, token, path, body).await
    }
}

impl Path {
    async fn flowing(&self) {
        let _ = self.0.stalled.subscribe().wait_for(|stalled| !stalled).await;
    }

    async fn stalling(&self) {
        let _ = self.0.stalled.subscribe().wait_for(|stalled| *stalled).await;
    }
}

#[derive(Debug)]
struct RelayedSink {
    inner: Box<dyn SocketSink>,
    path: Path,
}

#[async_trait::async_trait]
impl SocketSink for RelayedSink {
    async fn feed(&mut self, text: String) -> Result<(), SocketError> {
        self.path.flowing().await;
        self.inner.feed(self.path.rewrite(&text)).await
    }

    async fn flush(&mut self) -> Result<(), SocketError> {
        self.path.flowing().await;
        self.inner.flush().await
    }

    async fn ping(&mut self) -> Result<Ping, SocketError> {
        self.path.flowing().await;
        self.inner.ping().await
    }

    async fn close(&mut self) {
        self.inner.close().await;
    }
}

#[derive(Debug)]
struct RelayedStream {
    inner: Box<dyn SocketStream>,
    path: Path,
}

#[async_trait::async_trait]
impl SocketStream for RelayedStream {
    async fn recv(&mut self) -> Result<Received, SocketError> {
        loop {
            self.path.flowing().await;
            tokio::select! {
                biased;
                () = self.path.stalling() => {}
                received = self.inner.recv() => return received,
            }
        }
    }
}
