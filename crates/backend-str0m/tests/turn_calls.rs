//! Calls by way of a TURN server.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

mod support;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use skapi_rtc_backend::{
    Codec, EncodedFrame, PeerConfig, RemoteTrackEvent, TrackInit,
    conformance::{self, Outcome, Rig},
};
use skapi_rtc_backend_str0m::Str0mBackend;
use skapi_rtc_testkit::turn::{TurnEvent, TurnMethod};
use support::{Call, Side, config, engine, relayed, relays, server, soon, with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_relayed_peers_talk_and_show_each_other_pictures() {
    let server = server();
    let engine = engine();
    let left = Side::new(&engine, relayed(&server)).await;
    let right = Side::new(&engine, relayed(&server)).await;
    let camera = TrackInit::new([Codec::Vp8], "stream", "camera");
    let camera = left.peer.add_track(camera).await.unwrap();
    let mut call = Call::new(left, right).await;
    assert_eq!(call.left.is_relayed().await, (true, true));
    assert_eq!(call.right.is_relayed().await, (true, true));
    let told = soon("the pair", call.left.pairs.recv()).await.unwrap();
    assert_eq!(relays(&told), (true, true), "{told}");

    call.talk(1000).await;
    let payload: Vec<u8> = std::iter::once(0x10).chain((0..6000).map(|at| at as u8)).collect();
    let frame = EncodedFrame::new(Codec::Vp8, 0, true, Bytes::from(payload));
    let film = async {
        // A picture is not repeated where all of it was lost.
        let mut pause = tokio::time::interval(Duration::from_millis(100));
        loop {
            pause.tick().await;
            camera.track.write(frame.clone()).await.unwrap();
        }
    };
    let watch = async {
        let mut track = call.right.tracks.recv().await.unwrap();
        loop {
            if let RemoteTrackEvent::Frame(seen) = track.events.recv().await.unwrap() {
                return seen;
            }
        }
    };
    let seen = soon("a picture", async {
        tokio::select! {
            seen = watch => seen,
            () = film => unreachable!(),
        }
    });
    assert_eq!(seen.await.payload, frame.payload);

    let relayed = server.relayed();
    assert!(relayed.channels > 1000, "{relayed:?}");
    assert_eq!(server.allocations(), 2);
    call.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relayed_peer_talks_to_one_that_is_not() {
    for caller_is_relayed in [true, false] {
        let server = server();
        let engine = engine();
        let behind = Side::new(&engine, relayed(&server)).await;
        let open = Side::new(&engine, PeerConfig::default()).await;
        let (left, right) = if caller_is_relayed { (behind, open) } else { (open, behind) };
        let mut call = Call::new(left, right).await;
        call.talk(300).await;
        let (behind, open) = match caller_is_relayed {
            true => (&call.left, &call.right),
            false => (&call.right, &call.left),
        };
        assert!(behind.is_relayed().await.0, "{}", behind.pair().await);
        assert_eq!(open.is_relayed().await, (false, true), "{}", open.pair().await);
        assert_eq!(open.pair().await.remote.address, behind.pair().await.local.address);
        call.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_takes_the_shorter_way_where_there_is_one() {
    let server = server();
    let engine = engine();
    let left = Side::new(&engine, with(&server)).await;
    let right = Side::new(&engine, with(&server)).await;
    let mut call = Call::new(left, right).await;
    call.talk(100).await;
    assert!(!call.left.is_relayed().await.0, "{}", call.left.pair().await);
    call.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_share_a_port_are_relayed_too() {
    let server = server();
    let sharing = Str0mBackend::new(config().shared_port(0)).unwrap();
    for config in [relayed(&server), with(&server)] {
        let left = Side::new(&sharing, config).await;
        let right = Side::new(&engine(), relayed(&server)).await;
        let mut call = Call::new(left, right).await;
        call.talk(100).await;
        assert!(call.right.is_relayed().await.0, "{}", call.right.pair().await);
        call.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_gives_no_channels_relays_all_the_same() {
    let server = server();
    server.refuse(TurnMethod::ChannelBind, Some(403));
    let engine = engine();
    let left = Side::new(&engine, relayed(&server)).await;
    let right = Side::new(&engine, relayed(&server)).await;
    let mut call = Call::new(left, right).await;
    call.talk(300).await;
    let relayed = server.relayed();
    assert!(relayed.channels == 0 && relayed.indications > 300, "{relayed:?}");
    call.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_permits_nobody_leaves_the_other_ways() {
    let server = server();
    server.refuse(TurnMethod::CreatePermission, Some(403));
    let engine = engine();
    let left = Side::new(&engine, with(&server)).await;
    let right = Side::new(&engine, with(&server)).await;
    let mut call = Call::new(left, right).await;
    call.talk(100).await;
    for side in [&call.left, &call.right] {
        assert!(!side.is_relayed().await.0, "{}", side.pair().await);
    }
    soon(
        "a refusal",
        server.until(|events| {
            let refused = |event: &TurnEvent| {
                matches!(event, TurnEvent::Refused(_, TurnMethod::CreatePermission, 403))
            };
            events.iter().any(refused)
        }),
    )
    .await;
    call.close().await;
}

/// Everything that engines can do with each other, through a server; but for media, of which a server on a busy machine
/// loses some.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_suite_passes_over_a_relay() {
    let server = server();
    let engine = Arc::new(engine());
    let rig = Rig::new(engine.clone(), engine).config(relayed(&server));
    let checks = conformance::checks();
    let mut passed = 0;
    for check in
        checks.into_iter().filter(|check| !check.alone && !check.name.starts_with("media::"))
    {
        match check.run(&rig).await {
            Outcome::Passed => passed += 1,
            Outcome::NotApplicable { .. } => {}
            Outcome::Failed(failure) => panic!("{}: {failure}", check.name),
        }
    }
    assert!(passed > 40, "{passed}");
}
