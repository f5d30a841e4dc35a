//! The default transport: WebSocket by tokio-tungstenite, queries by reqwest, TLS by rustls with the
//! system's certificates.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config,
    tungstenite::{
        Error, Message,
        http::{Response, StatusCode, header},
        protocol::WebSocketConfig,
    },
};

use super::{
    OpenError, OpenRequest, Ping, QueryError, Received, Socket, SocketError, SocketSink,
    SocketStream, Transport,
    answers::{self, MAX_ANSWER, QUERY_TIMEOUT},
};
use crate::Endpoint;

/// tungstenite takes 128 KiB a connection by default; frames of a call have some 6 KB.
const READ_BUFFER: usize = 8 * 1024;
/// What may wait for a service that does not read, before the link counts as broken.
const MAX_WRITE_BUFFER: usize = 2 * 1024 * 1024;
/// The largest frame of the service.
const MAX_FRAME: usize = 1024 * 1024;

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// WebSocket and HTTP. Cheap to clone; clones share connections for queries.
#[derive(Debug, Clone, Default)]
pub struct WebSocketTransport {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    tls: OnceLock<Arc<ClientConfig>>,
    http: OnceLock<reqwest::Client>,
}

impl WebSocketTransport {
    /// A transport that trusts the certificates that the system trusts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Made when first needed: reading the system's certificates takes some milliseconds, and a service on
    /// the same machine needs none.
    fn tls(&self) -> Arc<ClientConfig> {
        self.shared.tls.get_or_init(|| Arc::new(tls_config())).clone()
    }

    fn http(&self) -> Result<&reqwest::Client, QueryError> {
        if let Some(client) = self.shared.http.get() {
            return Ok(client);
        }
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured((*self.tls()).clone())
            .timeout(QUERY_TIMEOUT)
            .build()
            .map_err(|error| QueryError::Failed(error.to_string()))?;
        Ok(self.shared.http.get_or_init(|| client))
    }
}

#[async_trait]
impl Transport for WebSocketTransport {
    async fn open(&self, endpoint: &Endpoint, request: &OpenRequest) -> Result<Socket, OpenError> {
        let url = endpoint.socket(request);
        let connector =
            if url.starts_with("wss:") { Connector::Rustls(self.tls()) } else { Connector::Plain };
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(READ_BUFFER)
            .max_write_buffer_size(MAX_WRITE_BUFFER)
            .max_message_size(Some(MAX_FRAME))
            .max_frame_size(Some(MAX_FRAME));
        let nodelay = true;
        let opened =
            connect_async_tls_with_config(url, Some(config), nodelay, Some(connector)).await;
        let (stream, _) = opened.map_err(|error| open_error(error, endpoint.address()))?;
        let (sink, stream) = stream.split();
        Ok(Socket::new(Sink(sink), Source(stream)))
    }

    async fn query(
        &self,
        endpoint: &Endpoint,
        token: &str,
        path: &str,
        body: String,
    ) -> Result<String, QueryError> {
        let failed = |error: reqwest::Error| QueryError::Failed(with_sources(&error.without_url()));
        let url = endpoint.query(path).map_err(|error| QueryError::Failed(error.to_string()))?;
        let mut response = self
            .http()?
            .post(url)
            .header(header::AUTHORIZATION.as_str(), token)
            .header(header::CONTENT_TYPE.as_str(), "application/json")
            .body(body)
            .send()
            .await
            .map_err(failed)?;
        let mut answer = Vec::new();
        while let Some(part) = response.chunk().await.map_err(failed)? {
            if answer.len() + part.len() > MAX_ANSWER {
                return Err(QueryError::BadAnswer(format!("it has more than {MAX_ANSWER} bytes")));
            }
            answer.extend_from_slice(&part);
        }
        let status = response.status().as_u16();
        if status >= 400 {
            return Err(QueryError::Refused { status, reason: answers::said(&answer) });
        }
        String::from_utf8(answer).map_err(|error| QueryError::BadAnswer(error.to_string()))
    }
}

#[derive(Debug)]
struct Sink(SplitSink<Stream, Message>);

#[derive(Debug)]
struct Source(SplitStream<Stream>);

#[async_trait]
impl SocketSink for Sink {
    async fn feed(&mut self, text: String) -> Result<(), SocketError> {
        self.0.feed(Message::text(text)).await.map_err(socket_error)
    }

    async fn flush(&mut self) -> Result<(), SocketError> {
        self.0.flush().await.map_err(socket_error)
    }

    async fn ping(&mut self) -> Result<Ping, SocketError> {
        self.0.send(Message::Ping(bytes::Bytes::new())).await.map_err(socket_error)?;
        Ok(Ping::Answered)
    }

    async fn close(&mut self) {
        // Either way the socket is done with.
        let _ = self.0.close().await;
    }
}

#[async_trait]
impl SocketStream for Source {
    async fn recv(&mut self) -> Result<Received, SocketError> {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => Ok(Received::Text(text.as_str().to_owned())),
            Some(Ok(Message::Close(frame))) => Err(SocketError::Closed {
                code: frame.as_ref().map_or(1005, |frame| frame.code.into()),
                reason: frame.map_or_else(String::new, |frame| frame.reason.as_str().to_owned()),
            }),
            Some(Ok(_)) => Ok(Received::Alive),
            Some(Err(error)) => Err(socket_error(error)),
            None => Err(SocketError::Broken("it ended without a goodbye".to_owned())),
        }
    }
}

fn tls_config() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        tracing::warn!("the system has no certificates to trust: TLS connections will fail");
    }
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap_or_else(|error| unreachable!("ring speaks the default versions: {error}"))
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn open_error(error: Error, address: String) -> OpenError {
    match error {
        Error::Http(response) => refusal(&response, address),
        error => OpenError::Failed { address, reason: with_sources(&error) },
    }
}

fn refusal(response: &Response<Option<Vec<u8>>>, address: String) -> OpenError {
    let status = response.status();
    let body = response.body().as_deref().unwrap_or_default();
    let reason = match answers::said(body) {
        text if text.is_empty() => status.to_string(),
        text => text,
    };
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            OpenError::Unauthorized { address, reason }
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            let wait = response.headers().get(header::RETRY_AFTER);
            let retry_after = wait.and_then(|wait| answers::retry_after(wait.to_str().ok()?));
            OpenError::Busy { address, reason, retry_after }
        }
        _ => OpenError::Failed { address, reason: format!("HTTP {status}: {reason}") },
    }
}

fn socket_error(error: Error) -> SocketError {
    SocketError::Broken(with_sources(&error))
}

/// An error with its causes, since the outermost one often says only that something failed.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
