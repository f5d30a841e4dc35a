//! The default transport in a browser: its WebSocket and its `fetch`.

use std::{cell::RefCell, rc::Rc};

use async_trait::async_trait;
use gloo_events::EventListener;
use js_sys::{Promise, Uint8Array};
use tokio::sync::{mpsc, watch};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortController, CloseEvent, MessageEvent, RequestInit, Response, VisibilityState, WebSocket,
};

use super::{
    OpenError, OpenRequest, QueryError, Received, Socket, SocketError, SocketSink, SocketStream,
    Transport,
    answers::{self, MAX_ANSWER, QUERY_TIMEOUT},
};
use crate::{Endpoint, runtime};

/// Frames that may wait for the link. A page cannot ask the browser to read more slowly, so a service that
/// sends more at once is too much for it.
const MAX_WAITING: usize = 4096;
/// What may wait in the browser for a service that does not read, before the link counts as broken.
const MAX_BUFFERED: u32 = 2 * 1024 * 1024;
/// The close code of an orderly end (RFC 6455 §7.4.1).
const NORMAL: u16 = 1000;
/// The close code of a socket that we give up, to come back on another.
const GIVEN_UP: u16 = 4000;
/// What a browser reports where there was no close code (RFC 6455 §7.1.5).
const ABNORMAL: u16 = 1006;

/// The browser's WebSocket and `fetch`.
#[derive(Debug, Clone, Default)]
pub struct WebSocketTransport(());

impl WebSocketTransport {
    /// A transport.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait(?Send)]
impl Transport for WebSocketTransport {
    async fn open(&self, endpoint: &Endpoint, request: &OpenRequest) -> Result<Socket, OpenError> {
        let failed = |reason: String| OpenError::Failed { address: endpoint.address(), reason };
        let socket =
            WebSocket::new(&endpoint.socket(request)).map_err(|error| failed(text_of(&error)))?;
        let (mut sink, stream) = wire(socket);
        if sink.opened().await {
            return Ok(Socket::new(sink, stream));
        }
        // A page is not told why. The same token on a query tells whether it was that.
        match self.query(endpoint, &request.token, "get-ws-group", "{}".to_owned()).await {
            Err(QueryError::Refused { status: 401 | 403, reason }) => {
                Err(OpenError::Unauthorized { address: endpoint.address(), reason })
            }
            Err(QueryError::Failed(reason)) => Err(failed(reason)),
            _ => Err(failed("it accepts no connection now".to_owned())),
        }
    }

    async fn query(
        &self,
        endpoint: &Endpoint,
        token: &str,
        path: &str,
        body: String,
    ) -> Result<String, QueryError> {
        let url = endpoint.query(path).map_err(|error| QueryError::Failed(error.to_string()))?;
        let abort = AbortOnDrop::new().map_err(failed)?;
        let request = RequestInit::new();
        request.set_method("POST");
        request.set_body(&JsValue::from_str(&body));
        request.set_signal(Some(&abort.0.signal()));
        let headers = web_sys::Headers::new().map_err(failed)?;
        headers.set("authorization", token).map_err(failed)?;
        headers.set("content-type", "application/json").map_err(failed)?;
        request.set_headers(&headers);
        let window = web_sys::window().ok_or_else(no_page)?;
        let answer = fetched(window.fetch_with_str_and_init(&url, &request));
        let late = || QueryError::Failed(format!("no answer in {} s", QUERY_TIMEOUT.as_secs()));
        let (status, answer) =
            runtime::within(QUERY_TIMEOUT, answer).await.unwrap_or_else(|| Err(late()))?;
        if status >= 400 {
            return Err(QueryError::Refused { status, reason: answers::said(&answer) });
        }
        String::from_utf8(answer).map_err(|error| QueryError::BadAnswer(error.to_string()))
    }

    /// The browser is online again, or its user looks at the page again: a hidden page may have slept.
    async fn sign_of_return(&self) {
        let Some((window, document)) =
            web_sys::window().and_then(|w| Some((w.clone(), w.document()?)))
        else {
            return std::future::pending().await;
        };
        let (sign, mut came) = mpsc::channel(1);
        let visible = {
            let (sign, page) = (sign.clone(), document.clone());
            move |_: &web_sys::Event| {
                if page.visibility_state() == VisibilityState::Visible {
                    let _ = sign.try_send(());
                }
            }
        };
        let online = move |_: &web_sys::Event| {
            let _ = sign.try_send(());
        };
        let _listeners = [
            EventListener::new(&document, "visibilitychange", visible),
            EventListener::new(&window, "online", online),
        ];
        let _ = came.recv().await;
    }
}

async fn fetched(answer: Promise) -> Result<(u16, Vec<u8>), QueryError> {
    let response: Response = JsFuture::from(answer).await.map_err(failed)?.unchecked_into();
    let body = JsFuture::from(response.array_buffer().map_err(failed)?).await.map_err(failed)?;
    let body = Uint8Array::new(&body);
    if body.length() as usize > MAX_ANSWER {
        return Err(QueryError::BadAnswer(format!("it has more than {MAX_ANSWER} bytes")));
    }
    Ok((response.status(), body.to_vec()))
}

/// Takes a request back that nobody waits for any more.
struct AbortOnDrop(AbortController);

impl AbortOnDrop {
    fn new() -> Result<Self, JsValue> {
        AbortController::new().map(Self)
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Open,
    Closed,
}

#[derive(Debug)]
struct Sink {
    socket: Rc<OwnedSocket>,
    phase: watch::Receiver<Phase>,
}

#[derive(Debug)]
struct Source {
    received: mpsc::Receiver<Result<String, SocketError>>,
    _socket: Rc<OwnedSocket>,
}

/// The browser's socket. Dropped with neither direction closed in order, it is given up: the service is not to
/// take that for a goodbye, which a browser would say by itself.
#[derive(Debug)]
struct OwnedSocket {
    socket: WebSocket,
    _listeners: [EventListener; 3],
}

impl Drop for OwnedSocket {
    fn drop(&mut self) {
        // Refused only for bad codes.
        let _ = self.socket.close_with_code(GIVEN_UP);
    }
}

/// Connects the browser's events with our two ends.
fn wire(socket: WebSocket) -> (Sink, Source) {
    let (phase, phase_seen) = watch::channel(Phase::Connecting);
    let (incoming, received) = mpsc::channel(MAX_WAITING);
    // Dropped at the end, so that the reader sees it once it has read what came before.
    let incoming = Rc::new(RefCell::new(Some(incoming)));
    let end = {
        let (incoming, phase) = (incoming.clone(), phase.clone());
        move |reason: Option<SocketError>| {
            phase.send_replace(Phase::Closed);
            if let (Some(incoming), Some(reason)) = (incoming.take(), reason) {
                // Without room the queue just ends, which the reader takes for a loss as well.
                let _ = incoming.try_send(Err(reason));
            }
        }
    };
    let overrun = end.clone();
    let listeners = [
        EventListener::new(&socket, "open", move |_| {
            phase.send_replace(Phase::Open);
        }),
        EventListener::new(&socket, "message", move |event| {
            let data = event.dyn_ref::<MessageEvent>().and_then(|event| event.data().as_string());
            let sent = match (data, &*incoming.borrow()) {
                (Some(text), Some(incoming)) => incoming.try_send(Ok(text)).is_ok(),
                // Bytes are no frames of the service.
                _ => true,
            };
            if !sent {
                overrun(None);
            }
        }),
        EventListener::new(&socket, "close", move |event| {
            end(event.dyn_ref().map(end_of_socket));
        }),
    ];
    let socket = Rc::new(OwnedSocket { socket, _listeners: listeners });
    let source = Source { received, _socket: socket.clone() };
    (Sink { socket, phase: phase_seen }, source)
}

impl Sink {
    /// Waits until the socket is open; false if it does not open.
    async fn opened(&mut self) -> bool {
        let known = self.phase.wait_for(|phase| *phase != Phase::Connecting).await;
        known.is_ok_and(|phase| *phase == Phase::Open)
    }
}

#[async_trait(?Send)]
impl SocketSink for Sink {
    async fn feed(&mut self, text: String) -> Result<(), SocketError> {
        let socket = &self.socket.socket;
        if socket.ready_state() != WebSocket::OPEN {
            return Err(lost());
        }
        socket.send_with_str(&text).map_err(|error| SocketError::Broken(text_of(&error)))
    }

    async fn flush(&mut self) -> Result<(), SocketError> {
        // The browser sends by itself; it says how much it has not got rid of.
        if self.socket.socket.buffered_amount() > MAX_BUFFERED {
            return Err(SocketError::Broken("the service takes no frames any more".to_owned()));
        }
        Ok(())
    }

    async fn close(&mut self) {
        let _ = self.socket.socket.close_with_code(NORMAL);
        // What was sent before leaves before the close frame, which the service answers.
        let _ = self.phase.wait_for(|phase| *phase == Phase::Closed).await;
    }
}

#[async_trait(?Send)]
impl SocketStream for Source {
    async fn recv(&mut self) -> Result<Received, SocketError> {
        match self.received.recv().await {
            Some(received) => received.map(Received::Text),
            None => Err(lost()),
        }
    }
}

fn end_of_socket(event: &CloseEvent) -> SocketError {
    match event.code() {
        ABNORMAL => SocketError::Broken("it ended without a goodbye".to_owned()),
        code => SocketError::Closed { code, reason: event.reason() },
    }
}

fn lost() -> SocketError {
    SocketError::Broken("it is gone, or more came than the page could take".to_owned())
}

fn no_page() -> QueryError {
    QueryError::Failed("there is no page to ask from".to_owned())
}

fn failed(error: JsValue) -> QueryError {
    QueryError::Failed(text_of(&error))
}

/// What an exception says.
fn text_of(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => error.as_string().unwrap_or_else(|| "the browser refused".to_owned()),
    }
}
