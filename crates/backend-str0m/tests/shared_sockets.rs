//! One socket for many connections: a server's engine shares its sockets, its peers' engines do not.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

use std::{sync::Arc, time::Duration};

use skapi_rtc_backend::{
    Backend, ChannelEvent, ChannelHandle, ChannelInit, OfferOptions, PeerConfig, PeerConnection,
    PeerEvent, PeerEvents, conformance_tests,
};
use skapi_rtc_backend_str0m::{Config, Str0mBackend};
use tokio::sync::mpsc;

const SOON: Duration = Duration::from_secs(20);
const CALLS: usize = 20;

/// With one address, so that there is one socket to share.
fn config() -> Config {
    Config::default().addresses(vec!["127.0.0.1".parse().unwrap()])
}

fn server() -> Arc<dyn Backend> {
    Arc::new(Str0mBackend::new(config().shared_port(0)).unwrap())
}

fn client() -> Arc<dyn Backend> {
    Arc::new(Str0mBackend::new(config()).unwrap())
}

conformance_tests!(
    server,
    client,
    not_applicable: [
        "flow::a_flood_of_empty_messages_is_bounded",
    ]
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_share_a_port_and_do_not_meet() {
    let (server, client) = (server(), client());
    let mut calls = Vec::new();
    for index in 0..CALLS {
        calls.push(call(&*server, &*client, index).await);
    }
    let mut ports: Vec<_> = Vec::new();
    for call in &calls {
        let pair = call.server.stats().await.unwrap().selected_pair.unwrap();
        ports.push(pair.local.address);
    }
    ports.dedup();
    assert_eq!(ports.len(), 1, "the connections do not share a socket");
    for (index, call) in calls.iter_mut().enumerate() {
        call.there.channel.send(index.to_string().into()).await.unwrap();
    }
    for (index, call) in calls.iter_mut().enumerate() {
        let expected = ChannelEvent::Message(index.to_string().into());
        assert_eq!(next(&mut call.here).await, expected);
        call.server.close().await;
        call.client.close().await;
    }
}

struct Call {
    server: Arc<dyn PeerConnection>,
    client: Arc<dyn PeerConnection>,
    here: ChannelHandle,
    there: ChannelHandle,
}

async fn call(server: &dyn Backend, client: &dyn Backend, index: usize) -> Call {
    let ours = server.create_peer(PeerConfig::default()).await.unwrap();
    let theirs = client.create_peer(PeerConfig::default()).await.unwrap();
    let label = index.to_string();
    let mut here = ours.peer.create_channel(&label, ChannelInit::default()).await.unwrap();
    let offer = ours.peer.make_offer(OfferOptions::default()).await.unwrap();
    let answer = theirs.peer.accept_offer(offer).await.unwrap();
    ours.peer.accept_answer(answer).await.unwrap();
    let _none = carry(ours.events, theirs.peer.clone());
    let mut channels = carry(theirs.events, ours.peer.clone());
    assert_eq!(next(&mut here).await, ChannelEvent::Open);
    let mut there = tokio::time::timeout(SOON, channels.recv()).await.unwrap().unwrap();
    assert_eq!(next(&mut there).await, ChannelEvent::Open);
    assert_eq!(there.channel.label(), label);
    Call { server: ours.peer, client: theirs.peer, here, there }
}

async fn next(channel: &mut ChannelHandle) -> ChannelEvent {
    tokio::time::timeout(SOON, channel.events.recv()).await.unwrap().unwrap()
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
