//! The engine itself: makes peer connections with the settings that make webrtc-rs quick.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use rtc::{
    ice::mdns::MulticastDnsMode, peer_connection::configuration::setting_engine::SctpMaxMessageSize,
};
use skapi_rtc_backend::{
    Backend, BackendError, Capabilities, PeerConfig, PeerHandle, TransportPolicy, TurnBridge,
    TurnTrust,
};
use tokio::runtime::Handle;
use webrtc::peer_connection::{
    PeerConnection as EnginePeer, PeerConnectionBuilder, SettingEngine, SettingEngineBuilder,
};

use crate::{
    Config, ConfigError,
    addresses::LocalAddresses,
    convert,
    handler::Handler,
    media,
    peer::Peer,
    pulse::Pulse,
    runtime::{EngineRuntime, SocketBuffers},
    shared::Shared,
};

/// How often a pair of addresses is tried before it counts as failed: at the default interval for 10 s,
/// in which a peer that comes late or a slow TURN server still gets its chance.
const CHECKS_PER_PAIR: u16 = 500;

/// The webrtc-rs engine.
///
/// Connections run on the tokio runtime in which they are made, one task each.
#[derive(Debug, Clone, Default)]
pub struct WebRtcBackend {
    config: Arc<Config>,
    trust: TurnTrust,
}

impl WebRtcBackend {
    /// An engine with these settings.
    ///
    /// # Errors
    /// Names the first setting that is out of range.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.validate()?;
        let trust = TurnTrust::new(config.tls_roots.clone());
        Ok(Self { config: Arc::new(config), trust })
    }

    fn settings(&self, policy: TransportPolicy) -> SettingEngine {
        let config = &self.config;
        let max_message_size = u32::try_from(config.max_message_size).unwrap_or(u32::MAX);
        let mdns =
            if config.mdns { MulticastDnsMode::QueryOnly } else { MulticastDnsMode::Disabled };
        // Relayed pairs wait for better ones, by default two seconds, unless there can be none.
        let nothing_better = (policy == TransportPolicy::Relay).then_some(Duration::ZERO);
        SettingEngineBuilder::new()
            .with_ice_timeouts(
                Some(config.disconnected_after),
                Some(config.failed_after),
                Some(config.keepalive),
            )
            .with_ice_connection_attempts(Some(config.check_interval), Some(CHECKS_PER_PAIR))
            // A pair that answers is good, whoever found it: the default waits a second for better.
            .with_prflx_acceptance_min_wait(Some(Duration::ZERO))
            .with_relay_acceptance_min_wait(nothing_better)
            .with_multicast_dns_mode(mdns)
            .with_include_loopback_candidate(true)
            // An ICE restart binds new sockets, or it could not follow the machine to another network.
            .with_discard_local_candidates_during_ice_restart(true)
            .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(max_message_size))
            .build()
    }
}

#[async_trait]
impl Backend for WebRtcBackend {
    fn name(&self) -> &'static str {
        "webrtc-rs"
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.media = true;
        capabilities.ice_restart = true;
        capabilities.round_trip_time = true;
        capabilities.mdns = self.config.mdns;
        capabilities.turn_udp = true;
        capabilities.turn_tcp = true;
        capabilities.turn_tls = true;
        capabilities.empty_messages = true;
        capabilities.back_pressure = true;
        capabilities.max_message_size = self.config.max_message_size;
        capabilities
    }

    async fn create_peer(&self, mut config: PeerConfig) -> Result<PeerHandle, BackendError> {
        let runtime = Handle::try_current().map_err(|_| {
            BackendError::Engine("connections are made inside a tokio runtime".to_owned())
        })?;
        let settings = self.settings(config.transport_policy);
        let bridge = Arc::new(TurnBridge::new(&self.trust));
        let addresses = LocalAddresses(self.config.clone());
        config.ice_servers = bridge.carry(config.ice_servers, || addresses.chosen())?;
        let pulse = Arc::new(Pulse::new(&self.config));
        let (shared, events) = Shared::new(
            pulse.clone(),
            self.config.send_buffer,
            self.config.max_message_size,
            addresses.clone(),
            runtime,
        );
        let buffers = SocketBuffers {
            receive: self.config.receive_socket_buffer,
            send: self.config.send_socket_buffer,
        };
        let watch = Arc::downgrade(&shared);
        let engine_runtime = EngineRuntime::new(pulse, shared.ledger.clone(), buffers, watch);
        let handler = Handler { shared: shared.clone() };
        let broken = |error| convert::create_error(&error);
        let mut media_engine = media::media_engine().map_err(broken)?;
        let interceptors =
            media::interceptors(&mut media_engine, &shared.keyframe_requests).map_err(broken)?;
        let engine = PeerConnectionBuilder::new()
            .with_configuration(convert::configuration(config))
            .with_setting_engine(settings)
            .with_media_engine(media_engine)
            .with_interceptor_registry(interceptors)
            .with_runtime(Arc::new(engine_runtime))
            .with_handler(Arc::new(handler))
            .with_udp_addrs(vec![addresses.clone()])
            .build()
            .await
            .map_err(broken)?;
        let engine: Arc<dyn EnginePeer> = Arc::new(engine);
        shared.set_engine_peer(&engine);
        Ok(PeerHandle::new(Arc::new(Peer::new(engine, shared, bridge, addresses)), events))
    }
}
