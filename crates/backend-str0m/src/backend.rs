//! The engine itself: makes peer connections, each with a driver of its own.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use skapi_rtc_backend::{
    Backend, BackendError, Capabilities, PeerConfig, PeerHandle, TransportPolicy, TurnTrust,
};
use str0m::Rtc;
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
};

use crate::{
    Config, ConfigError, IceTcp, convert,
    driver::{Driver, Parts},
    hub::Hub,
    network::Network,
    peer::Peer,
    servers::Bridge,
    shared::Shared,
};

/// Commands that wait for a driver.
const MAX_COMMANDS: usize = 16;

/// The str0m engine.
///
/// Connections run on the tokio runtime in which they are made, one task each.
#[derive(Debug, Clone, Default)]
pub struct Str0mBackend {
    config: Arc<Config>,
    shared_sockets: Arc<SharedSockets>,
    trust: TurnTrust,
}

impl Str0mBackend {
    /// An engine with these settings.
    ///
    /// # Errors
    /// Names the first setting that is out of range.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.validate()?;
        let trust = TurnTrust::new(config.tls_roots.clone());
        Ok(Self { config: Arc::new(config), shared_sockets: Arc::default(), trust })
    }

    fn network(&self, policy: TransportPolicy) -> std::io::Result<Network> {
        if policy == TransportPolicy::Relay {
            return Ok(Network::relayed(&self.config));
        }
        match self.config.shared_port {
            None => Network::own(&self.config),
            Some(port) => {
                Ok(Network::shared(&self.shared_sockets.open(&self.config, port)?, &self.config))
            }
        }
    }
}

/// The sockets that connections share, as long as there is one.
#[derive(Default)]
struct SharedSockets(Mutex<Weak<Hub>>);

impl SharedSockets {
    fn open(&self, config: &Config, port: u16) -> std::io::Result<Arc<Hub>> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hub) = open.upgrade() {
            return Ok(hub);
        }
        let hub = Hub::open(config, port)?;
        *open = Arc::downgrade(&hub);
        Ok(hub)
    }
}

impl std::fmt::Debug for SharedSockets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedSockets")
    }
}

#[async_trait]
impl Backend for Str0mBackend {
    fn name(&self) -> &'static str {
        "str0m"
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.media = true;
        capabilities.ice_restart = true;
        capabilities.turn_udp = true;
        capabilities.turn_tcp = true;
        capabilities.turn_tls = true;
        capabilities.ice_tcp = self.config.ice_tcp != IceTcp::Off;
        capabilities.round_trip_time = true;
        capabilities.incoming_reliability = true;
        capabilities.back_pressure = true;
        capabilities.max_message_size = self.config.max_message_size;
        capabilities
    }

    async fn create_peer(&self, config: PeerConfig) -> Result<PeerHandle, BackendError> {
        let runtime = Handle::try_current().map_err(|_| {
            BackendError::Engine("connections are made inside a tokio runtime".to_owned())
        })?;
        let bridge = Bridge::new(self.config.clone(), &self.trust);
        let servers = bridge.servers(config.ice_servers)?;
        let policy = config.transport_policy;
        let network =
            self.network(policy).map_err(|error| BackendError::Engine(error.to_string()))?;
        let (shared, events) =
            Shared::new(self.config.receive_buffer, self.config.max_message_size);
        let (commands, command_reader) = mpsc::channel(MAX_COMMANDS);
        let (alive, driver_watch) = watch::channel(());
        let rtc: Rtc = convert::engine(&self.config);
        let driver = Driver::new(Parts {
            rtc,
            config: self.config.clone(),
            shared: shared.clone(),
            commands: command_reader,
            network,
            servers,
            policy,
            alive,
        });
        runtime.spawn(driver.run());
        Ok(PeerHandle::new(Arc::new(Peer::new(shared, commands, driver_watch, bridge)), events))
    }
}
