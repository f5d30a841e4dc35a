//! A stream to a TURN server.

use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use skapi_rtc_protocol::{IceScheme, IceUrl};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tracing::debug;

pub(super) trait Stream: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}

/// Connects to servers, and knows whom to trust.
#[derive(Debug)]
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
        let stream = TcpStream::connect((url.host.as_str(), url.port)).await?;
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
