//! Hundreds of channels opened and closed one after the other in one connection, by either side and
//! without waiting for the end: they all work.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

use std::{sync::Arc, time::Duration};

use skapi_rtc_backend::{
    Backend, ChannelEvent, ChannelHandle, ChannelInit, OfferOptions, PeerConfig, PeerConnection,
    PeerEvent, PeerEvents,
};
use skapi_rtc_backend_str0m::Str0mBackend;
use tokio::sync::mpsc;

const CHANNELS: usize = 300;
const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_after_the_other() {
    let engine = Str0mBackend::default();
    let left = engine.create_peer(PeerConfig::default()).await.unwrap();
    let right = engine.create_peer(PeerConfig::default()).await.unwrap();
    let first = left.peer.create_channel("first", ChannelInit::default()).await.unwrap();
    let offer = left.peer.make_offer(OfferOptions::default()).await.unwrap();
    let answer = right.peer.accept_offer(offer).await.unwrap();
    left.peer.accept_answer(answer).await.unwrap();
    let _left_channels = carry(left.events, right.peer.clone());
    let mut right_channels = carry(right.events, left.peer.clone());
    let _first = (first, next(&mut right_channels).await);

    for index in 0..CHANNELS {
        let init = ChannelInit::default();
        let mut here = left.peer.create_channel("one", init).await.unwrap();
        assert_eq!(event(&mut here, index).await, ChannelEvent::Open);
        let mut there = next(&mut right_channels).await;
        assert_eq!(event(&mut there, index).await, ChannelEvent::Open);
        here.channel.send("message".into()).await.unwrap();
        let message = ChannelEvent::Message("message".into());
        assert_eq!(event(&mut there, index).await, message);
        if index.is_multiple_of(3) {
            there.channel.close().await;
        } else {
            here.channel.close().await;
        }
    }
    left.peer.close().await;
    right.peer.close().await;
}

async fn event(channel: &mut ChannelHandle, index: usize) -> ChannelEvent {
    tokio::time::timeout(SOON, channel.events.recv())
        .await
        .unwrap_or_else(|_| panic!("nothing happens on channel {index}"))
        .unwrap()
}

async fn next(channels: &mut mpsc::UnboundedReceiver<ChannelHandle>) -> ChannelHandle {
    let next = tokio::time::timeout(SOON, channels.recv()).await;
    next.unwrap().unwrap()
}

fn carry(
    mut events: PeerEvents,
    other: Arc<dyn PeerConnection>,
) -> mpsc::UnboundedReceiver<ChannelHandle> {
    let (channels, reader) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            match event {
                PeerEvent::Candidate(candidate) => drop(other.add_candidate(candidate).await),
                PeerEvent::Channel(channel) => drop(channels.send(channel)),
                _ => {}
            }
        }
    });
    reader
}
