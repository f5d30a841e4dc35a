//! A pair of connections through our traits.

use std::{
    net::Ipv4Addr,
    sync::Arc,
    time::{Duration, Instant},
};

use skapi_rtc_backend::{
    Backend, ChannelEvent, ChannelHandle, ChannelInit, Message, OfferOptions, PeerConfig,
    PeerConnection, PeerEvent, PeerEvents,
};
use skapi_rtc_backend_webrtc::{Config, WebRtcBackend};
use tokio::sync::mpsc;

use crate::soon;

pub(crate) struct Pair {
    left: Arc<dyn PeerConnection>,
    right: Arc<dyn PeerConnection>,
    from: ChannelHandle,
    to: Option<ChannelHandle>,
}

impl Pair {
    pub(crate) async fn connect() -> (Self, Duration) {
        let config = Config::default().addresses(vec![Ipv4Addr::LOCALHOST.into()]);
        let engine = WebRtcBackend::new(config).unwrap();
        let left = engine.create_peer(PeerConfig::default()).await.unwrap();
        let right = engine.create_peer(PeerConfig::default()).await.unwrap();
        let mut from = left.peer.create_channel("x", ChannelInit::default()).await.unwrap();

        let start = Instant::now();
        let offer = left.peer.make_offer(OfferOptions::default()).await.unwrap();
        let answer = right.peer.accept_offer(offer).await.unwrap();
        left.peer.accept_answer(answer).await.unwrap();
        let (channels, mut channel) = mpsc::unbounded_channel();
        tokio::spawn(forward(left.events, right.peer.clone(), channels.clone()));
        tokio::spawn(forward(right.events, left.peer.clone(), channels));
        assert_eq!(soon("open", from.events.recv()).await, Some(ChannelEvent::Open));
        let mut to = soon("incoming channel", channel.recv()).await.unwrap();
        assert_eq!(soon("open", to.events.recv()).await, Some(ChannelEvent::Open));
        let time = start.elapsed();
        (Self { left: left.peer, right: right.peer, from, to: Some(to) }, time)
    }

    pub(crate) async fn echo(&mut self, times: usize) -> Vec<Duration> {
        let mut to = self.to.take().unwrap();
        tokio::spawn(async move {
            while let Some(event) = to.events.recv().await {
                if let ChannelEvent::Message(message) = event {
                    let _ = to.channel.send(message).await;
                }
            }
        });
        let mut measured = Vec::with_capacity(times);
        for _ in 0..times {
            let start = Instant::now();
            self.from.channel.send(Message::from(vec![1; 64])).await.unwrap();
            soon("echo", message(&mut self.from)).await;
            measured.push(start.elapsed());
        }
        measured
    }

    pub(crate) async fn transfer(&mut self, size: usize, count: usize) -> Duration {
        let mut to = self.to.take().unwrap();
        let start = Instant::now();
        let reader = tokio::spawn(async move {
            for _ in 0..count {
                message(&mut to).await;
            }
        });
        let payload = vec![7; size];
        for _ in 0..count {
            self.from.channel.send(Message::from(payload.clone())).await.unwrap();
        }
        soon("transfer", reader).await.unwrap();
        start.elapsed()
    }

    pub(crate) async fn close(self) {
        self.left.close().await;
        self.right.close().await;
    }
}

async fn message(channel: &mut ChannelHandle) -> Message {
    loop {
        match channel.events.recv().await.unwrap() {
            ChannelEvent::Message(message) => return message,
            ChannelEvent::Closed => panic!("closed"),
            _ => {}
        }
    }
}

async fn forward(
    mut events: PeerEvents,
    other: Arc<dyn PeerConnection>,
    channels: mpsc::UnboundedSender<ChannelHandle>,
) {
    while let Some(event) = events.recv().await {
        match event {
            PeerEvent::Candidate(candidate) => {
                let _ = other.add_candidate(candidate).await;
            }
            PeerEvent::Channel(channel) => {
                let _ = channels.send(channel);
            }
            _ => {}
        }
    }
}
