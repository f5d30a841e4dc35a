//! TLS of the server: a certificate and its key, which can be exchanged while the server runs.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
};

/// A certificate and its key. Clones share them: what one reloads, all servers with it use.
#[derive(Clone)]
pub struct Tls {
    source: Source,
    current: Arc<RwLock<Arc<ServerConfig>>>,
}

#[derive(Debug, Clone)]
enum Source {
    Files { certificate: PathBuf, key: PathBuf },
    SelfSigned,
}

/// A certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file holds no certificate.
    #[error("{} holds no certificate in PEM (`-----BEGIN CERTIFICATE-----`)", .0.display())]
    NoCertificate(PathBuf),
    /// A file holds no key.
    #[error("{} holds no private key in PEM (`-----BEGIN PRIVATE KEY-----`)", .0.display())]
    NoKey(PathBuf),
    /// The two do not go together, or are of a kind that cannot be used.
    #[error("the certificate and the key cannot be used: {0}")]
    Unusable(String),
}

impl Tls {
    /// Reads a certificate, with the chain that leads to it, and its private key from files in PEM.
    ///
    /// # Errors
    /// When a file cannot be read, holds something else, or the two do not go together.
    pub fn from_files(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, TlsError> {
        let (certificate, key) = (certificate.into(), key.into());
        let config = read(&certificate, &key)?;
        Ok(Self::new(Source::Files { certificate, key }, config))
    }

    /// Makes a certificate for these names and addresses that nobody has a reason to trust, for development.
    ///
    /// # Errors
    /// When a name cannot be in a certificate.
    pub fn self_signed(names: impl IntoIterator<Item = String>) -> Result<Self, TlsError> {
        let unusable = |error: rcgen::Error| TlsError::Unusable(error.to_string());
        let names: Vec<String> = names.into_iter().collect();
        let made = rcgen::generate_simple_self_signed(names).map_err(unusable)?;
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        Ok(Self::new(Source::SelfSigned, config(vec![made.cert.into()], key)?))
    }

    /// Reads the files again. New connections get the new certificate, running ones keep theirs. One that
    /// was self-signed stays.
    ///
    /// # Errors
    /// As [`from_files`](Self::from_files); what was there stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        if let Source::Files { certificate, key } = &self.source {
            let config = read(certificate, key)?;
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        }
        Ok(())
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn new(source: Source, config: ServerConfig) -> Self {
        Self { source, current: Arc::new(RwLock::new(Arc::new(config))) }
    }
}

impl fmt::Debug for Tls {
    /// Leaves the key out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("source", &self.source).finish_non_exhaustive()
    }
}

fn read(certificate: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let bytes = |path: &Path| {
        std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
    };
    let chain = CertificateDer::pem_slice_iter(&bytes(certificate)?)
        .collect::<Result<Vec<_>, pem::Error>>()
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or_else(|| TlsError::NoCertificate(certificate.to_owned()))?;
    let key =
        PrivateKeyDer::from_pem_slice(&bytes(key)?).map_err(|_| TlsError::NoKey(key.to_owned()))?;
    config(chain, key)
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, TlsError> {
    let unusable = |error: rustls::Error| TlsError::Unusable(error.to_string());
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    // A WebSocket begins with HTTP/1.1, and one port serves both.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
