//! Calls through the facade: sessions with a service of their own, in this process.

use std::{
    collections::BTreeMap,
    future::IntoFuture as _,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use skapi_rtc::{
    Backend, Call, CallOptions, Channel, ConnectOptions, ConnectionId, DEFAULT_CHANNEL, Realtime,
    RealtimeEvent, RealtimeEvents, Str0mBackend, WebRtcBackend, connect_realtime,
};
use skapi_rtc_server::{DevAuthenticator, Server};
use tokio::sync::{Mutex, mpsc};

use crate::{soon, subject};

pub(crate) fn webrtc() -> Arc<dyn Backend> {
    let config = skapi_rtc_backend_webrtc::Config::default();
    Arc::new(WebRtcBackend::new(config.addresses(vec![Ipv4Addr::LOCALHOST.into()])).unwrap())
}

pub(crate) fn str0m() -> Arc<dyn Backend> {
    let config = skapi_rtc_backend_str0m::Config::default();
    Arc::new(Str0mBackend::new(config.addresses(vec![Ipv4Addr::LOCALHOST.into()])).unwrap())
}

/// A service, sessions that call and sessions that accept every call.
pub(crate) struct Stage {
    callers: Vec<Realtime>,
    callees: Vec<ConnectionId>,
    /// How many calls there have been: each is between another two, as two have one call at a time.
    calls: AtomicUsize,
    accepted: Mutex<mpsc::Receiver<(Call, Channel)>>,
    _keep: (Server, Vec<Realtime>, Vec<RealtimeEvents>),
}

impl Stage {
    pub(crate) async fn set(engine: Arc<dyn Backend>, calls: usize) -> Self {
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
        let connect = async |user: String| {
            let token = dev.mint(&user.parse().unwrap(), Duration::from_secs(3600));
            let options = ConnectOptions::new(&url, token).unwrap().backend(engine.clone());
            connect_realtime(options).await.unwrap()
        };
        let side = (1..).find(|side| side * side >= calls).unwrap();
        let (mut callers, mut callees, mut kept) = (Vec::new(), Vec::new(), BTreeMap::new());
        let (sender, accepted) = mpsc::channel(1);
        for number in 0..side {
            let (caller, events) = connect(format!("caller-{number}")).await;
            kept.insert(number, events);
            callers.push(caller);
            let (callee, events) = connect(format!("callee-{number}")).await;
            tokio::spawn(accept(events, sender.clone()));
            callees.push(callee);
        }
        Self {
            callers,
            callees: callees.iter().map(|callee| callee.cid().unwrap()).collect(),
            calls: AtomicUsize::new(0),
            accepted: Mutex::new(accepted),
            _keep: (server, callees, kept.into_values().collect()),
        }
    }
}

#[async_trait]
impl subject::Subject for Stage {
    /// A call, and the time from dialing until both sides have an open channel.
    async fn connect(&self) -> (Box<dyn subject::Pair>, Duration) {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let caller = &self.callers[number % self.callers.len()];
        let callee = self.callees[number / self.callers.len() % self.callees.len()].clone();
        let start = Instant::now();
        let outgoing = caller.connect_rtc(callee, CallOptions::default()).await.unwrap();
        let call = soon("the call", outgoing.into_future()).await.unwrap();
        let from = soon("a channel", call.channel(DEFAULT_CHANNEL)).await.unwrap();
        let (other, to) =
            soon("the callee", async { self.accepted.lock().await.recv().await }).await.unwrap();
        (Box::new(Pair { call, other, from, to: Some(to) }), start.elapsed())
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
            measured.push(start.elapsed());
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
        start.elapsed()
    }

    pub(crate) async fn close(self) {
        self.call.hangup().await;
        soon("the callee's end", self.other.ended()).await;
    }
}
