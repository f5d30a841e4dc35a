//! A JSON Web Key Set at an address: fetched when it is needed, kept, fetched anew when a token names a key
//! that is not in it.

use std::{
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::{Duration, Instant},
};

use rustls::{ClientConfig, RootCertStore, crypto::ring};
use url::Url;

use super::keys::{Key, KeyError};

/// How long a fetch may take; a request to the service has to be answered within ten seconds.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// A set is fetched anew when it is older, so that keys that were withdrawn go away.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);
/// Bytes of a set, at most.
const MAX_BYTES: usize = 1024 * 1024;
/// Redirects that are followed, at most.
const MAX_REDIRECTS: usize = 3;

pub(super) struct RemoteKeys {
    url: Url,
    /// The least time between two fetches, so that tokens with made-up keys do not flood the address.
    pause: Duration,
    client: OnceLock<reqwest::Client>,
    loaded: RwLock<Option<Arc<Loaded>>>,
    /// When the last fetch began; locked while there is one.
    fetched_at: tokio::sync::Mutex<Option<Instant>>,
}

pub(super) struct Loaded {
    pub(super) keys: Vec<Key>,
    at: Instant,
}

impl RemoteKeys {
    pub(super) const DEFAULT_PAUSE: Duration = Duration::from_secs(10);

    pub(super) fn at(url: &str) -> Result<Self, KeyError> {
        let address = || KeyError::Address(url.to_owned());
        let url = Url::parse(url).map_err(|_| address())?;
        if !["https", "http"].contains(&url.scheme()) {
            return Err(address());
        }
        Ok(Self {
            url,
            pause: Self::DEFAULT_PAUSE,
            client: OnceLock::new(),
            loaded: RwLock::default(),
            fetched_at: tokio::sync::Mutex::default(),
        })
    }

    pub(super) fn pause(&mut self, pause: Duration) {
        self.pause = pause;
    }

    /// The keys as they were fetched last; an old set is fetched anew meanwhile.
    pub(super) async fn keys(self: &Arc<Self>) -> Result<Arc<Loaded>, KeyError> {
        let Some(loaded) = self.loaded() else {
            return self.newer_than(None).await;
        };
        if loaded.at.elapsed() > MAX_AGE {
            let (this, old) = (self.clone(), loaded.clone());
            tokio::spawn(async move { this.newer_than(Some(&old)).await.is_ok() });
        }
        Ok(loaded)
    }

    /// Newer keys than these, if there are any to be had now; otherwise the same.
    pub(super) async fn newer_than(
        &self,
        old: Option<&Arc<Loaded>>,
    ) -> Result<Arc<Loaded>, KeyError> {
        let mut fetched_at = self.fetched_at.lock().await;
        if let Some(loaded) = self.loaded()
            && old.is_none_or(|old| loaded.at > old.at)
        {
            return Ok(loaded);
        }
        let too_soon = fetched_at.is_some_and(|at| at.elapsed() < self.pause);
        let fetched = if too_soon {
            Err(KeyError::Fetch("it failed a moment ago".to_owned()))
        } else {
            *fetched_at = Some(Instant::now());
            self.fetch().await.inspect_err(|error| tracing::warn!(url = %self.url, "{error}"))
        };
        match (fetched, old) {
            (Ok(keys), _) => {
                let loaded = Arc::new(Loaded { keys, at: Instant::now() });
                *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Some(loaded.clone());
                Ok(loaded)
            }
            (Err(_), Some(old)) => Ok(old.clone()),
            (Err(error), None) => Err(error),
        }
    }

    fn loaded(&self) -> Option<Arc<Loaded>> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn fetch(&self) -> Result<Vec<Key>, KeyError> {
        let failed = |error: reqwest::Error| KeyError::Fetch(innermost(&error.without_url()));
        let request = self.client()?.get(self.url.clone()).send();
        let mut response =
            request.await.and_then(reqwest::Response::error_for_status).map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BYTES {
                return Err(KeyError::Fetch(format!("it has more than {MAX_BYTES} bytes")));
            }
        }
        Key::set(&body)
    }

    fn client(&self) -> Result<&reqwest::Client, KeyError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let secure = self.url.scheme() == "https";
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(secure)?)
            .https_only(secure)
            .redirect(reqwest::redirect::Policy::limited(MAX_REDIRECTS))
            .timeout(FETCH_TIMEOUT)
            .build()
            .map_err(|error| KeyError::Fetch(error.to_string()))?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// Trusts what the system trusts.
fn tls(secure: bool) -> Result<ClientConfig, KeyError> {
    let mut roots = RootCertStore::empty();
    if secure {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| KeyError::Fetch(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// What went wrong in the end: the outer errors only say that something did.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
