//! The life of one WebSocket connection: reading, writing, pings, and the farewell.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use skapi_rtc_protocol::{ClientFrame, DecodeError, ErrorCode, Limits, RequestRef, decode_client};
use tokio::time::{MissedTickBehavior, interval_at, timeout};

use super::{CloseReason, Seat, outbox::Next};
use crate::{
    http::reference_of,
    limits::{FrameGate, Pass},
};

/// How long the two sides take at most to say goodbye.
const FAREWELL: Duration = Duration::from_secs(2);

/// How a session ended.
enum End {
    /// The client closed the socket, with this code; its close frame is still to be answered.
    Closed(Option<u16>),
    /// The connection is gone.
    Lost,
    /// The service wants it closed.
    Close(CloseReason),
}

impl End {
    /// Whether the client does not mean to come back, or need not.
    fn is_goodbye(&self) -> bool {
        match self {
            // Normal closure, and a page that is left (RFC 6455 §7.4.1).
            Self::Closed(code) => matches!(code, None | Some(1000 | 1001)),
            Self::Lost => false,
            Self::Close(reason) => !reason.can_be_resumed(),
        }
    }
}

/// Serves a connection until it ends. Reading and writing go on side by side in one task, so a client
/// that writes a lot before it reads is still heard.
pub(super) async fn run(socket: WebSocket, seat: Seat) {
    let killed = seat.shared.killed.clone();
    tokio::select! {
        () = killed.cancelled() => {}
        () = serve(socket, seat) => {}
    }
}

async fn serve(socket: WebSocket, mut seat: Seat) {
    let (mut sink, mut stream) = socket.split();
    let end = tokio::select! {
        end = read(&mut stream, &seat) => end,
        end = write(&mut sink, &seat) => end,
    };
    if let End::Close(reason) = end {
        tracing::debug!(
            cid = seat.cid.as_str(),
            code = reason.code(),
            "closing: {}",
            reason.text()
        );
        if reason == CloseReason::Silent {
            seat.shared.metrics.silent_total.add(1);
        }
    }
    if end.is_goodbye() {
        seat.say_goodbye();
    }
    // The others are told before the farewell, which may take its time.
    drop(seat);
    let last_words = async {
        match end {
            End::Closed(_) => drop(sink.flush().await),
            End::Close(reason) => farewell(&mut sink, &mut stream, reason).await,
            End::Lost => {}
        }
    };
    let _ = timeout(FAREWELL, last_words).await;
}

async fn read(
    stream: &mut (impl Stream<Item = Result<Message, axum::Error>> + Unpin),
    seat: &Seat,
) -> End {
    let config = &seat.shared.config;
    let mut gate = FrameGate::new(config.frame_rate_limit(), Instant::now());
    loop {
        let message = match timeout(config.silence_timeout, stream.next()).await {
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(error))) => return failure(&error),
            Ok(None) => return End::Lost,
            Err(_) => return End::Close(CloseReason::Silent),
        };
        match message {
            Message::Close(frame) => return End::Closed(frame.map(|frame| frame.code)),
            // It answers a ping of ours, so it is never too much.
            Message::Pong(_) => continue,
            Message::Ping(_) | Message::Text(_) | Message::Binary(_) => {}
        }
        seat.shared.metrics.frames_in_total.add(1);
        match (gate.pass(Instant::now()), message) {
            (Pass::Abuse, _) => return End::Close(CloseReason::TooFast),
            (Pass::Drop { tell }, message) => dropped(seat, &message, tell),
            (Pass::Yes, Message::Text(text)) => handle(seat, &text),
            (Pass::Yes, Message::Binary(_)) => {
                let text = "Binary messages are not part of the protocol; send JSON as text.";
                refuse(seat, ErrorCode::BadFrame, text, None);
            }
            (Pass::Yes, _) => {}
        }
    }
}

/// Carries out a frame. A frame that cannot be read costs its sender an error, and nobody else anything.
fn handle(seat: &Seat, text: &str) {
    let limits = Limits::default().max_frame_bytes(seat.shared.config.max_frame_bytes);
    match decode_client(text, &limits) {
        Ok(frame) => seat.shared.router.handle_frame(seat.place(), frame),
        Err(error) => {
            let code = match error {
                DecodeError::TooLarge { .. } => ErrorCode::TooLarge,
                _ => ErrorCode::BadFrame,
            };
            refuse(seat, code, &sentence(&error), reference_of(text));
        }
    }
}

/// A frame with a `ref` gets its one answer even now; the others share one error a second.
fn dropped(seat: &Seat, message: &Message, tell: bool) {
    seat.shared.metrics.frames_dropped_total.add(1);
    let text = match message {
        Message::Text(text) => text.as_str(),
        Message::Binary(_) => "",
        _ => return,
    };
    let why = || (ErrorCode::TooFast, "You send too fast; frames were dropped.".to_owned());
    if is_keep_alive(text) {
        if tell {
            let (code, text) = why();
            seat.shared.router.tell(seat.place(), code, text);
        }
        return;
    }
    let reference = reference_of(text);
    let told = (tell || reference.is_some()).then(why);
    seat.shared.router.refuse(seat.place(), told, reference);
}

/// The one kind of message that neither side counts.
fn is_keep_alive(text: &str) -> bool {
    text.contains("keepAlive")
        && matches!(decode_client(text, &Limits::default()), Ok(ClientFrame::KeepAlive { .. }))
}

fn refuse(seat: &Seat, code: ErrorCode, text: &str, reference: Option<RequestRef>) {
    seat.shared.metrics.bad_frames_total.add(1);
    seat.shared.router.refuse(seat.place(), Some((code, text.to_owned())), reference);
}

async fn write(sink: &mut (impl Sink<Message, Error = axum::Error> + Unpin), seat: &Seat) -> End {
    let config = &seat.shared.config;
    let first_ping = tokio::time::Instant::now() + config.ping_interval;
    let mut pings = interval_at(first_ping, config.ping_interval);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let batch = tokio::select! {
            next = seat.outbox.next() => match next {
                Next::Send(frames) => frames,
                Next::Close(reason) => return End::Close(reason),
            },
            _ = pings.tick() => VecDeque::new(),
        };
        let sending = timeout(config.silence_timeout, send(sink, batch));
        tokio::select! {
            sent = sending => match sent {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return End::Lost,
                Err(_) => return End::Close(CloseReason::SlowConsumer),
            },
            reason = seat.outbox.given_up() => return End::Close(reason),
        }
    }
}

/// Sends a batch of frames with one flush, or a ping when there is nothing to send.
async fn send(
    sink: &mut (impl Sink<Message, Error = axum::Error> + Unpin),
    frames: VecDeque<Bytes>,
) -> Result<(), axum::Error> {
    if frames.is_empty() {
        sink.feed(Message::Ping(Bytes::new())).await?;
    }
    for frame in frames {
        let text = Utf8Bytes::try_from(frame).map_err(axum::Error::new)?;
        sink.feed(Message::Text(text)).await?;
    }
    sink.flush().await
}

/// Says why, and reads on until the client has answered: closing a socket with unread bytes in it would
/// take the close frame with it.
async fn farewell(
    sink: &mut (impl Sink<Message, Error = axum::Error> + Unpin),
    stream: &mut (impl Stream<Item = Result<Message, axum::Error>> + Unpin),
    reason: CloseReason,
) {
    // Reading goes on meanwhile: a client may not take our frame before it has got rid of its own.
    let say = async {
        let _ = sink.send(Message::Close(Some(reason.frame()))).await;
    };
    let listen = async { while let Some(Ok(_)) = stream.next().await {} };
    tokio::join!(say, listen);
}

fn failure(error: &axum::Error) -> End {
    // axum hides the type of the error, whose version it changes with its own, so the text has to do.
    let text = deepest(error).to_string();
    if text.contains("too long") {
        End::Close(CloseReason::TooBig)
    } else if deepest(error).is::<std::io::Error>() || text.contains("without closing handshake") {
        End::Lost
    } else {
        End::Close(CloseReason::Protocol)
    }
}

fn deepest(error: &axum::Error) -> &(dyn std::error::Error + 'static) {
    let mut error: &(dyn std::error::Error + 'static) = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

/// An error as a sentence of bounded length: it may quote what the client wrote.
fn sentence(error: &DecodeError) -> String {
    const LONGEST: usize = 300;
    let mut text = format!("Your frame was refused: {error}");
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
}
