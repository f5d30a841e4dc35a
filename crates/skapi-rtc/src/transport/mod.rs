//! How a service is reached: a socket for frames, and queries.
//!
//! [`Transport`] is what a new way to a service implements: another WebSocket library, a browser's own,
//! or a test's. [`memory`] is one for tests.

#[cfg(feature = "websocket")]
mod answers;
mod link;
pub mod memory;
#[cfg(all(feature = "websocket", target_arch = "wasm32"))]
mod web;
#[cfg(all(feature = "websocket", not(target_arch = "wasm32")))]
mod websocket;

use std::{
    fmt::{self, Debug},
    time::Duration,
};

use async_trait::async_trait;
use skapi_rtc_backend::{MaybeSend, MaybeSync};
pub use skapi_rtc_signaling::Resumption;

pub(crate) use self::link::{LinkCause, LinkEvent, run_link};
#[cfg(all(feature = "websocket", target_arch = "wasm32"))]
pub use self::web::WebSocketTransport;
#[cfg(all(feature = "websocket", not(target_arch = "wasm32")))]
pub use self::websocket::WebSocketTransport;
use crate::Endpoint;

/// A way to reach a service.
#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
pub trait Transport: Debug + MaybeSend + MaybeSync + 'static {
    /// Opens a socket.
    ///
    /// # Errors
    /// Says whether trying again later makes sense.
    async fn open(&self, endpoint: &Endpoint, request: &OpenRequest) -> Result<Socket, OpenError>;

    /// Posts a query (a JSON text to a path below the service's `api/`) and gives the answer's body.
    ///
    /// # Errors
    /// When the service cannot be reached or refuses.
    async fn query(
        &self,
        endpoint: &Endpoint,
        token: &str,
        path: &str,
        body: String,
    ) -> Result<String, QueryError>;

    /// Waits for a sign that a service which was out of reach may be in reach again, such as a network that
    /// has come back. A lost link is then tried at once. Default: there is never such a sign.
    async fn sign_of_return(&self) {
        std::future::pending().await
    }
}

/// What a socket is opened with.
#[derive(Clone)]
#[non_exhaustive]
pub struct OpenRequest {
    /// The token that says who we are.
    pub token: String,
    /// Which connection to take up again, if any.
    pub resumption: Resumption,
}

impl OpenRequest {
    /// A new connection, or one that is taken up again.
    pub fn new(token: String, resumption: Resumption) -> Self {
        Self { token, resumption }
    }
}

impl Debug for OpenRequest {
    /// Leaves the token out, as the resumption leaves its secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenRequest").field("resumption", &self.resumption).finish_non_exhaustive()
    }
}

/// An open socket, in its two directions.
#[derive(Debug)]
#[non_exhaustive]
pub struct Socket {
    /// To the service.
    pub sink: Box<dyn SocketSink>,
    /// From the service.
    pub stream: Box<dyn SocketStream>,
}

impl Socket {
    /// Joins the two directions.
    pub fn new(sink: impl SocketSink, stream: impl SocketStream) -> Self {
        Self { sink: Box::new(sink), stream: Box::new(stream) }
    }
}

/// The direction to the service.
///
/// Dropped without [`close`](Self::close), the socket has to look lost to the service, so that it keeps the
/// connection for a while: no close frame, or none with code 1000 or 1001.
#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
pub trait SocketSink: Debug + MaybeSend + 'static {
    /// Takes a frame; it may wait in a buffer until [`flush`](Self::flush).
    ///
    /// # Errors
    /// When the socket is gone.
    async fn feed(&mut self, text: String) -> Result<(), SocketError>;

    /// Sends what was taken.
    ///
    /// # Errors
    /// When the socket is gone.
    async fn flush(&mut self) -> Result<(), SocketError>;

    /// Asks the other end for a sign of life, where the transport has one of its own. Default: it has none.
    ///
    /// # Errors
    /// When the socket is gone.
    async fn ping(&mut self) -> Result<Ping, SocketError> {
        Ok(Ping::Unanswered)
    }

    /// Sends what was taken and closes the socket in order, which tells the service that we do not come back.
    async fn close(&mut self);
}

/// The direction from the service.
#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
pub trait SocketStream: Debug + MaybeSend + 'static {
    /// Waits for the next thing to arrive. Cancel-safe.
    ///
    /// # Errors
    /// When the socket is gone; nothing follows.
    async fn recv(&mut self) -> Result<Received, SocketError>;
}

/// What becomes of asking for a sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ping {
    /// A living service answers; after some silence the link counts as lost.
    Answered,
    /// The transport does not ask, or does not see the answer: silence means nothing.
    Unanswered,
}

/// What arrives on a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A frame.
    Text(String),
    /// A sign of life that is no frame.
    Alive,
}

/// A socket could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The service does not accept the token.
    #[error("{address} refused the token: {reason}")]
    Unauthorized {
        /// The service's address.
        address: String,
        /// What it said.
        reason: String,
    },
    /// The service is busy and says when to come back.
    #[error("{address} has no room now: {reason}")]
    Busy {
        /// The service's address.
        address: String,
        /// What it said.
        reason: String,
        /// When to come back.
        retry_after: Option<Duration>,
    },
    /// The service cannot be reached, or is none.
    #[error("cannot connect to {address}: {reason}")]
    Failed {
        /// The service's address.
        address: String,
        /// What happened.
        reason: String,
    },
}

/// A socket is gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// The service closed it.
    #[error("the service closed the connection ({code}{}{reason})", if reason.is_empty() { "" } else { ": " })]
    Closed {
        /// The close code (RFC 6455 §7.4).
        code: u16,
        /// What the service said, or empty.
        reason: String,
    },
    /// It broke.
    #[error("the connection to the service was lost: {0}")]
    Broken(String),
}

/// A query was not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The service refused.
    #[error("the service refused the query ({status}): {reason}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said.
        reason: String,
    },
    /// The service cannot be reached.
    #[error("the query did not reach the service: {0}")]
    Failed(String),
    /// The answer cannot be read.
    #[error("the service's answer cannot be read: {0}")]
    BadAnswer(String),
    /// This transport has no queries.
    #[error("this transport has no queries")]
    Unsupported,
}

impl QueryError {
    /// Whether the same query may succeed a moment later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Failed(_) => true,
            Self::Refused { status, .. } => *status == 429 || *status >= 500,
            Self::BadAnswer(_) | Self::Unsupported => false,
        }
    }
}
