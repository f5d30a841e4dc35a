//! A server and its clients, for tests over real sockets.
#![allow(dead_code, reason = "each test is a program of its own and uses a part of this")]

pub(crate) mod scripts;

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use skapi_rtc_protocol::{
    ClientFrame, ClientMessage, ConnectionId, ErrorCode, GroupName, Json, Limits, NoticeCode,
    Ready, ServerFrame, UserId, decode_server, encode_client, http::ErrorBody,
};
use skapi_rtc_server::{Config, DevAuthenticator, Server};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message},
};

/// Far longer than anything here takes, even on a machine that is busy otherwise.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for something, and says for what when it does not come.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("gave up waiting for {what}"),
    }
}

pub(crate) struct TestServer {
    pub(crate) server: Server,
    pub(crate) dev: DevAuthenticator,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let dev = DevAuthenticator::new();
        let builder = Server::builder().config(config).dev(dev.clone());
        let server = builder.start().await.expect("the server starts");
        Self { server, dev }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    pub(crate) fn token(&self, user: &str) -> String {
        let user = UserId::new(user).expect("a user id");
        self.dev.mint(&user, Duration::from_secs(3600))
    }

    pub(crate) fn url(&self, user: &str) -> String {
        format!("ws://{}/ws?token={}", self.addr(), self.token(user))
    }

    pub(crate) async fn client(&self, user: &str) -> Client {
        Client::connect(&self.url(user)).await
    }

    /// A client that has joined a group.
    pub(crate) async fn member(&self, user: &str, group: &str) -> Client {
        let mut client = self.client(user).await;
        client.join(Some(group)).await;
        client
    }

    /// Asks over HTTP; the answer's status and body.
    pub(crate) async fn post(
        &self,
        path: &str,
        user: &str,
        body: &str,
    ) -> (u16, serde_json::Value) {
        let authorization = format!("Authorization: {}\r\n", self.token(user));
        let answer = http(self.addr(), "POST", path, &authorization, body).await;
        (answer.status, answer.json())
    }
}

pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub(crate) ready: Ready,
    next_ref: u32,
}

impl Client {
    pub(crate) async fn connect(url: &str) -> Self {
        let connecting = within("the WebSocket handshake", connect_async(url));
        let (socket, _) = connecting.await.expect("the server accepts");
        Self::greeted(socket).await
    }

    /// A client on a socket that is open.
    pub(crate) async fn greeted(socket: WebSocketStream<MaybeTlsStream<TcpStream>>) -> Self {
        let mut client = Self {
            socket,
            ready: Ready::new(cid("x"), UserId::new("x").expect("a user id")),
            next_ref: 1,
        };
        match client.next("#ready").await {
            ServerFrame::Ready(ready) => client.ready = ready,
            other => panic!("the first frame is {other:?}"),
        }
        client
    }

    pub(crate) fn cid(&self) -> ConnectionId {
        self.ready.cid.clone()
    }

    pub(crate) async fn send(&mut self, frame: &ClientFrame) {
        self.send_text(encode_client(frame)).await;
    }

    pub(crate) async fn send_text(&mut self, text: String) {
        let sending = self.socket.send(Message::text(text));
        within("a frame to be sent", sending).await.expect("sent");
    }

    /// The next message of any kind but pings and pongs.
    pub(crate) async fn message(&mut self, what: &str) -> Result<Message, tungstenite::Error> {
        loop {
            match within(what, self.socket.next()).await {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(message) => return message,
                None => return Err(tungstenite::Error::ConnectionClosed),
            }
        }
    }

    pub(crate) async fn next_text(&mut self, what: &str) -> String {
        match self.message(what).await {
            Ok(Message::Text(text)) => text.to_string(),
            other => panic!("{what}: got {other:?}"),
        }
    }

    pub(crate) async fn next(&mut self, what: &str) -> ServerFrame {
        let text = self.next_text(what).await;
        let limits = Limits::default().max_frame_bytes(usize::MAX);
        decode_server(&text, &limits).expect("a frame of the protocol")
    }

    /// The code and reason with which the server closes, after any other frames.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.message("the close frame").await {
                Ok(Message::Close(Some(frame))) => {
                    return (frame.code.into(), frame.reason.to_string());
                }
                Ok(Message::Text(_)) => {}
                other => panic!("instead of a close frame: {other:?}"),
            }
        }
    }

    /// Joins, and waits until it is done.
    pub(crate) async fn join(&mut self, group: Option<&str>) {
        let reference = self.reference();
        let frame = ClientFrame::JoinRoom {
            group: group.map(group_name),
            token: None,
            reference: Some(reference),
        };
        self.send(&frame).await;
        let done = self.next("the join to be done").await;
        assert_eq!(done, ServerFrame::Done { reference });
    }

    /// Proves that nothing else is on its way: the answer to this is the next frame.
    pub(crate) async fn expect_nothing(&mut self) {
        let reference = self.reference();
        let to = cid("nobody");
        let frame =
            ClientFrame::Rtc { to, content: Json::null(), token: None, reference: Some(reference) };
        self.send(&frame).await;
        match self.next("the answer to a frame to nobody").await {
            ServerFrame::Error {
                code: Some(ErrorCode::UnknownConnection),
                reference: answered,
                ..
            } => assert_eq!(answered, Some(reference)),
            other => panic!("expected nothing, got {other:?}"),
        }
    }

    pub(crate) async fn expect_notice(&mut self, code: NoticeCode, about: &ConnectionId) {
        match self.next(code.as_str()).await {
            ServerFrame::Notice(notice) => {
                assert_eq!((&notice.code, &notice.from), (&code, about));
            }
            other => panic!("expected {code}, got {other:?}"),
        }
    }

    pub(crate) async fn expect_error(&mut self, code: ErrorCode) -> (String, Option<u32>) {
        match self.next(code.as_str()).await {
            ServerFrame::Error { text, code: Some(got), reference } => {
                assert_eq!(got, code, "{text}");
                (text, reference)
            }
            other => panic!("expected {code}, got {other:?}"),
        }
    }

    fn reference(&mut self) -> u32 {
        self.next_ref += 1;
        self.next_ref
    }
}

pub(crate) fn cid(text: &str) -> ConnectionId {
    ConnectionId::new(text).expect("a connection id")
}

pub(crate) fn group_name(text: &str) -> GroupName {
    GroupName::new(text).expect("a group name")
}

pub(crate) fn broadcast(group: &str, content: &str) -> ClientFrame {
    ClientFrame::Broadcast {
        group: group_name(group),
        message: ClientMessage::new(Json::from(content)),
    }
}

pub(crate) fn private(user: &str, content: &str) -> ClientFrame {
    ClientFrame::SendMessage {
        user: UserId::new(user).expect("a user id"),
        message: ClientMessage::new(Json::from(content)),
    }
}

pub(crate) fn rtc(to: ConnectionId, content: &str, reference: Option<u32>) -> ClientFrame {
    ClientFrame::Rtc { to, content: Json::from(content), token: None, reference }
}

/// Connects in vain: the status and the code of the answer.
pub(crate) async fn refusal(url: &str) -> (u16, String) {
    match within("a refusal", connect_async(url)).await {
        Err(tungstenite::Error::Http(response)) => {
            let body = response.body().as_deref().expect("a body");
            let body: ErrorBody = serde_json::from_slice(body).expect("an error in JSON");
            assert!(!body.message.is_empty());
            let retry = response.headers().contains_key("retry-after");
            let status = response.status().as_u16();
            let temporary = ["OVERLOADED", "SERVICE_FULL", "TOO_MANY_CONNECTIONS"];
            assert_eq!(retry, temporary.contains(&&*body.code));
            (status, body.code)
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// An answer over HTTP.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("a body in JSON")
    }

    /// A header's value; the name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// The plainest HTTP client: one request a connection.
pub(crate) async fn http(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Answer {
    let headers = format!("Host: {addr}\r\n{headers}");
    http_without_host(addr, method, path, &headers, body).await
}

/// The same; the headers have to hold the host.
pub(crate) async fn http_without_host(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Answer {
    let exchange = async {
        let mut stream = TcpStream::connect(addr).await.expect("connected");
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{headers}\r\n{body}"
        );
        // A refusal may come before the whole request has been taken.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).expect("an answer in UTF-8")
    };
    let answer = within("an answer over HTTP", exchange).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Answer { status: status.expect("a status"), head: head.to_owned(), body: body.to_owned() }
}
