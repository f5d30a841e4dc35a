//! What must not wait for ever, stop, or stay behind, whoever fails or loses interest.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

mod support;

use std::{future::Future as _, sync::Arc};

use skapi_rtc::{
    CallOptions, ConnectError, ConnectOptions, EndReason, Endpoint, OpenError, PlaceError,
    QueryError, Recipient, SocketError, TokenError, TokenProvider, connect_realtime,
    protocol::{ClientFrame, Json, ServerFrame},
    transport::{OpenRequest, Received, Socket, SocketSink, SocketStream, Transport, memory},
};
use support::{
    memory::{cid, connected, hear_news, options, say, user},
    soon,
};

/// A socket that opens and is gone.
#[derive(Debug)]
struct Gone;

#[async_trait::async_trait]
impl Transport for Gone {
    async fn open(&self, _: &Endpoint, _: &OpenRequest) -> Result<Socket, OpenError> {
        Ok(Socket::new(Gone, Gone))
    }

    async fn query(&self, _: &Endpoint, _: &str, _: &str, _: String) -> Result<String, QueryError> {
        Err(QueryError::Unsupported)
    }
}

#[async_trait::async_trait]
impl SocketSink for Gone {
    async fn feed(&mut self, _: String) -> Result<(), SocketError> {
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), SocketError> {
        Ok(())
    }

    async fn close(&mut self) {}
}

#[async_trait::async_trait]
impl SocketStream for Gone {
    async fn recv(&mut self) -> Result<Received, SocketError> {
        Err(closed())
    }
}

fn closed() -> SocketError {
    SocketError::Closed { code: 4000, reason: "not you".to_owned() }
}

#[tokio::test]
async fn a_service_that_closes_at_once_is_told_with_its_reason() {
    let endpoint = Endpoint::new("http://gone").unwrap();
    let options = ConnectOptions::with_endpoint(endpoint, String::new()).transport(Arc::new(Gone));
    let error = soon("the error", connect_realtime(options)).await.unwrap_err();
    assert_eq!(error, ConnectError::Socket(closed()));
}

#[tokio::test]
async fn a_token_provider_that_panics_fails_the_connect() {
    struct Panics;
    #[async_trait::async_trait]
    impl TokenProvider for Panics {
        async fn token(&self) -> Result<String, TokenError> {
            panic!("on purpose")
        }
    }
    let (transport, _service) = memory::transport();
    let endpoint = Endpoint::new("http://memory").unwrap();
    let options = ConnectOptions::with_endpoint(endpoint, Panics).transport(Arc::new(transport));
    let error = soon("the error", connect_realtime(options)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Socket(_)), "{error:?}");
}

/// The driver has placed the call, and nobody fetches it.
#[tokio::test]
async fn a_call_that_nobody_picks_up_does_not_stay_behind() {
    let (transport, mut service) = memory::transport();
    let (realtime, _events, mut socket) = connected(options(transport), &mut service).await;
    let place = || realtime.connect_rtc(cid("peer"), CallOptions::default());
    let mut placing = Box::pin(place());
    std::future::poll_fn(|cx| {
        assert!(placing.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    // The offer has left, so the call is placed.
    hear_news(&mut socket).await;
    drop(placing);
    let again = async {
        loop {
            match place().await {
                Err(PlaceError::AlreadyInCall(_)) => tokio::task::yield_now().await,
                placed => return placed,
            }
        }
    };
    let _ = soon("the first call to end", again).await.unwrap();
}

/// Events that nobody reads are dropped; answers to requests must come through all the same.
#[tokio::test]
async fn posting_goes_on_though_nobody_reads_the_events() {
    let (transport, mut service) = memory::transport();
    let options = options(transport).event_capacity(4);
    let (realtime, _events, mut socket) = connected(options, &mut service).await;
    let serving = tokio::spawn(async move {
        loop {
            let ClientFrame::SendMessage { message, .. } = hear_news(&mut socket).await else {
                continue;
            };
            let own = ServerFrame::Private {
                content: Json::from_serialize("own").unwrap(),
                user: user("me"),
                from: cid("own"),
            };
            say(&socket, &own).await;
            let reference = message.reference.unwrap();
            say(&socket, &ServerFrame::Done { reference }).await;
        }
    });
    for n in 0..50 {
        let post = realtime.post_realtime(Recipient::User(user("me")), &n);
        soon("the answer", post).await.unwrap();
    }
    serving.abort();
}

#[test]
fn a_call_ends_with_the_runtime_of_its_session() {
    // Of one thread: with several, one may still see how the others' tasks go, and end the call for that.
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let (outgoing, _session) = first.block_on(async {
        let (transport, mut service) = memory::transport();
        let session = connected(options(transport), &mut service).await;
        let calling = session.0.connect_rtc(cid("peer"), CallOptions::default());
        (calling.await.unwrap(), (session, service))
    });
    first.shutdown_background();
    let end = runtime().block_on(soon("the end", outgoing.cancel()));
    assert_eq!(end.reason, EndReason::TransportFailed);
}
