//! A stream to a TURN server.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use skapi_rtc_protocol::{IceScheme, IceUrl};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tracing::debug;

/// Addresses of a server that are tried.
const MAX_ADDRESSES: usize = 8;
/// How long an address is waited for before the next is tried, too.
const ATTEMPT: Duration = Duration::from_millis(250);

pub(super) trait Stream: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}

/// Connects to servers, and knows whom to trust.
#[derive(Debug, Default)]
pub(super) struct Connector {
    /// Certificates of authorities beside those of the system.
    roots: Vec<Vec<u8>>,
    tls: OnceLock<Arc<ClientConfig>>,
}

impl Connector {
    pub(super) fn new(roots: Vec<Vec<u8>>) -> Self {
        Self { roots, tls: OnceLock::new() }
    }

    pub(super) async fn connect(&self, url: &IceUrl) -> io::Result<Pin<Box<dyn Stream>>> {
        let stream = first(lookup_host((url.host.as_str(), url.port)).await?).await?;
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "a stream to a TURN server keeps its delay");
        }
        if url.scheme != IceScheme::Turns {
            return Ok(Box::pin(stream));
        }
        let name = ServerName::try_from(url.host.clone()).map_err(io::Error::other)?;
        let tls = TlsConnector::from(self.tls.get_or_init(|| self.trust()).clone());
        Ok(Box::pin(tls.connect(name, stream).await?))
    }

    fn trust(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let own = self.roots.iter().map(|root| CertificateDer::from(root.clone()));
        let all = rustls_native_certs::load_native_certs().certs.into_iter().chain(own);
        roots.add_parsable_certificates(all);
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap_or_else(|error| unreachable!("ring speaks the default versions: {error}"));
        Arc::new(config.with_root_certificates(roots).with_no_client_auth())
    }
}

/// Tries the addresses one after the other, without waiting long for any (RFC 8305 §5).
async fn first(addresses: impl Iterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    let mut addresses = addresses.take(MAX_ADDRESSES);
    let mut attempts = JoinSet::new();
    let mut end = Err(io::ErrorKind::NotFound.into());
    loop {
        let next = addresses.next();
        let is_last = next.is_none();
        if let Some(address) = next {
            attempts.spawn(TcpStream::connect(address));
        }
        let tried = async {
            while let Some(tried) = attempts.join_next().await {
                match tried {
                    Ok(Ok(stream)) => return Some(stream),
                    Ok(Err(error)) => end = Err(error),
                    Err(_) => {}
                }
            }
            None
        };
        let found = if is_last { Ok(tried.await) } else { timeout(ATTEMPT, tried).await };
        match found {
            Ok(Some(stream)) => return Ok(stream),
            Ok(None) if is_last => return end,
            Ok(None) | Err(_) => {}
        }
    }
}
