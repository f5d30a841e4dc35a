//! An engine for skapi-rtc of one's own, whole but for the network: both peers are in one process.
//!
//! `docs/guide/write-a-backend.md` walks through it. Start at [`Loopback`]. There is a file for each trait;
//! `network.rs` stands in the place of what an engine below does by itself.
//!
//! ```text
//!   Peer ──► Connection ── found by the id in the description ── Connection ◄── Peer
//!                 │ has                                               │ has
//!              Channel ───────── messages, with receipts ───────── Channel
//! ```

mod channel;
mod network;
mod peer;

use async_trait::async_trait;
use skapi_rtc_backend::{
    Backend, BackendError, Capabilities, PeerConfig, PeerHandle, TransportPolicy,
};

/// An engine whose connections reach each other inside one process, and nothing else.
#[derive(Debug, Clone, Copy, Default)]
pub struct Loopback;

#[async_trait]
impl Backend for Loopback {
    fn name(&self) -> &'static str {
        "loopback"
    }

    /// What is not set here is not there: media, TURN, `.local` candidates.
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.ice_restart = true;
        capabilities.incoming_reliability = true;
        capabilities.empty_messages = true;
        capabilities.back_pressure = true;
        capabilities.max_message_size = channel::MAX_MESSAGE_SIZE;
        capabilities
    }

    async fn create_peer(&self, config: PeerConfig) -> Result<PeerHandle, BackendError> {
        if config.transport_policy == TransportPolicy::Relay {
            return Err(BackendError::Config("this engine has no relayed candidates".to_owned()));
        }
        Ok(peer::Peer::open())
    }
}

/// The examples of the guide are tests too.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/write-a-backend.md")]
struct Guide;
