//! UDP relays between the peers: each session's can be cut, and made to lose, double and reorder packets.
//!
//! ```text
//!   peer A ──▶ relay of B ─ ─ from the relay of A ─ ─▶ peer B
//! ```

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream, UdpSocket},
    time::{sleep, timeout},
};

/// A relay that nothing has gone through for so long is taken away; cuts are shorter.
const IDLE: Duration = Duration::from_secs(120);

/// The state of a session's network.
#[derive(Debug, Default)]
struct Network {
    cut: AtomicBool,
    noisy: AtomicBool,
}

#[derive(Debug, Clone)]
struct Relay {
    socket: Arc<UdpSocket>,
    session: usize,
}

/// Every relay there is. Clones are the same.
#[derive(Debug, Clone)]
pub struct Paths(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    networks: Vec<Network>,
    relays: Mutex<HashMap<SocketAddr, Relay>>,
}

impl Paths {
    /// The paths of so many sessions, and the address where their relays are asked for.
    pub async fn start(sessions: usize) -> Result<(Self, SocketAddr)> {
        let networks = (0..sessions).map(|_| Network::default()).collect();
        let paths = Self(Arc::new(Inner { networks, relays: Mutex::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let asked = paths.clone();
        tokio::spawn(async move {
            loop {
                if let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(asked.clone().answer(stream));
                }
            }
        });
        Ok((paths, address))
    }

    pub fn cut(&self, session: usize, cut: bool) {
        self.0.networks[session].cut.store(cut, Ordering::Relaxed);
    }

    pub fn noisy(&self, session: usize, noisy: bool) {
        self.0.networks[session].noisy.store(noisy, Ordering::Relaxed);
    }

    /// `<session> <address>`, to be answered by a port.
    async fn answer(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        let _ = stream.read_line(&mut line).await;
        let Some((session, real)) = line.trim().split_once(' ') else { return };
        let (Ok(session), Ok(real)) = (session.parse(), real.parse()) else { return };
        if let Some(port) = self.relay(real, Some(session)).and_then(|relay| port(&relay)) {
            let _ = stream.write_all(format!("{port}\n").as_bytes()).await;
        }
    }

    fn relays(&self) -> MutexGuard<'_, HashMap<SocketAddr, Relay>> {
        self.0.relays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The relay that stands before an address. An address that nobody has told belongs to no session, and
    /// has none unless it is asked for by one.
    fn relay(&self, real: SocketAddr, session: Option<usize>) -> Option<Relay> {
        let mut relays = self.relays();
        if let Some(relay) = relays.get_mut(&real) {
            relay.session = session.unwrap_or(relay.session);
            return Some(relay.clone());
        }
        let socket = std::net::UdpSocket::bind((real.ip(), 0)).ok()?;
        socket.set_nonblocking(true).ok()?;
        let relay =
            Relay { socket: Arc::new(UdpSocket::from_std(socket).ok()?), session: session? };
        relays.insert(real, relay.clone());
        tokio::spawn(self.clone().run(real, relay.socket.clone()));
        Some(relay)
    }

    /// Carries what comes for a real address, from the relay of whoever sends it.
    async fn run(self, real: SocketAddr, socket: Arc<UdpSocket>) {
        let mut packet = vec![0; 65_536];
        loop {
            let received = timeout(IDLE, socket.recv_from(&mut packet)).await;
            let Ok(received) = received else { break };
            // An error says that an earlier packet found nobody: not of interest.
            let Ok((len, from)) = received else { continue };
            let Some(sender) = self.relay(from, None) else { continue };
            let owner = self.relays().get(&real).map(|relay| relay.session);
            let Some(owner) = owner else { break };
            let networks = [owner, sender.session].map(|session| &self.0.networks[session]);
            if networks.iter().any(|network| network.cut.load(Ordering::Relaxed)) {
                continue;
            }
            if networks.iter().any(|network| network.noisy.load(Ordering::Relaxed)) {
                with_noise(packet[..len].to_vec(), sender.socket, real);
            } else {
                let _ = sender.socket.try_send_to(&packet[..len], real);
            }
        }
        self.relays().remove(&real);
    }
}

fn port(relay: &Relay) -> Option<u16> {
    Some(relay.socket.local_addr().ok()?.port())
}

/// One in twenty is lost, one in seven comes twice, one in seven late.
fn with_noise(packet: Vec<u8>, from: Arc<UdpSocket>, to: SocketAddr) {
    let chance = fastrand::u8(..100);
    if chance < 5 {
        return;
    }
    if chance >= 20 {
        let _ = from.try_send_to(&packet, to);
    }
    if chance < 35 {
        tokio::spawn(async move {
            sleep(Duration::from_millis(fastrand::u64(5..40))).await;
            let _ = from.try_send_to(&packet, to);
        });
    }
}
