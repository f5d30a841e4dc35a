//! A real service and sessions with it, for the tests of the facade.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file is a crate and uses its part; whatever fails ends a test"
)]

pub mod memory;
pub mod path;

use std::{
    future::{Future, IntoFuture},
    time::Duration,
};

use skapi_rtc::{
    CallOptions, ConnectOptions, IncomingCall, Realtime, RealtimeEvent, RealtimeEvents, UserId,
    connect_realtime,
};
use skapi_rtc_server::{Config, DevAuthenticator, Server};

/// Waits for a future; a test that waits longer says for what.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future)
        .await
        .unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// A service on a port of its own.
pub struct Service {
    pub server: Server,
    dev: DevAuthenticator,
}

impl Service {
    pub async fn start() -> Self {
        let dev = DevAuthenticator::new();
        let server = Self::serve(&dev, "127.0.0.1:0").await;
        Self { server, dev }
    }

    /// Stops the service and starts it anew at the same address.
    pub async fn restart(self) -> Self {
        self.restart_after(Duration::ZERO).await
    }

    /// The same, with a time in which nothing listens there.
    pub async fn restart_after(self, pause: Duration) -> Self {
        let address = self.server.local_addr().to_string();
        self.server.shutdown().await;
        tokio::time::sleep(pause).await;
        let server = Self::serve(&self.dev, &address).await;
        Self { server, dev: self.dev }
    }

    async fn serve(dev: &DevAuthenticator, address: &str) -> Server {
        // Tests dial faster than people do.
        let config = Config::default().frame_rate(100_000, 100_000.0);
        Server::builder()
            .config(config)
            .authenticator(dev.clone())
            .listen(address.parse().unwrap())
            .start()
            .await
            .unwrap()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.server.local_addr())
    }

    pub fn token(&self, user: &str) -> String {
        self.token_for(user, Duration::from_secs(3600))
    }

    pub fn token_for(&self, user: &str, ttl: Duration) -> String {
        self.dev.mint(&user.parse::<UserId>().unwrap(), ttl)
    }

    pub fn options(&self, user: &str) -> ConnectOptions {
        ConnectOptions::new(&self.url(), self.token(user)).unwrap()
    }

    pub async fn connect(&self, user: &str) -> (Realtime, RealtimeEvents) {
        soon("the connection", connect_realtime(self.options(user))).await.unwrap()
    }

    /// Connects and joins a group.
    pub async fn member(&self, user: &str, group: &str) -> (Realtime, RealtimeEvents) {
        let (realtime, events) = self.connect(user).await;
        soon("joining", realtime.join_realtime(group.parse().unwrap())).await.unwrap();
        (realtime, events)
    }
}

/// The next event that `pick` takes.
pub async fn next<T>(
    what: &str,
    events: &mut RealtimeEvents,
    mut pick: impl FnMut(RealtimeEvent) -> Option<T>,
) -> T {
    soon(what, async {
        loop {
            let event =
                events.next().await.unwrap_or_else(|| panic!("no {what}: the session ended"));
            if let Some(picked) = pick(event) {
                return picked;
            }
        }
    })
    .await
}

pub async fn incoming(events: &mut RealtimeEvents) -> IncomingCall {
    next("incoming call", events, |event| match event {
        RealtimeEvent::Incoming(call) => Some(call),
        _ => None,
    })
    .await
}

/// A call between two sessions, up on both sides.
pub async fn call(
    caller: &Realtime,
    callee: &Realtime,
    callee_events: &mut RealtimeEvents,
    options: CallOptions,
) -> (skapi_rtc::Call, skapi_rtc::Call) {
    let outgoing = caller.connect_rtc(callee.cid().unwrap(), options).await.unwrap();
    let incoming = incoming(callee_events).await;
    let (caller, callee) = soon("the call", async {
        tokio::join!(outgoing.into_future(), incoming.connect_rtc(CallOptions::default()))
    })
    .await;
    (caller.unwrap(), callee.unwrap())
}
