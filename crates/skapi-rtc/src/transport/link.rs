//! One socket's life: open it, carry frames both ways, watch that it lives, close it.

use std::{sync::Arc, time::Duration};

use skapi_rtc_protocol::{
    ClientFrame, DecodeError, Limits, ServerFrame, decode_server, encode_client,
};
use skapi_rtc_signaling::{LinkLoss, Resumption};
use tokio::sync::{mpsc, oneshot};

use super::{OpenError, OpenRequest, Ping, Received, Socket, SocketError, SocketSink, Transport};
use crate::{Endpoint, TokenError, runtime, runtime::Ticker, token::Tokens};

/// How often the other end is asked for a sign of life.
const PING_PERIOD: Duration = Duration::from_secs(15);
/// How many periods may pass without one.
const SILENT_PERIODS: u32 = 3;
/// How long opening a socket may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the other end may take no data before the link counts as lost.
const SEND_TIMEOUT: Duration = Duration::from_secs(20);
/// How long closing a socket in order may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Frames of the service are at most this large. Its own limit concerns what clients send; a content may
/// grow on the way, since one character can become six.
const MAX_SERVER_FRAME: usize = 1024 * 1024;

/// Close codes that say more than that the socket is gone (`docs/protocol.md`, §10).
const NOT_WEBSOCKET: u16 = 1002;
const TOO_FAST: u16 = 1008;
const TAKEN_OVER: u16 = 4003;
/// When to come back to a service for which we were too fast.
const AFTER_TOO_FAST: Duration = Duration::from_secs(10);

/// What happens on a socket.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    Up,
    Frame(ServerFrame),
    BadFrame(DecodeError),
    /// Last event.
    Down(LinkDown),
}

/// Why a socket is gone, as an error of its own and as the session understands it.
#[derive(Debug)]
pub(crate) struct LinkDown {
    pub(crate) cause: LinkCause,
    pub(crate) loss: LinkLoss,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LinkCause {
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Socket(#[from] SocketError),
}

/// Runs one socket until it is gone or `frames` ends, which closes it in order; or until it is given up, which
/// leaves it to the service to find it lost: a close frame would tell that we do not come back.
pub(crate) async fn run_link(
    transport: Arc<dyn Transport>,
    endpoint: Arc<Endpoint>,
    tokens: Tokens,
    resumption: Resumption,
    frames: mpsc::Receiver<ClientFrame>,
    events: mpsc::Sender<LinkEvent>,
    given_up: oneshot::Receiver<()>,
) {
    let opened = tokio::select! {
        opened = open(&*transport, &endpoint, &tokens, resumption) => opened,
        // Nobody wants the socket any more.
        () = events.closed() => return,
    };
    let outcome = match opened {
        Ok(socket) => {
            if events.send(LinkEvent::Up).await.is_err() {
                return;
            }
            tokio::select! {
                carried = carry(socket, frames, &events) => carried.map_err(LinkCause::Socket),
                Ok(()) = given_up => return,
            }
        }
        Err(cause) => Err(cause),
    };
    if let Err(cause) = outcome {
        let loss = loss(&cause);
        // A driver that is gone needs no news.
        let _ = events.send(LinkEvent::Down(LinkDown { cause, loss })).await;
    }
}

async fn open(
    transport: &dyn Transport,
    endpoint: &Endpoint,
    tokens: &Tokens,
    resumption: Resumption,
) -> Result<Socket, LinkCause> {
    let request = OpenRequest::new(tokens.get().await?, resumption);
    let opening = transport.open(endpoint, &request);
    match runtime::within(OPEN_TIMEOUT, opening).await {
        Some(socket) => Ok(socket?),
        None => Err(LinkCause::Open(OpenError::Failed {
            address: endpoint.address(),
            reason: format!("no answer within {} s", OPEN_TIMEOUT.as_secs()),
        })),
    }
}

async fn carry(
    mut socket: Socket,
    mut frames: mpsc::Receiver<ClientFrame>,
    events: &mpsc::Sender<LinkEvent>,
) -> Result<(), SocketError> {
    let limits = Limits::default().max_frame_bytes(MAX_SERVER_FRAME);
    let mut ticker = Ticker::new(PING_PERIOD);
    let mut silent_periods = 0;
    // Read only when the driver has taken what came before: a driver that cannot keep up holds the service
    // back, while our own frames still leave.
    let mut pending = None;
    loop {
        tokio::select! {
            frame = frames.recv() => match frame {
                Some(frame) => {
                    in_time(send_batch(&mut *socket.sink, frame, &mut frames)).await?;
                }
                None => {
                    runtime::within(CLOSE_TIMEOUT, socket.sink.close()).await;
                    return Ok(());
                }
            },
            permit = events.reserve(), if pending.is_some() => {
                // A driver that is gone takes no more, but what it has sent before still has to leave.
                if let (Ok(permit), Some(event)) = (permit, pending.take()) {
                    permit.send(event);
                }
            }
            received = socket.stream.recv(), if pending.is_none() => {
                silent_periods = 0;
                if let Received::Text(text) = received? {
                    pending = Some(match decode_server(&text, &limits) {
                        Ok(frame) => LinkEvent::Frame(frame),
                        Err(error) => LinkEvent::BadFrame(error),
                    });
                }
            },
            () = ticker.tick() => {
                if silent_periods == SILENT_PERIODS {
                    let silence = PING_PERIOD * SILENT_PERIODS;
                    let reason = format!("no sign of life for {} s", silence.as_secs());
                    return Err(SocketError::Broken(reason));
                }
                let ping = in_time(socket.sink.ping()).await?;
                if pending.is_none() && ping == Ping::Answered {
                    silent_periods += 1;
                }
            },
        }
    }
}

/// Sends a frame and all that wait behind it, with one flush.
async fn send_batch(
    sink: &mut dyn SocketSink,
    first: ClientFrame,
    frames: &mut mpsc::Receiver<ClientFrame>,
) -> Result<(), SocketError> {
    sink.feed(encode_client(&first)).await?;
    while let Ok(frame) = frames.try_recv() {
        sink.feed(encode_client(&frame)).await?;
    }
    sink.flush().await
}

async fn in_time<T>(
    sending: impl Future<Output = Result<T, SocketError>>,
) -> Result<T, SocketError> {
    let late = || SocketError::Broken("the service takes no frames any more".to_owned());
    runtime::within(SEND_TIMEOUT, sending).await.unwrap_or_else(|| Err(late()))
}

fn loss(cause: &LinkCause) -> LinkLoss {
    let reason = cause.to_string();
    match cause {
        LinkCause::Open(OpenError::Unauthorized { .. }) => LinkLoss::Refused { reason },
        LinkCause::Open(OpenError::Busy { retry_after, .. }) => {
            LinkLoss::Lost { reason, retry_after: *retry_after }
        }
        LinkCause::Socket(SocketError::Closed { code: NOT_WEBSOCKET, .. }) => {
            LinkLoss::Refused { reason }
        }
        LinkCause::Socket(SocketError::Closed { code: TAKEN_OVER, .. }) => {
            LinkLoss::TakenOver { reason }
        }
        LinkCause::Socket(SocketError::Closed { code: TOO_FAST, .. }) => {
            LinkLoss::Lost { reason, retry_after: Some(AFTER_TOO_FAST) }
        }
        _ => LinkLoss::Lost { reason, retry_after: None },
    }
}

#[cfg(test)]
mod tests {
    use skapi_rtc_protocol::{ServerFrame, encode_server};

    use super::*;
    use crate::transport::memory;

    /// What leaves last, such as a hang-up, must not depend on whether something has just arrived.
    #[tokio::test]
    async fn what_was_sent_before_the_end_leaves_though_news_wait() {
        for _ in 0..20 {
            let (transport, mut service) = memory::transport();
            let (frames, frame_receiver) = mpsc::channel(8);
            let (event_sender, mut events) = mpsc::channel(1);
            let link = tokio::spawn(run_link(
                Arc::new(transport),
                Arc::new(Endpoint::new("http://memory").unwrap()),
                Tokens(Arc::new("token".to_owned())),
                Resumption::default(),
                frame_receiver,
                event_sender,
                oneshot::channel().1,
            ));
            let mut socket = service.accept().await.unwrap();
            assert!(matches!(events.recv().await, Some(LinkEvent::Up)));
            for _ in 0..3 {
                socket.send(encode_server(&ServerFrame::Done { reference: 1 })).await;
            }
            // Now one of them waits in the queue, and another one for room there.
            while events.capacity() > 0 {
                tokio::task::yield_now().await;
            }
            tokio::task::yield_now().await;
            frames.send(ClientFrame::KeepAlive { received: None }).await.unwrap();
            drop(frames);
            drop(events);
            assert_eq!(
                socket.recv().await,
                Some(encode_client(&ClientFrame::KeepAlive { received: None }))
            );
            assert_eq!(socket.recv().await, None);
            link.await.unwrap();
        }
    }

    /// The service takes nothing, so there is no end of what was sent before.
    #[tokio::test]
    async fn a_socket_that_is_given_up_is_dropped_without_a_goodbye() {
        for give_up in [true, false] {
            let (transport, mut service) = memory::transport();
            let (frames, frame_receiver) = mpsc::channel(1024);
            let (event_sender, mut events) = mpsc::channel(1);
            let (given_up, is_given_up) = oneshot::channel();
            let link = tokio::spawn(run_link(
                Arc::new(transport),
                Arc::new(Endpoint::new("http://memory").unwrap()),
                Tokens(Arc::new("token".to_owned())),
                Resumption::default(),
                frame_receiver,
                event_sender,
                is_given_up,
            ));
            let mut socket = service.accept().await.unwrap();
            assert!(matches!(events.recv().await, Some(LinkEvent::Up)));
            while frames.try_send(ClientFrame::KeepAlive { received: None }).is_ok() {
                tokio::task::yield_now().await;
            }
            if give_up {
                given_up.send(()).unwrap();
                drop(frames);
                link.await.unwrap();
                while socket.recv().await.is_some() {}
            } else {
                drop((frames, given_up));
                while socket.recv().await.is_some() {}
                link.await.unwrap();
            }
            assert_eq!(socket.said_goodbye(), !give_up);
        }
    }

    /// Closing does not wait for a service that does not answer.
    #[tokio::test]
    async fn a_socket_that_nobody_wants_any_more_is_not_waited_for() {
        struct Never;
        #[async_trait::async_trait]
        impl crate::TokenProvider for Never {
            async fn token(&self) -> Result<String, TokenError> {
                std::future::pending().await
            }
        }
        let (transport, _service) = memory::transport();
        let (_frames, frame_receiver) = mpsc::channel(1);
        let (event_sender, events) = mpsc::channel(1);
        let link = tokio::spawn(run_link(
            Arc::new(transport),
            Arc::new(Endpoint::new("http://memory").unwrap()),
            Tokens(Arc::new(Never)),
            Resumption::default(),
            frame_receiver,
            event_sender,
            oneshot::channel().1,
        ));
        tokio::task::yield_now().await;
        drop(events);
        let ended = runtime::within(Duration::from_secs(5), link).await;
        assert!(ended.is_some(), "it still waits");
    }
}
