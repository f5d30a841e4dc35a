//! A pair of connections of the engine itself, with every setting that helps and needs no code of ours
//! around it: a 5 ms clamp on the driver's sleep, quick ICE checks, large socket buffers.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::BytesMut;
use rtc::{
    ice::mdns::MulticastDnsMode, peer_connection::configuration::setting_engine::SctpMaxMessageSize,
};
use tokio::sync::mpsc;
use webrtc::{
    data_channel::{DataChannel, DataChannelEvent},
    peer_connection::{
        MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler,
        RTCIceCandidateInit, RTCPeerConnectionIceEvent, SettingEngineBuilder,
    },
    runtime::{
        AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime,
        TokioRuntime,
    },
};

use crate::soon;

pub(crate) struct Pair {
    left: Arc<dyn PeerConnection>,
    right: Arc<dyn PeerConnection>,
    from: Arc<dyn DataChannel>,
    to: Arc<dyn DataChannel>,
}

impl Pair {
    pub(crate) async fn connect() -> (Self, Duration) {
        let (left, mut left_events) = peer().await;
        let (right, mut right_events) = peer().await;
        let from = left.create_data_channel("x", None).await.unwrap();

        let start = Instant::now();
        let offer = left.create_offer(None).await.unwrap();
        left.set_local_description(offer.clone()).await.unwrap();
        right.set_remote_description(offer).await.unwrap();
        let answer = right.create_answer(None).await.unwrap();
        right.set_local_description(answer.clone()).await.unwrap();
        left.set_remote_description(answer).await.unwrap();
        let other = right.clone();
        tokio::spawn(async move {
            while let Some(event) = left_events.recv().await {
                if let Event::Candidate(candidate) = event {
                    let _ = other.add_ice_candidate(candidate).await;
                }
            }
        });
        let other = left.clone();
        let (channels, mut channel) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(event) = right_events.recv().await {
                match event {
                    Event::Candidate(candidate) => {
                        let _ = other.add_ice_candidate(candidate).await;
                    }
                    Event::Channel(channel) => {
                        let _ = channels.send(channel);
                    }
                }
            }
        });
        soon("open", opened(&*from)).await;
        let to = soon("incoming channel", channel.recv()).await.unwrap();
        soon("open", opened(&*to)).await;
        (Self { left, right, from, to }, start.elapsed())
    }

    pub(crate) async fn echo(&mut self, times: usize) -> Vec<Duration> {
        let to = self.to.clone();
        tokio::spawn(async move {
            while let Some(event) = to.poll().await {
                if let DataChannelEvent::OnMessage(message) = event {
                    let _ = to.send(message.data).await;
                }
            }
        });
        let mut measured = Vec::with_capacity(times);
        for _ in 0..times {
            let start = Instant::now();
            self.from.send(BytesMut::from(&[1; 64][..])).await.unwrap();
            soon("echo", message(&*self.from)).await;
            measured.push(start.elapsed());
        }
        measured
    }

    pub(crate) async fn transfer(&mut self, size: usize, count: usize) -> Duration {
        let to = self.to.clone();
        let start = Instant::now();
        let reader = tokio::spawn(async move {
            for _ in 0..count {
                message(&*to).await;
            }
        });
        let payload = vec![7; size];
        for _ in 0..count {
            self.from.send(BytesMut::from(&payload[..])).await.unwrap();
        }
        soon("transfer", reader).await.unwrap();
        start.elapsed()
    }

    pub(crate) async fn close(self) {
        let _ = self.left.close().await;
        let _ = self.right.close().await;
    }
}

async fn opened(channel: &dyn DataChannel) {
    while !matches!(channel.poll().await.unwrap(), DataChannelEvent::OnOpen) {}
}

async fn message(channel: &dyn DataChannel) {
    while !matches!(channel.poll().await.unwrap(), DataChannelEvent::OnMessage(_)) {}
}

async fn peer() -> (Arc<dyn PeerConnection>, mpsc::UnboundedReceiver<Event>) {
    const SEND_BUFFER: usize = 1024 * 1024;
    let (events, reader) = mpsc::unbounded_channel();
    let settings = SettingEngineBuilder::new()
        .with_ice_connection_attempts(Some(Duration::from_millis(20)), Some(50))
        .with_prflx_acceptance_min_wait(Some(Duration::ZERO))
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(256 * 1024))
        .build();
    let peer = PeerConnectionBuilder::new()
        .with_runtime(Arc::new(Clamped))
        .with_handler(Arc::new(Handler(events)))
        .with_media_engine(MediaEngine::default())
        .with_setting_engine(settings)
        .with_data_channel_send_buffer_limit(SEND_BUFFER)
        .with_udp_addrs(vec!["127.0.0.1:0"])
        .build()
        .await
        .unwrap();
    (Arc::new(peer), reader)
}

enum Event {
    Candidate(RTCIceCandidateInit),
    Channel(Arc<dyn DataChannel>),
}

struct Handler(mpsc::UnboundedSender<Event>);

#[async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        let _ = self.0.send(Event::Candidate(event.candidate.to_json().unwrap()));
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        let _ = self.0.send(Event::Channel(channel));
    }
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[derive(Debug)]
struct Clamped;

impl Runtime for Clamped {
    fn spawn(&self, future: BoxFuture<'static, ()>) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn(future)
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        const SOCKET_BUFFER: usize = 4 * 1024 * 1024;
        let options = socket2::SockRef::from(&socket);
        options.set_recv_buffer_size(SOCKET_BUFFER)?;
        options.set_send_buffer_size(SOCKET_BUFFER)?;
        TokioRuntime.wrap_udp_socket(socket)
    }

    fn wrap_tcp_listener(
        &self,
        listener: std::net::TcpListener,
    ) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(
        &'a self,
        remote: SocketAddr,
    ) -> BoxFuture<'a, io::Result<Arc<dyn AsyncTcpStream>>> {
        TokioRuntime::connect_tcp(&TokioRuntime, remote)
    }

    fn resolve_host<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        TokioRuntime::resolve_host(&TokioRuntime, host)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        TokioRuntime.sleep(duration.min(Duration::from_millis(5)))
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }
}
