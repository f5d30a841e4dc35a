//! An engine whose candidates for UDP get lost on the way to the peer, as if a network let nothing through but TCP.

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use async_trait::async_trait;
use skapi_rtc_backend::{
    Backend, BackendError, Capabilities, ChannelError, ChannelHandle, ChannelInit, LocalTrack,
    LocalTrackHandle, MediaError, NegotiationError, OfferOptions, PeerConfig, PeerConnection,
    PeerEvent, PeerHandle, PeerStats, TrackInit, queue,
};
use skapi_rtc_protocol::{IceCandidate, IceServer, SessionDescription};

#[derive(Debug)]
pub(crate) struct WithoutUdp<B> {
    engine: B,
    detour: Option<Arc<Detour>>,
}

/// A proxy in front of where an engine listens.
#[derive(Debug)]
pub(crate) struct Detour {
    /// The port of the proxy.
    pub(crate) proxy: u16,
    /// The last port that the engine has named.
    pub(crate) engine: AtomicU16,
}

impl<B: Backend> WithoutUdp<B> {
    pub(crate) fn new(engine: B) -> Self {
        Self { engine, detour: None }
    }

    /// Whoever connects to the engine comes by way of a proxy.
    pub(crate) fn behind(engine: B, detour: Arc<Detour>) -> Self {
        Self { engine, detour: Some(detour) }
    }
}

#[async_trait]
impl<B: Backend> Backend for WithoutUdp<B> {
    fn name(&self) -> &'static str {
        self.engine.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.engine.capabilities()
    }

    async fn create_peer(&self, config: PeerConfig) -> Result<PeerHandle, BackendError> {
        let PeerHandle { peer, mut events, .. } = self.engine.create_peer(config).await?;
        let (told, reader) = queue(1, usize::MAX);
        let detour = self.detour.clone();
        let network = detour.clone();
        tokio::spawn(async move {
            while let Some(mut event) = events.recv().await {
                if let PeerEvent::Candidate(candidate) = &mut event {
                    match pass(&candidate.candidate, network.as_deref()) {
                        Some(passed) => candidate.candidate = passed,
                        None => continue,
                    }
                }
                let _ = told.send(event).await;
            }
        });
        Ok(PeerHandle::new(Arc::new(Peer { peer, detour }), reader))
    }
}

/// What the peer is told of a candidate, if anything.
fn pass(candidate: &str, detour: Option<&Detour>) -> Option<String> {
    let mut fields: Vec<_> = candidate.split(' ').map(str::to_owned).collect();
    let [_, _, protocol, _, _, port, ..] = &mut fields[..] else {
        return Some(candidate.to_owned());
    };
    if protocol.eq_ignore_ascii_case("udp") {
        return None;
    }
    if let Some(detour) = detour {
        detour.engine.store(port.parse().unwrap(), Ordering::SeqCst);
        *port = detour.proxy.to_string();
    }
    Some(fields.join(" "))
}

#[derive(Debug)]
struct Peer {
    peer: Arc<dyn PeerConnection>,
    detour: Option<Arc<Detour>>,
}

impl Peer {
    fn pass(&self, mut description: SessionDescription) -> SessionDescription {
        let lines = description.sdp.split_inclusive('\n');
        let passed = lines.filter_map(|line| match line.starts_with("a=candidate:") {
            true => pass(line, self.detour.as_deref()),
            false => Some(line.to_owned()),
        });
        description.sdp = passed.collect();
        description
    }
}

#[async_trait]
impl PeerConnection for Peer {
    async fn make_offer(
        &self,
        options: OfferOptions,
    ) -> Result<SessionDescription, NegotiationError> {
        self.peer.make_offer(options).await.map(|offer| self.pass(offer))
    }

    async fn accept_offer(
        &self,
        offer: SessionDescription,
    ) -> Result<SessionDescription, NegotiationError> {
        self.peer.accept_offer(offer).await.map(|answer| self.pass(answer))
    }

    async fn accept_answer(&self, answer: SessionDescription) -> Result<(), NegotiationError> {
        self.peer.accept_answer(answer).await
    }

    async fn rollback(&self) -> Result<(), NegotiationError> {
        self.peer.rollback().await
    }

    async fn add_candidate(&self, candidate: IceCandidate) -> Result<(), NegotiationError> {
        self.peer.add_candidate(candidate).await
    }

    async fn set_ice_servers(&self, servers: Vec<IceServer>) -> Result<(), BackendError> {
        self.peer.set_ice_servers(servers).await
    }

    async fn create_channel(
        &self,
        label: &str,
        init: ChannelInit,
    ) -> Result<ChannelHandle, ChannelError> {
        self.peer.create_channel(label, init).await
    }

    async fn add_track(&self, track: TrackInit) -> Result<LocalTrackHandle, MediaError> {
        self.peer.add_track(track).await
    }

    async fn remove_track(&self, track: &Arc<dyn LocalTrack>) -> Result<(), MediaError> {
        self.peer.remove_track(track).await
    }

    async fn stats(&self) -> Result<PeerStats, BackendError> {
        self.peer.stats().await
    }

    async fn close(&self) {
        self.peer.close().await;
    }
}
