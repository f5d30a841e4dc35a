//! Calls to a user with several devices, with a real service and the real engine.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

mod support;

use std::future::IntoFuture as _;

use skapi_rtc::{CallError, CallOptions, EndReason, Message, PlaceUserError, Side};
use support::{Service, incoming, soon};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_device_that_accepts_first_has_the_call_and_the_others_stop_ringing() {
    let service = Service::start().await;
    let (alice, _alice_events) = service.member("alice", "lobby").await;
    let (_laptop, mut at_laptop) = service.member("bob", "lobby").await;
    let (phone, mut at_phone) = service.member("bob", "lobby").await;
    let (bob, lobby) = ("bob".parse().unwrap(), "lobby".parse().unwrap());
    let calling = alice.connect_rtc_user(bob, lobby, CallOptions::default());
    let outgoing = soon("the call to be placed", calling).await.unwrap();
    assert_eq!(outgoing.connections().count(), 2);
    let rings_at_laptop = incoming(&mut at_laptop).await;
    let rings_at_phone = incoming(&mut at_phone).await;
    assert!(soon("ringing", outgoing.ringing()).await);

    let (at_alice, at_bob) = soon("the call", async {
        let accept = rings_at_phone.connect_rtc(CallOptions::default());
        tokio::join!(outgoing.into_future(), accept)
    })
    .await;
    let (at_alice, at_bob) = (at_alice.unwrap(), at_bob.unwrap());
    assert_eq!(Some(at_alice.peer()), phone.cid().as_ref());
    let end = soon("the laptop to stop", rings_at_laptop.cancelled()).await;
    assert_eq!((end.reason, end.by), (EndReason::AnsweredElsewhere, Side::Remote));

    let channel = soon("a channel", at_alice.channel("default")).await.unwrap();
    let mut other = soon("the other end", at_bob.channel("default")).await.unwrap();
    channel.send("hello").await.unwrap();
    assert_eq!(soon("the message", other.recv()).await, Some(Message::from("hello")));
    soon("the end", at_alice.hangup()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_declines_everywhere_or_is_not_there_is_not_reached() {
    let service = Service::start().await;
    let (alice, _alice_events) = service.member("alice", "lobby").await;
    let (_laptop, mut at_laptop) = service.member("bob", "lobby").await;
    let (_phone, mut at_phone) = service.member("bob", "lobby").await;
    let lobby: skapi_rtc::GroupName = "lobby".parse().unwrap();
    let call =
        |user: &str, options| alice.connect_rtc_user(user.parse().unwrap(), lobby.clone(), options);
    for nobody in ["carol", "alice"] {
        let error = soon("a refusal", call(nobody, CallOptions::default())).await.unwrap_err();
        assert!(matches!(error, PlaceUserError::NotThere { .. }), "{error}");
    }

    let outgoing = soon("a call", call("bob", CallOptions::default())).await.unwrap();
    incoming(&mut at_laptop).await.decline().await;
    incoming(&mut at_phone).await.decline_busy().await;
    let error = soon("the end", outgoing.answered()).await.unwrap_err();
    let CallError::Ended(end) = error else { panic!("{error}") };
    assert_eq!((end.reason, end.by), (EndReason::Declined, Side::Remote));

    let options = CallOptions::default().decline_ends_all(true);
    let outgoing = soon("a call", call("bob", options)).await.unwrap();
    let still_rings = incoming(&mut at_phone).await;
    incoming(&mut at_laptop).await.decline().await;
    let end = soon("the phone to stop", still_rings.cancelled()).await;
    assert_eq!((end.reason, end.by), (EndReason::Declined, Side::Remote));
    soon("the end", outgoing.answered()).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_the_call_stops_the_ringing_everywhere() {
    let service = Service::start().await;
    let (alice, _alice_events) = service.member("alice", "lobby").await;
    let (_laptop, mut at_laptop) = service.member("bob", "lobby").await;
    let (_phone, mut at_phone) = service.member("bob", "lobby").await;
    let (bob, lobby) = ("bob".parse().unwrap(), "lobby".parse().unwrap());
    let calling = alice.connect_rtc_user(bob, lobby, CallOptions::default());
    let outgoing = soon("the call to be placed", calling).await.unwrap();
    let ringing = [incoming(&mut at_laptop).await, incoming(&mut at_phone).await];
    drop(outgoing);
    for device in ringing {
        let end = soon("it to stop", device.cancelled()).await;
        assert_eq!((end.reason, end.by), (EndReason::Cancelled, Side::Remote));
    }
}
