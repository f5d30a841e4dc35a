//! The server: how it is built, started and stopped.

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Instant,
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    accept,
    admission::Admission,
    auth::{Authenticator, DevAuthenticator, ResumeKey},
    bus::LocalBus,
    config::{Config, ConfigError},
    directory::Directory,
    http,
    limits::QueryGate,
    metrics::{Metrics, MetricsSnapshot},
    router::Router,
    shared::Shared,
    shutdown,
    tls::Tls,
    windows,
};

/// A running realtime service.
///
/// Dropped without [`shutdown`](Self::shutdown), it stops where it stands: its clients are cut off.
pub struct Server {
    shared: Arc<Shared>,
    local_addr: SocketAddr,
}

/// A server that is not started yet. Made by [`Server::builder`].
#[derive(Clone)]
#[must_use = "a server does nothing before `start`"]
pub struct ServerBuilder {
    config: Config,
    authenticator: Option<Arc<dyn Authenticator>>,
    dev: Option<DevAuthenticator>,
    resume_key: Option<ResumeKey>,
    tls: Option<Tls>,
    listen: SocketAddr,
}

/// A server could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration makes no sense.
    #[error("the configuration is invalid: {0}")]
    Config(#[from] ConfigError),
    /// Nobody decides who clients are.
    #[error(
        "no authenticator was given; use `ServerBuilder::authenticator` or `ServerBuilder::dev`"
    )]
    NoAuthenticator,
    /// Somebody else listens there.
    #[error(
        "the address {0} is in use; stop whoever listens there, or choose another port (0 takes a free one)"
    )]
    AddressInUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The folder with files to serve cannot be read.
    #[error("the folder {} cannot be served: {source}", folder.display())]
    Web {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Server {
    /// A server with the default configuration that listens on a free port of 127.0.0.1.
    pub fn builder() -> ServerBuilder {
        ServerBuilder {
            config: Config::default(),
            authenticator: None,
            dev: None,
            resume_key: None,
            tls: None,
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
        }
    }

    /// The address that the server listens on, with the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// What the server has done so far.
    pub fn metrics(&self) -> MetricsSnapshot {
        self.shared.metrics.snapshot()
    }

    /// Stops: the port is free at once, clients get what was queued for them and then a close frame with
    /// code 1001. Returns when the last one has gone, at the latest a moment after
    /// [`Config::shutdown_grace`].
    pub async fn shutdown(self) {
        shutdown::run(&self.shared).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.cancel();
        self.shared.killed.cancel();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("local_addr", &self.local_addr).finish_non_exhaustive()
    }
}

impl ServerBuilder {
    /// Sets the configuration. Default: [`Config::default`].
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sets who decides who clients are.
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.authenticator = Some(Arc::new(authenticator));
        self
    }

    /// Turns the dev mode on: this authenticator decides, and `POST /dev/token` and `POST /dev/session` give
    /// tokens for any user to anybody who asks. Never for a service that others can reach.
    pub fn dev(mut self, dev: DevAuthenticator) -> Self {
        self.authenticator = Some(Arc::new(dev.clone()));
        self.dev = Some(dev);
        self
    }

    /// Sets the key that signs the secrets by which clients come back. With the same key they can after
    /// a restart, and at another server. Default: one of the dev mode's secret, otherwise a random one.
    pub fn resume_key(mut self, key: ResumeKey) -> Self {
        self.resume_key = Some(key);
        self
    }

    /// Serves over TLS only: HTTPS and secure WebSocket, on the one port. Default: over plain TCP.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sets the address to listen on; port 0 takes a free one. Default: `127.0.0.1:0`.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Starts the server on the Tokio runtime that this is called in.
    ///
    /// # Errors
    /// When the configuration is invalid, no authenticator was given, the folder of
    /// [`Config::web`] cannot be read, or the address cannot be listened on.
    pub async fn start(self) -> Result<Server, StartError> {
        self.config.validate()?;
        let authenticator = self.authenticator.ok_or(StartError::NoAuthenticator)?;
        let address = self.listen;
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::AddressInUse(address),
            _ => StartError::Listen { address, source },
        };
        if let Some(folder) = &self.config.web {
            std::fs::read_dir(folder)
                .map_err(|source| StartError::Web { folder: folder.clone(), source })?;
        }
        let listener = accept::listen(address).map_err(refused)?;
        let local_addr = listener.local_addr().map_err(refused)?;
        if self.dev.is_some() {
            tracing::warn!(
                target: "skapi_rtc_server::dev_mode",
                %local_addr,
                "DEV MODE: anybody who reaches this service can be any user; \
                 never run it where others can reach it"
            );
        }
        let of_dev = || self.dev.as_ref().map(|dev| dev.resume_key().clone());
        let resume_key = self.resume_key.or_else(of_dev).unwrap_or_else(ResumeKey::random);
        let metrics = Arc::new(Metrics::default());
        let shared = Arc::new(Shared {
            tls: self.tls,
            authenticator,
            public_address: self.config.public_address()?,
            dev: self.dev,
            resume_key,
            last_project: Mutex::default(),
            directory: Mutex::new(Directory::new(self.config.max_known_users)),
            router: Router::new(self.config.hub_limits(), LocalBus, metrics.clone()),
            queries: Mutex::new(QueryGate::new(self.config.query_rate_limit())),
            admission: Mutex::new(Admission::new(
                self.config.open_rate_limit(),
                self.config.max_open_wait,
                Instant::now(),
            )),
            config: self.config,
            metrics,
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            killed: CancellationToken::new(),
        });
        let routes = http::routes(shared.clone());
        shared.tasks.spawn(windows::run(shared.clone()));
        shared.tasks.spawn(accept::run(listener, routes, shared.clone()));
        Ok(Server { shared, local_addr })
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("config", &self.config)
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}
