//! A transport without a network, for tests: the other end of each socket is a value in the same process.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use skapi_rtc::transport::{OpenRequest, Resumption, Transport, memory};
//! use skapi_rtc::Endpoint;
//!
//! let (transport, mut service) = memory::transport();
//! let endpoint = Endpoint::new("http://memory").unwrap();
//! let request = OpenRequest::new("token".to_owned(), Resumption::default());
//! let (opened, accepted) = tokio::join!(transport.open(&endpoint, &request), service.accept());
//! let mut peer = accepted.unwrap();
//! let mut socket = opened.unwrap();
//! assert_eq!(peer.token, "token");
//! socket.sink.feed("hello".into()).await.unwrap();
//! assert_eq!(peer.recv().await.as_deref(), Some("hello"));
//! # });
//! ```

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::{
    OpenError, OpenRequest, QueryError, Received, Resumption, Socket, SocketError, SocketSink,
    SocketStream, Transport,
};
use crate::Endpoint;

/// Frames that fit into one direction of a socket.
const CAPACITY: usize = 256;

/// Makes a transport and the service it leads to.
pub fn transport() -> (MemoryTransport, MemoryService) {
    let (connect, accept) = mpsc::channel(CAPACITY);
    (MemoryTransport { connect }, MemoryService { accept })
}

/// A transport whose sockets end in a [`MemoryService`].
#[derive(Debug, Clone)]
pub struct MemoryTransport {
    connect: mpsc::Sender<MemorySocket>,
}

/// Where the sockets of a [`MemoryTransport`] come out.
#[derive(Debug)]
pub struct MemoryService {
    accept: mpsc::Receiver<MemorySocket>,
}

/// The service's end of a socket. Dropping it breaks the socket.
#[derive(Debug)]
pub struct MemorySocket {
    /// The token the client came with.
    pub token: String,
    /// The connection that the client wants to take up again.
    pub resumption: Resumption,
    from_client: mpsc::Receiver<String>,
    to_client: mpsc::Sender<String>,
    goodbye: Arc<AtomicBool>,
}

impl MemoryService {
    /// The next socket; `None` when the transport is gone.
    pub async fn accept(&mut self) -> Option<MemorySocket> {
        self.accept.recv().await
    }
}

impl MemorySocket {
    /// The client's next frame; `None` when it has closed the socket.
    pub async fn recv(&mut self) -> Option<String> {
        self.from_client.recv().await
    }

    /// Whether the client has closed the socket in order, which tells a service that it does not mean to come
    /// back. One that is lost, or dropped, looks the same but for this.
    pub fn said_goodbye(&self) -> bool {
        self.goodbye.load(Ordering::SeqCst)
    }

    /// Sends the client a frame; without effect when it has closed the socket.
    pub async fn send(&self, text: impl Into<String>) {
        let _ = self.to_client.send(text.into()).await;
    }
}

#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
impl Transport for MemoryTransport {
    async fn open(&self, endpoint: &Endpoint, request: &OpenRequest) -> Result<Socket, OpenError> {
        let (to_service, from_client) = mpsc::channel(CAPACITY);
        let (to_client, from_service) = mpsc::channel(CAPACITY);
        let OpenRequest { token, resumption } = request.clone();
        let goodbye = Arc::new(AtomicBool::new(false));
        let peer =
            MemorySocket { token, resumption, from_client, to_client, goodbye: goodbye.clone() };
        self.connect.send(peer).await.map_err(|_| OpenError::Failed {
            address: endpoint.address(),
            reason: "the service in memory is gone".to_owned(),
        })?;
        let sink = Sink { to_service: Some(to_service), goodbye };
        Ok(Socket::new(sink, Stream(from_service)))
    }

    async fn query(
        &self,
        _endpoint: &Endpoint,
        _token: &str,
        _path: &str,
        _body: String,
    ) -> Result<String, QueryError> {
        Err(QueryError::Unsupported)
    }
}

#[derive(Debug)]
struct Sink {
    to_service: Option<mpsc::Sender<String>>,
    goodbye: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Stream(mpsc::Receiver<String>);

fn broken() -> SocketError {
    SocketError::Broken("the other end is gone".to_owned())
}

#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
impl SocketSink for Sink {
    async fn feed(&mut self, text: String) -> Result<(), SocketError> {
        let sender = self.to_service.as_ref().ok_or_else(broken)?;
        sender.send(text).await.map_err(|_| broken())
    }

    async fn flush(&mut self) -> Result<(), SocketError> {
        Ok(())
    }

    async fn close(&mut self) {
        self.goodbye.store(true, Ordering::SeqCst);
        self.to_service = None;
    }
}

#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
impl SocketStream for Stream {
    async fn recv(&mut self) -> Result<Received, SocketError> {
        self.0.recv().await.map(Received::Text).ok_or_else(broken)
    }
}
