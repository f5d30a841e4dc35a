//! A service that the test plays itself, at the other end of a socket in memory.

use std::sync::Arc;

use skapi_rtc::{
    ConnectOptions, ConnectionId, Endpoint, Realtime, RealtimeEvents, UserId, connect_realtime,
    protocol::{ClientFrame, Limits, Ready, ServerFrame, decode_client, encode_server},
    transport::memory::{MemoryService, MemorySocket, MemoryTransport},
};

use super::soon;

pub fn options(transport: MemoryTransport) -> ConnectOptions {
    let endpoint = Endpoint::new("http://memory").unwrap();
    ConnectOptions::with_endpoint(endpoint, "token".to_owned()).transport(Arc::new(transport))
}

pub fn cid(text: &str) -> ConnectionId {
    ConnectionId::new(text).unwrap()
}

pub fn user(text: &str) -> UserId {
    UserId::new(text).unwrap()
}

pub fn greeting() -> ServerFrame {
    ServerFrame::Ready(Ready::new(cid("own"), user("me")))
}

pub async fn say(socket: &MemorySocket, frame: &ServerFrame) {
    socket.send(encode_server(frame)).await;
}

pub async fn hear(socket: &mut MemorySocket) -> ClientFrame {
    let text = soon("a frame", socket.recv()).await.expect("the client has closed the socket");
    decode_client(&text, &Limits::default()).unwrap()
}

/// The next frame that is no sign of life.
pub async fn hear_news(socket: &mut MemorySocket) -> ClientFrame {
    loop {
        match hear(socket).await {
            ClientFrame::KeepAlive { .. } => {}
            frame => return frame,
        }
    }
}

/// Connects to a service that greets.
pub async fn connected(
    options: ConnectOptions,
    service: &mut MemoryService,
) -> (Realtime, RealtimeEvents, MemorySocket) {
    let accepting = async {
        let socket = service.accept().await.unwrap();
        say(&socket, &greeting()).await;
        socket
    };
    let (session, socket) =
        soon("the connection", async { tokio::join!(connect_realtime(options), accepting) }).await;
    let (realtime, events) = session.unwrap();
    (realtime, events, socket)
}
