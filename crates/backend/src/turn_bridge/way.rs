//! The way to one TURN server: datagrams of the engine come to a socket of ours, and go on in a stream for each of the
//! engine's own sockets, since that is what a server tells its clients by.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use skapi_rtc_protocol::{IceScheme, IceTransport, IceUrl};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, split},
    net::UdpSocket,
    sync::mpsc,
    task::{JoinHandle, JoinSet},
    time::{timeout, timeout_at},
};
use tracing::{debug, trace};

use super::{connect::Connector, framing, refusal::refusal};

/// The largest message that the engine sends; more than fits a datagram on most paths.
const MAX_MESSAGE: usize = 4096;
/// How long after the last request one is still refused, and not tried.
const REFUSING: Duration = Duration::from_secs(1);
/// Bytes that come in a burst; the system caps the socket's buffers.
const BURST: usize = 4 * 1024 * 1024;
/// Sockets of the engine that are served at a time.
const MAX_CLIENTS: usize = 32;
/// Messages that wait to be written to a stream; more are dropped, as a full queue of a router would.
const MAX_WAITING: usize = 1024;
/// Messages that are written at once.
const BATCH: usize = 64;
/// Bytes that are read from the system at once.
const READ_BUFFER: usize = 16 * 1024;
/// How long a server has to take a stream, and for the handshake of TLS.
const CONNECTING: Duration = Duration::from_secs(10);

/// Carries until it is dropped.
#[derive(Debug)]
pub(super) struct Way {
    url: IceUrl,
    local: SocketAddr,
    engine: Vec<IpAddr>,
    task: JoinHandle<()>,
}

impl Way {
    /// Opens a socket at this address, for an engine with these.
    pub(super) fn open(
        url: IceUrl,
        address: IpAddr,
        engine: &[IpAddr],
        connector: Arc<Connector>,
    ) -> io::Result<Self> {
        let socket = std::net::UdpSocket::bind((address, 0))?;
        socket.set_nonblocking(true)?;
        let options = SockRef::from(&socket);
        for set in [options.set_recv_buffer_size(BURST), options.set_send_buffer_size(BURST)] {
            if let Err(error) = set {
                debug!(%error, "the system refuses the socket buffer's size");
            }
        }
        let socket = UdpSocket::from_std(socket)?;
        let local = socket.local_addr()?;
        let carrier = Carrier {
            url: url.clone(),
            socket: Arc::new(socket),
            engine: engine.to_vec(),
            connector,
            clients: HashMap::new(),
            streams: JoinSet::new(),
        };
        let task = tokio::spawn(carrier.run());
        Ok(Self { url, local, engine: engine.to_vec(), task })
    }

    /// Whether it is one to this server that an engine with these addresses can use.
    pub(super) fn leads_to(&self, url: &IceUrl, engine: &[IpAddr]) -> bool {
        let knows = |ip| self.engine.contains(ip);
        self.url == *url && engine.contains(&self.local.ip()) && engine.iter().all(knows)
    }

    /// The server, as the engine sees it.
    pub(super) fn url(&self) -> String {
        let mut url = self.url.clone();
        url.scheme = IceScheme::Turn;
        url.transport = IceTransport::Udp;
        url.host = self.local.ip().to_string();
        url.port = self.local.port();
        url.to_string()
    }

    /// Ends it, and waits for that.
    pub(super) async fn close(mut self) {
        self.task.abort();
        // It was told to end.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Carrier {
    url: IceUrl,
    socket: Arc<UdpSocket>,
    /// Who may send: the engine, from these addresses.
    engine: Vec<IpAddr>,
    connector: Arc<Connector>,
    clients: HashMap<SocketAddr, Client>,
    streams: JoinSet<()>,
}

struct Client {
    outbox: mpsc::Sender<Vec<u8>>,
    /// When it sent something last.
    heard: Instant,
}

impl Carrier {
    async fn run(mut self) {
        let mut buffer = vec![0; MAX_MESSAGE];
        loop {
            tokio::select! {
                received = self.socket.recv_from(&mut buffer) => match received {
                    Ok((length, client)) => self.carry(client, &buffer[..length]),
                    // Such as word that a socket of the engine is gone.
                    Err(error) => trace!(%error, "receiving failed"),
                },
                Some(_) = self.streams.join_next() => {
                    self.clients.retain(|_, client| !client.outbox.is_closed());
                }
            }
        }
    }

    fn carry(&mut self, client: SocketAddr, message: &[u8]) {
        if !self.engine.contains(&client.ip()) {
            trace!(%client, "a stranger has sent something");
            return;
        }
        if let Some(known) = self.clients.get_mut(&client) {
            known.heard = Instant::now();
            match known.outbox.try_send(message.to_vec()) {
                Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => return,
                // Whatever is asked of the server next is asked in a new stream.
                Err(mpsc::error::TrySendError::Closed(_)) => drop(self.clients.remove(&client)),
            }
        }
        if self.clients.len() >= MAX_CLIENTS
            && let Some((silent, _)) = self.clients.iter().min_by_key(|(_, client)| client.heard)
        {
            // A socket that the engine has closed, most likely. Its stream ends with the last message.
            let silent = *silent;
            self.clients.remove(&silent);
        }
        let (outbox, messages) = mpsc::channel(MAX_WAITING);
        // There is room for the first one.
        let _ = outbox.try_send(message.to_vec());
        self.clients.insert(client, Client { outbox, heard: Instant::now() });
        let (url, connector) = (self.url.clone(), self.connector.clone());
        let socket = self.socket.clone();
        self.streams.spawn(async move {
            let connecting = timeout(CONNECTING, connector.connect(&url)).await;
            match connecting.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(stream) => {
                    if let Err(error) = exchange(stream, &socket, client, messages).await {
                        debug!(%error, %url, "a stream to a TURN server has ended");
                    }
                }
                Err(error) => {
                    debug!(%error, %url, "a TURN server cannot be reached");
                    refuse(&socket, client, messages).await;
                }
            }
        });
    }
}

/// Answers for a server that cannot be reached, for a while: what comes later is another attempt.
async fn refuse(socket: &UdpSocket, client: SocketAddr, mut messages: mpsc::Receiver<Vec<u8>>) {
    let mut until = Instant::now() + REFUSING;
    while let Ok(Some(message)) = timeout_at(until.into(), messages.recv()).await {
        let Some(refusal) = refusal(&message) else { continue };
        until = Instant::now() + REFUSING;
        if let Err(error) = socket.send_to(&refusal, client).await {
            trace!(%error, %client, "a refusal was not passed on");
        }
    }
}

/// Carries both ways until one of them ends.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite,
    socket: &UdpSocket,
    client: SocketAddr,
    mut messages: mpsc::Receiver<Vec<u8>>,
) -> io::Result<()> {
    let (reader, mut writer) = split(stream);
    let inwards = async {
        let mut reader = BufReader::with_capacity(READ_BUFFER, reader);
        let mut message = Vec::new();
        loop {
            framing::read(&mut reader, &mut message).await?;
            if let Err(error) = socket.send_to(&message, client).await {
                trace!(%error, %client, "a message was not passed on");
            }
        }
    };
    let outwards = async {
        let (mut batch, mut bytes) = (Vec::new(), Vec::new());
        while messages.recv_many(&mut batch, BATCH).await > 0 {
            bytes.clear();
            batch.drain(..).for_each(|message| framing::write(&message, &mut bytes));
            writer.write_all(&bytes).await?;
            writer.flush().await?;
        }
        writer.shutdown().await
    };
    tokio::select! {
        end = inwards => end,
        end = outwards => end,
    }
}
