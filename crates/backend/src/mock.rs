//! Mocks of the traits, made by [mockall], for tests of code that uses an engine.
//!
//! Not on `wasm32`: there the traits' futures are not `Send`, and mockall knows one form only.
//!
//! What a mock is not told to expect makes it panic. Events come from a [`queue`](crate::queue) or any
//! stream, so a test plays the engine's part by feeding them:
//!
//! ```
//! use std::sync::Arc;
//!
//! use skapi_rtc_backend::{
//!     Backend, ConnectionState, PeerConfig, PeerEvent, PeerHandle, mock, queue,
//! };
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let (events, reader) = queue(16, usize::MAX);
//! let mut peer = mock::MockPeerConnection::new();
//! peer.expect_close().times(1).return_const(());
//! let handle = PeerHandle::new(Arc::new(peer), reader);
//! let mut engine = mock::MockBackend::new();
//! engine.expect_create_peer().return_once(move |_| Ok(handle));
//!
//! let mut made = engine.create_peer(PeerConfig::default()).await.unwrap();
//! events.force_send(PeerEvent::State(ConnectionState::Connected));
//! assert!(matches!(
//!     made.events.recv().await,
//!     Some(PeerEvent::State(ConnectionState::Connected))
//! ));
//! made.peer.close().await;
//! # });
//! ```

use std::sync::Arc;

use async_trait::async_trait;
use mockall::mock;
use skapi_rtc_protocol::{IceCandidate, IceServer, SessionDescription};

use crate::{
    Backend, BackendError, Capabilities, ChannelError, ChannelHandle, ChannelInit, ChannelState,
    Codec, DataChannel, EncodedFrame, LocalTrack, LocalTrackHandle, MediaError, MediaKind, Message,
    NegotiationError, OfferOptions, PeerConfig, PeerConnection, PeerHandle, PeerStats, RemoteTrack,
    RtpPacket, TrackInit, TrackView,
};

mock! {
    /// A mock of [`Backend`].
    #[derive(Debug)]
    pub Backend {}

    #[async_trait]
    impl Backend for Backend {
        fn name(&self) -> &'static str;
        fn capabilities(&self) -> Capabilities;
        async fn create_peer(&self, config: PeerConfig) -> Result<PeerHandle, BackendError>;
    }
}

mock! {
    /// A mock of [`PeerConnection`].
    #[derive(Debug)]
    pub PeerConnection {}

    #[async_trait]
    impl PeerConnection for PeerConnection {
        async fn make_offer(
            &self,
            options: OfferOptions,
        ) -> Result<SessionDescription, NegotiationError>;
        async fn accept_offer(
            &self,
            offer: SessionDescription,
        ) -> Result<SessionDescription, NegotiationError>;
        async fn accept_answer(&self, answer: SessionDescription) -> Result<(), NegotiationError>;
        async fn rollback(&self) -> Result<(), NegotiationError>;
        async fn add_candidate(&self, candidate: IceCandidate) -> Result<(), NegotiationError>;
        async fn set_ice_servers(&self, servers: Vec<IceServer>) -> Result<(), BackendError>;
        async fn create_channel(
            &self,
            label: &str,
            init: ChannelInit,
        ) -> Result<ChannelHandle, ChannelError>;
        async fn add_track(&self, track: TrackInit) -> Result<LocalTrackHandle, MediaError>;
        async fn remove_track(&self, track: &Arc<dyn LocalTrack>) -> Result<(), MediaError>;
        async fn stats(&self) -> Result<PeerStats, BackendError>;
        async fn close(&self);
    }
}

mock! {
    /// A mock of [`DataChannel`].
    #[derive(Debug)]
    pub DataChannel {}

    #[async_trait]
    impl DataChannel for DataChannel {
        fn label(&self) -> &str;
        fn init(&self) -> &ChannelInit;
        fn id(&self) -> Option<u16>;
        fn state(&self) -> ChannelState;
        async fn send(&self, message: Message) -> Result<(), ChannelError>;
        fn try_send(&self, message: Message) -> Result<(), ChannelError>;
        fn buffered_amount(&self) -> usize;
        fn buffered_amount_low_threshold(&self) -> usize;
        fn set_buffered_amount_low_threshold(&self, bytes: usize);
        fn max_message_size(&self) -> usize;
        async fn close(&self);
    }
}

mock! {
    /// A mock of [`LocalTrack`].
    #[derive(Debug)]
    pub LocalTrack {}

    #[async_trait]
    impl LocalTrack for LocalTrack {
        fn kind(&self) -> MediaKind;
        fn codec(&self) -> Option<Codec>;
        async fn write(&self, frame: EncodedFrame) -> Result<(), MediaError>;
        async fn write_packet(&self, packet: RtpPacket) -> Result<(), MediaError>;
    }
}

mock! {
    /// A mock of [`RemoteTrack`].
    #[derive(Debug)]
    pub RemoteTrack {}

    #[async_trait]
    impl RemoteTrack for RemoteTrack {
        fn kind(&self) -> MediaKind;
        fn track_id(&self) -> &str;
        fn stream_id(&self) -> &str;
        fn set_view(&self, view: TrackView);
        async fn request_keyframe(&self) -> Result<(), MediaError>;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChannelEvent, ChannelEvents, queue};

    /// Code under test: sends what it has, tells whether the peer answered.
    async fn ask(peer: &dyn PeerConnection) -> Option<Message> {
        let mut handle = peer.create_channel("question", ChannelInit::default()).await.ok()?;
        while let Some(event) = handle.events.recv().await {
            match event {
                ChannelEvent::Open => handle.channel.send("well?".into()).await.ok()?,
                ChannelEvent::Message(answer) => return Some(answer),
                _ => {}
            }
        }
        None
    }

    #[tokio::test]
    async fn a_mock_plays_the_engine() {
        let (events, reader) = queue(4, usize::MAX);
        events.force_send(ChannelEvent::Open);
        let mut channel = MockDataChannel::new();
        channel.expect_send().withf(|message| *message == "well?".into()).return_once(move |_| {
            events.force_send(ChannelEvent::Message("yes".into()));
            Ok(())
        });
        let handle = ChannelHandle::new(Arc::new(channel), ChannelEvents::new(reader));
        let mut peer = MockPeerConnection::new();
        peer.expect_create_channel()
            .withf(|label, init| label == "question" && *init == ChannelInit::default())
            .return_once(move |_, _| Ok(handle));

        assert_eq!(ask(&peer).await, Some("yes".into()));
    }
}
