//! Sessions that come back to a service in ways of their own: under other connection ids at both ends of a
//! call, and after a link that they gave up themselves.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

mod support;

use std::time::Duration;

use skapi_rtc::{
    CallOptions, Codec, EncodedFrame, EndReason, LocalTrack, NoticeCode, PostError, RealtimeEvent,
    Recipient, RequestError, Side, TrackInit, connect_realtime,
};
use support::{Service, call, next, path::Path, soon};

/// What is said in the call needs the peer's connection id, which neither end knows any more.
#[tokio::test]
async fn two_that_both_get_other_ids_find_each_other_in_their_group() {
    let service = Service::start().await;
    let (alice, mut alice_events) = service.member("alice", "lobby").await;
    let (bob, mut bob_events) = service.member("bob", "lobby").await;
    let (at_alice, at_bob) = call(&alice, &bob, &mut bob_events, CallOptions::default()).await;
    let before = [alice.cid().unwrap(), bob.cid().unwrap()];
    // It has another key, so it honours no secret of the one before.
    let _service = service.restart().await;
    for events in [&mut alice_events, &mut bob_events] {
        next("the service", events, |event| match event {
            RealtimeEvent::Connected { again: true, .. } => Some(()),
            _ => None,
        })
        .await;
    }
    for id in [alice.cid().unwrap(), bob.cid().unwrap()] {
        assert!(!before.contains(&id), "{id} is known here");
    }
    let (track, _track_events) =
        LocalTrack::new(TrackInit::new([Codec::Opus], "stream", "late")).unwrap();
    at_alice.add_track(&track).await.unwrap();
    let sending = async {
        for index in 0.. {
            let frame = EncodedFrame::new(Codec::Opus, index * 960, true, vec![1; 100].into());
            // Until the change has been negotiated nobody takes it.
            let _ = track.write(frame).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        heard = soon("the track", at_bob.next_track()) => drop(heard.unwrap()),
        () = sending => {}
    }
    soon("alice's end", at_alice.hangup()).await;
    let end = soon("bob's end", at_bob.ended()).await;
    assert_eq!((end.reason, end.by), (EndReason::HungUp, Side::Remote));
}

/// More is said than the link takes, so it is given up. The service is not to take that for a goodbye.
#[tokio::test]
async fn a_link_that_is_given_up_is_taken_up_again_and_the_others_see_nothing() {
    let service = Service::start().await;
    let path = Path::new();
    let options = path.carries(service.options("alice"));
    let (alice, mut alice_events) = soon("alice", connect_realtime(options)).await.unwrap();
    let lobby = || "lobby".parse().unwrap();
    soon("joining", alice.join_realtime(lobby())).await.unwrap();
    let (_bob, mut bob_events) = service.member("bob", "lobby").await;
    let cid = alice.cid().unwrap();

    path.cut_all();
    let mut asked = tokio::task::JoinSet::new();
    for n in 0..2000 {
        let alice = alice.clone();
        let user = "nobody".parse().unwrap();
        asked.spawn(async move {
            // Posts wait for answers, of which only so many may be missing; joining has no such bound.
            if n < 900 {
                drop(alice.post_realtime(Recipient::User(user), &n).await);
            } else {
                let joined = alice.join_realtime("lobby".parse().unwrap()).await;
                let superseded = Err(PostError::Request(RequestError::Superseded));
                assert!(joined.is_ok() || joined == superseded, "{joined:?}");
            }
        });
    }
    let reason = next("the loss", &mut alice_events, |event| match event {
        RealtimeEvent::Disconnected { reason, .. } => Some(reason),
        _ => None,
    })
    .await;
    assert!(reason.contains("takes no frames"), "{reason}");
    path.restore();
    next("the return", &mut alice_events, |event| match event {
        RealtimeEvent::Connected { again: true, .. } => Some(()),
        _ => None,
    })
    .await;
    assert_eq!(alice.cid(), Some(cid));
    asked.join_all().await;

    // Everything about alice that the others were told comes before this.
    soon("the last word", alice.post_realtime(Recipient::Group, "over")).await.unwrap();
    let gone = next("the last word", &mut bob_events, |event| match event {
        RealtimeEvent::Message { .. } => Some(None),
        RealtimeEvent::Notice(notice) if notice.code == NoticeCode::UserDisconnected => {
            Some(Some(notice))
        }
        _ => None,
    })
    .await;
    assert_eq!(gone, None);
}
