//! The peers' way to the service: WebSocket, with a relay of the conductor's before every address that a
//! peer tells another.

use std::net::SocketAddr;

use async_trait::async_trait;
use skapi_rtc::{
    Endpoint, OpenError, QueryError, SocketError,
    transport::{OpenRequest, Ping, Socket, SocketSink, Transport, WebSocketTransport},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

/// Who asks for relays, and where.
#[derive(Debug, Clone, Copy)]
pub struct Relays {
    pub control: SocketAddr,
    pub session: usize,
}

impl Relays {
    /// The port of the relay that stands before an address, at the same host.
    async fn before(self, real: SocketAddr) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.control).await?;
        stream.write_all(format!("{} {real}\n", self.session).as_bytes()).await?;
        let mut port = String::new();
        BufReader::new(stream).read_line(&mut port).await?;
        Ok(port.trim().to_owned())
    }

    /// `candidate:<foundation> <component> udp <priority> <address> <port> typ <type>`
    async fn rewrite(self, frame: &str) -> String {
        let mut words: Vec<String> = frame.split(' ').map(str::to_owned).collect();
        for at in 2..words.len() {
            if words[at] == "typ"
                && let (Ok(ip), Ok(port)) = (words[at - 2].parse(), words[at - 1].parse())
                && let Ok(relay) = self.before(SocketAddr::new(ip, port)).await
            {
                words[at - 1] = relay;
            }
        }
        words.join(" ")
    }
}

#[derive(Debug)]
pub struct Relayed {
    inner: WebSocketTransport,
    relays: Relays,
}

impl Relayed {
    pub fn new(relays: Relays) -> Self {
        Self { inner: WebSocketTransport::new(), relays }
    }
}

#[async_trait]
impl Transport for Relayed {
    async fn open(&self, endpoint: &Endpoint, request: &OpenRequest) -> Result<Socket, OpenError> {
        let mut socket = self.inner.open(endpoint, request).await?;
        socket.sink = Box::new(RelayedSink { inner: socket.sink, relays: self.relays });
        Ok(socket)
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

    async fn sign_of_return(&self) {
        self.inner.sign_of_return().await;
    }
}

#[derive(Debug)]
struct RelayedSink {
    inner: Box<dyn SocketSink>,
    relays: Relays,
}

#[async_trait]
impl SocketSink for RelayedSink {
    async fn feed(&mut self, text: String) -> Result<(), SocketError> {
        let text = self.relays.rewrite(&text).await;
        self.inner.feed(text).await
    }

    async fn flush(&mut self) -> Result<(), SocketError> {
        self.inner.flush().await
    }

    async fn ping(&mut self) -> Result<Ping, SocketError> {
        self.inner.ping().await
    }

    async fn close(&mut self) {
        self.inner.close().await;
    }
}
