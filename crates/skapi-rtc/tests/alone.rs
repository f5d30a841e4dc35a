//! The facade without a network, a service or an engine: the other end of the socket is the test, the
//! engine a mock.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

mod support;

use std::{future::IntoFuture as _, sync::Arc, time::Duration};

use skapi_rtc::{
    Backend, CallError, CallOptions, ConnectOptions, ConnectionHook, EndReason, Endpoint,
    OpenError, QueryError, RealtimeEvent, SessionConfig, Side, TokenError, TokenProvider,
    backend::{
        BackendError, Capabilities, ChannelEvent, ChannelEvents, ChannelHandle, ConnectionState,
        EventSender, PeerEvent, PeerHandle, mock, queue,
    },
    protocol::{
        ClientFrame, IceCandidate, Json, RtcContent, RtcSignal, ServerFrame, SessionDescription,
    },
    transport::{OpenRequest, Socket, Transport, memory},
};
use support::{
    memory::{cid, connected, greeting, hear, hear_news, options, say, user},
    next, soon,
};

#[tokio::test]
async fn a_sign_of_life_comes_first_and_a_lost_socket_is_replaced_with_a_fresh_token() {
    struct Counting(std::sync::atomic::AtomicU32);
    #[async_trait::async_trait]
    impl TokenProvider for Counting {
        async fn token(&self) -> Result<String, TokenError> {
            Ok(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string())
        }
    }
    let (transport, mut service) = memory::transport();
    let endpoint = Endpoint::new("http://memory").unwrap();
    let options =
        ConnectOptions::with_endpoint(endpoint, Counting(0.into())).transport(Arc::new(transport));
    let (realtime, mut events, mut socket) = connected(options, &mut service).await;
    assert_eq!(socket.token, "0");
    assert_eq!(hear(&mut socket).await, ClientFrame::KeepAlive { received: None });
    assert_eq!(realtime.cid(), Some(cid("own")));

    drop(socket);
    next("the loss", &mut events, |event| match event {
        RealtimeEvent::Disconnected { .. } => Some(()),
        _ => None,
    })
    .await;
    let again = soon("the reconnect", service.accept()).await.unwrap();
    assert_eq!(again.token, "1");
    say(&again, &greeting()).await;
    next("the return", &mut events, |event| match event {
        RealtimeEvent::Connected { again: true, .. } => Some(()),
        _ => None,
    })
    .await;
}

#[tokio::test]
async fn a_sign_of_return_ends_the_wait_for_the_next_attempt() {
    #[derive(Debug)]
    struct Watchful(memory::MemoryTransport, Arc<tokio::sync::Notify>);
    #[async_trait::async_trait]
    impl Transport for Watchful {
        async fn open(
            &self,
            endpoint: &Endpoint,
            request: &OpenRequest,
        ) -> Result<Socket, OpenError> {
            self.0.open(endpoint, request).await
        }
        async fn query(
            &self,
            endpoint: &Endpoint,
            token: &str,
            path: &str,
            body: String,
        ) -> Result<String, QueryError> {
            self.0.query(endpoint, token, path, body).await
        }
        async fn sign_of_return(&self) {
            self.1.notified().await;
        }
    }
    let (transport, mut service) = memory::transport();
    let back = Arc::new(tokio::sync::Notify::new());
    let far_too_late = Duration::from_secs(24 * 3600);
    let options = options(transport.clone())
        .transport(Arc::new(Watchful(transport, back.clone())))
        .session(SessionConfig::default().reconnect_max(far_too_late).reconnect_base(far_too_late));
    let (_realtime, mut events, socket) = connected(options, &mut service).await;
    drop(socket);
    next("the loss", &mut events, |event| match event {
        RealtimeEvent::Disconnected { .. } => Some(()),
        _ => None,
    })
    .await;
    back.notify_one();
    soon("the next attempt", service.accept()).await.unwrap();
}

#[tokio::test]
async fn an_application_that_does_not_read_loses_posts_and_nothing_else() {
    let (transport, mut service) = memory::transport();
    let options = options(transport).event_capacity(2);
    let (_realtime, mut events, socket) = connected(options, &mut service).await;
    let post = |n: u32| ServerFrame::Private {
        content: Json::from_serialize(&n).unwrap(),
        user: user("u"),
        from: cid("c"),
    };
    for n in 0..200 {
        say(&socket, &post(n)).await;
    }
    let (mut got, mut lost) = (0, 0);
    soon("all posts", async {
        while got + lost < 200 {
            match events.next().await.unwrap() {
                RealtimeEvent::Private(_) => got += 1,
                RealtimeEvent::Lagged(count) => lost += count,
                _ => {}
            }
        }
    })
    .await;
    assert_eq!(got + lost, 200);
    assert!(lost > 0, "nothing was lost, so nothing was bounded");
}

#[tokio::test]
async fn what_cannot_be_read_is_told_and_harms_nothing() {
    let (transport, mut service) = memory::transport();
    let (_realtime, mut events, socket) = connected(options(transport), &mut service).await;
    socket.send("{broken").await;
    let rtc = Json::new(r#"{"sdpoffer": 7}"#).unwrap();
    say(&socket, &ServerFrame::Rtc { content: rtc, user: user("u"), from: cid("c") }).await;
    let origins = [None, Some(cid("c"))];
    for origin in origins {
        let from = next("the complaint", &mut events, |event| match event {
            RealtimeEvent::Unreadable { from, .. } => Some(from),
            _ => None,
        })
        .await;
        assert_eq!(from, origin);
    }
}

#[tokio::test]
async fn a_call_is_carried_out_step_by_step_on_any_engine() {
    let (transport, mut service) = memory::transport();
    let (peer_events, events_of_peer) = queue(16, usize::MAX);
    let (channel, channel_events) = channel();
    let mut peer = mock::MockPeerConnection::new();
    peer.expect_create_channel()
        .once()
        .withf(|label, _| label == "default")
        .return_once(|_, _| Ok(channel));
    peer.expect_make_offer().once().returning(|_| Ok(SessionDescription::offer("our offer")));
    let answered = SessionDescription::answer("their answer");
    let expected = answered.clone();
    peer.expect_accept_answer().once().withf(move |a| *a == expected).returning(|_| Ok(()));
    peer.expect_add_candidate().once().withf(|c| c.candidate == "theirs").returning(|_| Ok(()));
    peer.expect_close().returning(|| ());
    let handle = PeerHandle::new(Arc::new(peer), events_of_peer);
    let mut backend = engine();
    let handle = std::sync::Mutex::new(Some(handle));
    backend
        .expect_create_peer()
        .once()
        .returning(move |_| Ok(handle.lock().unwrap().take().unwrap()));

    let options = options(transport).backend(Arc::new(backend) as Arc<dyn Backend>);
    let (realtime, _events, mut socket) = connected(options, &mut service).await;
    let (seen, mut connections) = tokio::sync::mpsc::channel(2);
    let hook = ConnectionHook::new(move |connection| seen.try_send(connection.clone()).unwrap());
    let with_hook = CallOptions::default().on_connection(hook);
    let outgoing = realtime.connect_rtc(cid("peer"), with_hook).await.unwrap();
    let ClientFrame::Rtc { to, content, .. } = hear_news(&mut socket).await else { panic!() };
    assert_eq!(to, cid("peer"));
    let offer = RtcContent::decode(&content).unwrap();
    assert_eq!(offer.signal, RtcSignal::Offer(SessionDescription::offer("our offer")));
    assert!(connections.try_recv().is_ok(), "the application did not see the connection in time");
    assert!(connections.try_recv().is_err(), "it saw more than one");

    // Their candidate comes before their answer, and is held until that is in place.
    let theirs = IceCandidate { candidate: "theirs".into(), ..IceCandidate::default() };
    for signal in [RtcSignal::Candidate(theirs), RtcSignal::Answer(answered)] {
        let mut content = RtcContent::new(signal);
        content.call = offer.call;
        let frame =
            ServerFrame::Rtc { content: content.encode(), user: user("them"), from: cid("peer") };
        say(&socket, &frame).await;
    }
    peer_events.try_send(PeerEvent::State(ConnectionState::Connected)).unwrap();
    let call = soon("the call", outgoing.into_future()).await.unwrap();
    assert_eq!(call.user(), Some(user("them")));
    // Whoever stops waiting for a channel leaves it for the next one.
    let waiting = tokio::time::timeout(Duration::from_millis(20), call.channel("default"));
    assert!(waiting.await.is_err(), "nothing has opened the channel");
    channel_events.try_send(ChannelEvent::Open).unwrap();
    soon("the channel", call.channel("default")).await.unwrap();
    let end = soon("the end", call.hangup()).await;
    assert_eq!((end.reason, end.by), (EndReason::HungUp, Side::Local));
    drop(peer_events);
    soon("closing", realtime.close_realtime()).await;
}

#[tokio::test]
async fn an_engine_that_refuses_ends_the_call_with_its_words() {
    let (transport, mut service) = memory::transport();
    let mut backend = engine();
    backend
        .expect_create_peer()
        .returning(|_| Err(BackendError::Engine("no sockets left".to_owned())));
    let options = options(transport).backend(Arc::new(backend) as Arc<dyn Backend>);
    let (realtime, _events, _socket) = connected(options, &mut service).await;
    let outgoing = realtime.connect_rtc(cid("peer"), CallOptions::default()).await.unwrap();
    let error = soon("the error", outgoing.into_future()).await.unwrap_err();
    let CallError::Ended(end) = error else { panic!("{error:?}") };
    assert!(end.to_string().contains("no sockets left"), "{end}");
}

fn engine() -> mock::MockBackend {
    let mut backend = mock::MockBackend::new();
    backend.expect_name().return_const("mock");
    backend.expect_capabilities().returning(Capabilities::default);
    backend
}

fn channel() -> (ChannelHandle, EventSender<ChannelEvent>) {
    let mut channel = mock::MockDataChannel::new();
    channel.expect_label().return_const("default".to_owned());
    let (sender, events) = queue(1, usize::MAX);
    let handle = ChannelHandle::new(Arc::new(channel), ChannelEvents::new(events));
    (handle, sender)
}
