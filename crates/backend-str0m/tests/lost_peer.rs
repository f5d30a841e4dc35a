//! A peer that vanishes without a word, as when its process is killed: it is noticed in time.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use skapi_rtc_backend::{
    Backend, ChannelEvent, ChannelInit, ConnectionState, OfferOptions, PeerConfig, PeerConnection,
    PeerEvent, PeerEvents,
};
use skapi_rtc_backend_str0m::{Config, Str0mBackend};
use tokio::sync::mpsc;

const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_killed_peer_is_first_disconnected_then_failed() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    };
    let (survivor, victim) = (runtime(), runtime());
    let config = Config::default()
        .keepalive(Duration::from_millis(200))
        .timeouts(Duration::from_secs(1), Duration::from_secs(1));
    let engine = Str0mBackend::new(config).unwrap();

    let right = victim.block_on(engine.create_peer(PeerConfig::default())).unwrap();
    let (left, mut states, mut right_states) = survivor.block_on(async {
        let left = engine.create_peer(PeerConfig::default()).await.unwrap();
        let mut channel = left.peer.create_channel("x", ChannelInit::default()).await.unwrap();
        let offer = left.peer.make_offer(OfferOptions::default()).await.unwrap();
        let answer = right.peer.accept_offer(offer).await.unwrap();
        left.peer.accept_answer(answer).await.unwrap();
        let states = carry(left.events, right.peer.clone());
        let right_states = carry(right.events, left.peer.clone());
        assert_eq!(channel.events.recv().await, Some(ChannelEvent::Open));
        (left.peer, states, right_states)
    });

    let killed = Instant::now();
    victim.shutdown_timeout(SOON);
    survivor.block_on(async {
        until(&mut states, ConnectionState::Disconnected).await;
        assert!(killed.elapsed() < Duration::from_secs(5), "{:?}", killed.elapsed());
        until(&mut states, ConnectionState::Failed).await;
        left.close().await;
        until(&mut states, ConnectionState::Closed).await;
        // The victim's own events end as well: its driver went with the runtime.
        until(&mut right_states, ConnectionState::Failed).await;
        until(&mut right_states, ConnectionState::Closed).await;
        assert_eq!(right_states.recv().await, None);
    });
}

async fn until(states: &mut mpsc::UnboundedReceiver<ConnectionState>, wanted: ConnectionState) {
    let wait = async {
        while let Some(state) = states.recv().await {
            if state == wanted {
                return;
            }
        }
        panic!("the events ended before {wanted:?}");
    };
    tokio::time::timeout(SOON, wait).await.unwrap_or_else(|_| panic!("never {wanted:?}"));
}

fn carry(
    mut events: PeerEvents,
    other: Arc<dyn PeerConnection>,
) -> mpsc::UnboundedReceiver<ConnectionState> {
    let (states, reader) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            match event {
                PeerEvent::Candidate(candidate) => drop(other.add_candidate(candidate).await),
                PeerEvent::State(state) => drop(states.send(state)),
                _ => {}
            }
        }
    });
    reader
}
