//! The engine itself: makes the browser's peer connections.

use std::sync::Arc;

use async_trait::async_trait;
use skapi_rtc_backend::{Backend, BackendError, Capabilities, PeerConfig, PeerHandle};
use web_sys::RtcPeerConnection;

use crate::{convert, peer::Peer};

/// What every browser can receive at once, in bytes.
const MAX_MESSAGE_SIZE: usize = 256 * 1024;

/// The browser's engine.
#[derive(Debug, Clone, Copy, Default)]
pub struct WebBackend(());

impl WebBackend {
    /// The engine of the browser in which the page runs.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait(?Send)]
impl Backend for WebBackend {
    fn name(&self) -> &'static str {
        "browser"
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.ice_restart = true;
        capabilities.mdns = true;
        capabilities.turn_udp = true;
        capabilities.turn_tcp = true;
        capabilities.turn_tls = true;
        capabilities.ice_tcp = true;
        capabilities.incoming_reliability = true;
        capabilities.empty_messages = true;
        capabilities.round_trip_time = true;
        capabilities.max_message_size = MAX_MESSAGE_SIZE;
        capabilities
    }

    async fn create_peer(&self, config: PeerConfig) -> Result<PeerHandle, BackendError> {
        let native = RtcPeerConnection::new_with_configuration(&convert::configuration(&config))
            .map_err(|error| BackendError::Config(convert::text_of(&error)))?;
        let (peer, events) = Peer::new(native);
        Ok(PeerHandle::new(Arc::new(peer), events))
    }
}
