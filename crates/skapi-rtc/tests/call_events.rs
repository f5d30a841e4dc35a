//! What an application is told of a call: that it rings, is accepted and up, why it did not come about, and
//! that a change did not reach the peer.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

mod support;

use std::{future::IntoFuture as _, sync::Arc, time::Duration};

use async_trait::async_trait;
use skapi_rtc::{
    Backend, BackendError, BusyPolicy, CallError, CallEvent, CallEvents, CallOptions, ChangeError,
    ChannelError, ChannelInit, Codec, EndReason, IceServer, LocalTrack, MediaError, Message,
    PeerStats, SessionConfig, Side, TrackInit, WebRtcBackend,
    backend::{
        Capabilities, ChannelHandle, LocalTrackHandle, NegotiationError, OfferOptions, PeerConfig,
        PeerConnection, PeerHandle,
    },
    connect_realtime,
    protocol::{IceCandidate, SessionDescription},
};
use support::{Service, call, incoming, soon};

/// The events that are no matter of the engine's.
async fn next(events: &mut CallEvents) -> Option<CallEvent> {
    soon("a call's event", async {
        loop {
            match events.next().await {
                Some(CallEvent::ConnectionState(_) | CallEvent::SelectedPair(_)) => {}
                event => return event,
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_call_tells_all_that_happens_to_it_also_to_those_who_ask_late() {
    let service = Service::start().await;
    let (alice, _events) = service.connect("alice").await;
    let (bob, mut bob_events) = service.connect("bob").await;
    let outgoing = alice.connect_rtc(bob.cid().unwrap(), CallOptions::default()).await.unwrap();
    let mut early = outgoing.events();
    assert_eq!(next(&mut early).await, Some(CallEvent::Ringing));
    let ringing = incoming(&mut bob_events).await;
    let mut at_callee = ringing.events();
    let accepting = tokio::spawn(ringing.connect_rtc(CallOptions::default()));
    soon("the answer", outgoing.accepted()).await.unwrap();
    let mut late = outgoing.events();
    for expected in [CallEvent::Accepted, CallEvent::Connected] {
        assert_eq!(next(&mut early).await, Some(expected));
    }
    for expected in [CallEvent::Ringing, CallEvent::Accepted, CallEvent::Connected] {
        assert_eq!(next(&mut late).await, Some(expected));
    }
    let at_bob = soon("the call", accepting).await.unwrap().unwrap();
    // The callee has accepted itself.
    assert_eq!(next(&mut at_callee).await, Some(CallEvent::Connected));
    let at_alice = soon("the call", outgoing.into_future()).await.unwrap();
    let mut from_now_on = at_alice.events();
    soon("the end", at_bob.hangup()).await;
    for events in [&mut early, &mut late, &mut from_now_on] {
        let Some(CallEvent::Ended(end)) = next(events).await else { panic!("no end") };
        assert_eq!((end.reason, end.by), (EndReason::HungUp, Side::Remote));
        assert_eq!(events.next().await, None);
    }
}

#[tokio::test]
async fn one_who_wants_no_second_call_is_busy_and_one_who_does_decides() {
    let service = Service::start().await;
    let session = SessionConfig::default().busy(BusyPolicy::Reject);
    let options = service.options("bob").session(session);
    let (bob, mut bob_events) = soon("bob", connect_realtime(options)).await.unwrap();
    let (alice, mut alice_events) = service.connect("alice").await;
    let (eve, _events) = service.connect("eve").await;
    let (at_alice, _at_bob) = call(&alice, &bob, &mut bob_events, CallOptions::default()).await;

    let to_bob = eve.connect_rtc(bob.cid().unwrap(), CallOptions::default()).await.unwrap();
    let error = soon("busy", to_bob.into_future()).await.unwrap_err();
    assert!(matches!(error, CallError::Ended(end) if end.reason == EndReason::Busy));

    let to_alice = eve.connect_rtc(alice.cid().unwrap(), CallOptions::default()).await.unwrap();
    let second = incoming(&mut alice_events).await;
    assert!(soon("the ringing", to_alice.ringing()).await);
    soon("declining", second.decline_busy()).await;
    let error = soon("busy", to_alice.into_future()).await.unwrap_err();
    assert!(matches!(error, CallError::Ended(end) if end.reason == EndReason::Busy));
    soon("the end", at_alice.hangup()).await;
}

#[tokio::test]
async fn a_callee_rings_no_longer_than_its_own_time() {
    let service = Service::start().await;
    let session = SessionConfig::default().ring_timeout(Duration::from_millis(300));
    let options = service.options("bob").session(session);
    let (bob, mut bob_events) = soon("bob", connect_realtime(options)).await.unwrap();
    let (alice, _events) = service.connect("alice").await;
    let outgoing = alice.connect_rtc(bob.cid().unwrap(), CallOptions::default()).await.unwrap();
    let ringing = incoming(&mut bob_events).await;
    let end = soon("the end of the ringing", ringing.cancelled()).await;
    assert_eq!((end.reason, end.by), (EndReason::NoAnswer, Side::Local));
    let error = soon("no answer", outgoing.into_future()).await.unwrap_err();
    let CallError::Ended(end) = error else { panic!("{error:?}") };
    assert_eq!((end.reason, end.by), (EndReason::NoAnswer, Side::Remote));
}

#[tokio::test]
async fn a_change_that_the_peer_refuses_is_told_to_its_author_and_the_call_goes_on() {
    let service = Service::start().await;
    let (alice, _events) = service.connect("alice").await;
    let options = service.options("bob").backend(Arc::new(Stubborn::default()));
    let (bob, mut bob_events) = soon("bob", connect_realtime(options)).await.unwrap();
    let (at_alice, at_bob) = call(&alice, &bob, &mut bob_events, CallOptions::default()).await;
    let channel = soon("alice's channel", at_alice.channel("default")).await.unwrap();
    let mut other = soon("bob's channel", at_bob.channel("default")).await.unwrap();

    let mut events = at_alice.events();
    let mut at_the_other_side = at_bob.events();
    let (track, _track_events) =
        LocalTrack::new(TrackInit::new([Codec::Opus], "stream", "late")).unwrap();
    at_alice.add_track(&track).await.unwrap();
    let told = next(&mut events).await;
    assert_eq!(told, Some(CallEvent::ChangeFailed(ChangeError::Refused)));
    at_alice.remove_track(&track).await.unwrap();

    channel.send("still here").await.unwrap();
    assert_eq!(soon("the message", other.recv()).await, Some(Message::from("still here")));
    soon("the end", at_alice.hangup()).await;
    // Whoever refuses need not be told.
    assert!(matches!(next(&mut at_the_other_side).await, Some(CallEvent::Ended(_))));
}

/// An engine that accepts the offer of a call, and none afterwards.
#[derive(Debug, Default)]
struct Stubborn(WebRtcBackend);

#[derive(Debug)]
struct StubbornPeer {
    inner: Arc<dyn PeerConnection>,
    accepted: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl Backend for Stubborn {
    fn name(&self) -> &'static str {
        "stubborn"
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn create_peer(&self, config: PeerConfig) -> Result<PeerHandle, BackendError> {
        let PeerHandle { peer, events, .. } = self.0.create_peer(config).await?;
        let peer = StubbornPeer { inner: peer, accepted: false.into() };
        Ok(PeerHandle::new(Arc::new(peer), events))
    }
}

#[async_trait]
impl PeerConnection for StubbornPeer {
    async fn make_offer(
        &self,
        options: OfferOptions,
    ) -> Result<SessionDescription, NegotiationError> {
        self.inner.make_offer(options).await
    }

    async fn accept_offer(
        &self,
        offer: SessionDescription,
    ) -> Result<SessionDescription, NegotiationError> {
        if self.accepted.swap(true, std::sync::atomic::Ordering::SeqCst) {
            return Err(NegotiationError::BadDescription("not with me".to_owned()));
        }
        self.inner.accept_offer(offer).await
    }

    async fn accept_answer(&self, answer: SessionDescription) -> Result<(), NegotiationError> {
        self.inner.accept_answer(answer).await
    }

    async fn rollback(&self) -> Result<(), NegotiationError> {
        self.inner.rollback().await
    }

    async fn add_candidate(&self, candidate: IceCandidate) -> Result<(), NegotiationError> {
        self.inner.add_candidate(candidate).await
    }

    async fn set_ice_servers(&self, servers: Vec<IceServer>) -> Result<(), BackendError> {
        self.inner.set_ice_servers(servers).await
    }

    async fn create_channel(
        &self,
        label: &str,
        init: ChannelInit,
    ) -> Result<ChannelHandle, ChannelError> {
        self.inner.create_channel(label, init).await
    }

    async fn add_track(&self, track: TrackInit) -> Result<LocalTrackHandle, MediaError> {
        self.inner.add_track(track).await
    }

    async fn remove_track(
        &self,
        track: &Arc<dyn skapi_rtc::backend::LocalTrack>,
    ) -> Result<(), MediaError> {
        self.inner.remove_track(track).await
    }

    async fn stats(&self) -> Result<PeerStats, BackendError> {
        self.inner.stats().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
