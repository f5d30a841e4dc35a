//! Calls through the facade: two sessions with a service of their own.

use std::{
    future::IntoFuture as _,
    net::Ipv4Addr,
    sync::Arc,
    time::{Duration, Instant},
};

use skapi_rtc::{
    Backend, Call, CallOptions, Channel, ConnectOptions, ConnectionId, DEFAULT_CHANNEL, Realtime,
    RealtimeEvent, RealtimeEvents, WebRtcBackend, connect_realtime,
};
use skapi_rtc_backend_webrtc::Config;
use skapi_rtc_server::{DevAuthenticator, Server};
use tokio::sync::{Mutex, mpsc};

use crate::{since, soon};

/// A service and two sessions, of which one accepts every call.
pub(crate) struct Stage {
    caller: Realtime,
    callee: ConnectionId,
    accepted: Mutex<mpsc::Receiver<(Call, Channel)>>,
    _keep: (Server, Realtime, RealtimeEvents),
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let dev = DevAuthenticator::new();
        // The bench dials faster than people do.
        let limits = skapi_rtc_server::Config::default().frame_rate(1_000_000, 1e6);
        let server = Server::builder()
            .config(limits)
            .authenticator(dev.clone())
            .listen("127.0.0.1:0".parse().unwrap())
            .start()
            .await
            .unwrap();
        let url = format!("http://{}", server.local_addr());
        let config = Config::default().addresses(vec![Ipv4Addr::LOCALHOST.into()]);
        let engine: Arc<dyn Backend> = Arc::new(WebRtcBackend::new(config).unwrap());
        let connect = async |user: &str| {
            let token = dev.mint(&user.parse().unwrap(), Duration::from_secs(3600));
            let options = ConnectOptions::new(&url, token).unwrap().backend(engine.clone());
            connect_realtime(options).await.unwrap()
        };
        let (caller, caller_events) = connect("caller").await;
        let (callee, callee_events) = connect("callee").await;
        let (sender, accepted) = mpsc::channel(1);
        tokio::spawn(accept(callee_events, sender));
        Self {
            caller,
            callee: callee.cid().unwrap(),
            accepted: Mutex::new(accepted),
            _keep: (server, callee, caller_events),
        }
    }

    /// A call, and the time from dialing until both sides have an open channel.
    pub(crate) async fn call(&self) -> (Pair, Duration) {
        let start = Instant::now();
        let options = CallOptions::default();
        let outgoing = self.caller.connect_rtc(self.callee.clone(), options).await.unwrap();
        let call = soon("the call", outgoing.into_future()).await.unwrap();
        let from = soon("a channel", call.channel(DEFAULT_CHANNEL)).await.unwrap();
        let (other, to) =
            soon("the callee", async { self.accepted.lock().await.recv().await }).await.unwrap();
        (Pair { call, other, from, to: Some(to) }, since(start))
    }
}

async fn accept(mut events: RealtimeEvents, accepted: mpsc::Sender<(Call, Channel)>) {
    while let Some(event) = events.next().await {
        if let RealtimeEvent::Incoming(incoming) = event {
            let call = incoming.connect_rtc(CallOptions::default()).await.unwrap();
            let channel = call.channel(DEFAULT_CHANNEL).await.unwrap();
            if accepted.send((call, channel)).await.is_err() {
                return;
            }
        }
    }
}

pub(crate) struct Pair {
    call: Call,
    other: Call,
    from: Channel,
    to: Option<Channel>,
}

impl Pair {
    pub(crate) async fn echo(&mut self, times: usize) -> Vec<Duration> {
        let mut to = self.to.take().unwrap();
        tokio::spawn(async move {
            while let Some(message) = to.recv().await {
                let _ = to.send(message).await;
            }
        });
        let mut measured = Vec::with_capacity(times);
        for _ in 0..times {
            let start = Instant::now();
            self.from.send(vec![1; 64]).await.unwrap();
            soon("echo", self.from.recv()).await.unwrap();
            measured.push(since(start));
        }
        measured
    }

    pub(crate) async fn transfer(&mut self, size: usize, count: usize) -> Duration {
        let mut to = self.to.take().unwrap();
        let start = Instant::now();
        let reader = tokio::spawn(async move {
            for _ in 0..count {
                to.recv().await.unwrap();
            }
        });
        let payload = vec![7; size];
        for _ in 0..count {
            self.from.send(payload.clone()).await.unwrap();
        }
        soon("transfer", reader).await.unwrap();
        since(start)
    }

    pub(crate) async fn close(self) {
        self.call.hangup().await;
        soon("the callee's end", self.other.ended()).await;
    }
}
