//! The engine: something that makes peer connections.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;

use crate::{
    BackendError, Capabilities, MaybeSend, MaybeSync, PeerConfig, PeerConnection, PeerEvents,
};

/// A WebRTC engine.
///
/// An engine is a value (`Arc<dyn Backend>`), so one program can hold several, and none is chosen by
/// which cargo feature happens to be on.
#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
pub trait Backend: Debug + MaybeSend + MaybeSync + 'static {
    /// The engine's name, as it appears in logs: `"webrtc-rs"`, `"str0m"`, `"browser"`.
    fn name(&self) -> &'static str;

    /// What the engine can do.
    fn capabilities(&self) -> Capabilities;

    /// Makes a peer connection: `new RTCPeerConnection(config)` (W3C WebRTC §4.4).
    ///
    /// # Errors
    /// When the configuration cannot be used (a malformed URL, a transport the engine has not), or when
    /// the system refuses a socket.
    async fn create_peer(&self, config: PeerConfig) -> Result<PeerHandle, BackendError>;
}

/// A new peer connection together with its events.
#[derive(Debug)]
#[non_exhaustive]
pub struct PeerHandle {
    /// The connection. It stays open until [`PeerConnection::close`] or until the last handle is
    /// dropped.
    pub peer: Arc<dyn PeerConnection>,
    /// What happens on it. Whoever takes the handle reads them: the queue is bounded and an engine waits
    /// for room.
    pub events: PeerEvents,
}

impl PeerHandle {
    /// Pairs a connection with its events.
    pub fn new(peer: Arc<dyn PeerConnection>, events: PeerEvents) -> Self {
        Self { peer, events }
    }
}
