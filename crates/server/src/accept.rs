//! Accepting connections, and serving HTTP on them.

use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::shared::Shared;

/// How long a client may take for the head of a request; also how long it may keep a connection idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The head of a request in bytes, at most: its target holds a token.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Pause after a connection could not be accepted, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections that the system holds for us until they are accepted, at most; it may have a limit of its
/// own. Enough for a crowd that comes back at once to find its place.
const BACKLOG: u32 = 8192;

/// Listens on an address.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // As `TcpListener::bind` does: a restart finds the port free. Elsewhere it would mean something else.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Whose connection a request came over; every request carries it as an extension.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// Whether the connection is encrypted.
    pub(crate) secure: bool,
}

/// Accepts connections until the server stops.
pub(crate) async fn run(listener: TcpListener, routes: Router, shared: Arc<Shared>) {
    let room = Arc::new(Semaphore::new(shared.config.max_http_connections));
    let accept_all = async {
        loop {
            // Closed it is never, so there always is a permit in the end.
            let Ok(permit) = room.clone().acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, address)) => {
                    let serving = welcome(stream, address, routes.clone(), shared.clone(), permit);
                    shared.tasks.spawn(serving);
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accept_all => {}
        () = shared.stopping.cancelled() => {}
    }
}

/// Serves one connection, over TLS where that is configured.
async fn welcome(
    stream: TcpStream,
    address: SocketAddr,
    routes: Router,
    shared: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
) {
    // Signals of a call are small and each of them counts: none may wait for a fuller packet.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let Some(tls) = &shared.tls else {
        serve(stream, Peer { address, secure: false }, routes, shared).await;
        return;
    };
    let handshake = TlsAcceptor::from(tls.config()).accept(stream);
    let secured = tokio::select! {
        secured = tokio::time::timeout(HEAD_TIMEOUT, handshake) => secured,
        () = shared.stopping.cancelled() => return,
    };
    match secured {
        Ok(Ok(stream)) => serve(stream, Peer { address, secure: true }, routes, shared).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

/// Serves HTTP until it ends or becomes a WebSocket.
async fn serve(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    peer: Peer,
    routes: Router,
    shared: Arc<Shared>,
) {
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        routes.clone().oneshot(request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shared.killed.cancelled() => return,
        () = shared.stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = shared.killed.cancelled() => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}
