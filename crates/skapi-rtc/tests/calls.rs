//! Calls between two sessions through a real service, on the default engine.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

mod support;

use skapi_rtc::{
    CallError, CallEvent, CallOptions, ChannelOptions, ChannelPreset, ConnectionId, EndReason,
    Message, Side, backend::Message as BackendMessage,
};
use support::{Service, call, incoming, next, soon};

#[tokio::test]
async fn a_call_rings_is_answered_carries_data_and_is_hung_up() {
    let service = Service::start().await;
    let (alice, _alice_events) = service.member("alice", "lobby").await;
    let (bob, mut bob_events) = service.member("bob", "lobby").await;

    let outgoing = alice.connect_rtc(bob.cid().unwrap(), CallOptions::default()).await.unwrap();
    let ringing = incoming(&mut bob_events).await;
    assert_eq!(ringing.user().as_str(), "alice");
    assert_eq!(*ringing.peer(), alice.cid().unwrap());
    assert!(soon("the ringing", outgoing.ringing()).await);

    let (at_alice, at_bob) = soon("the call", async {
        tokio::join!(outgoing.into_future(), ringing.connect_rtc(CallOptions::default()))
    })
    .await;
    let (at_alice, at_bob) = (at_alice.unwrap(), at_bob.unwrap());
    assert_eq!(at_alice.user().unwrap().as_str(), "bob");

    let mut channel = soon("alice's channel", at_alice.channel("default")).await.unwrap();
    let mut echo = soon("bob's channel", at_bob.channel("default")).await.unwrap();
    channel.send("hello").await.unwrap();
    channel.send(vec![1, 2, 3]).await.unwrap();
    assert_eq!(soon("text", echo.recv()).await, Some(BackendMessage::from("hello")));
    assert_eq!(soon("bytes", echo.recv()).await, Some(Message::from(vec![1, 2, 3])));
    echo.send("and back").await.unwrap();
    assert_eq!(soon("the answer", channel.recv()).await, Some(Message::from("and back")));

    let end = soon("alice's end", at_alice.hangup()).await;
    assert_eq!((end.reason, end.by), (EndReason::HungUp, Side::Local));
    let end = soon("bob's end", at_bob.ended()).await;
    assert_eq!((end.reason, end.by), (EndReason::HungUp, Side::Remote));
    assert_eq!(soon("the channel's end", echo.recv()).await, None);
    alice.close_realtime().await;
    bob.close_realtime().await;
}

#[tokio::test]
async fn several_channels_with_their_options_find_each_other_by_label() {
    let service = Service::start().await;
    let (alice, _events) = service.connect("alice").await;
    let (bob, mut bob_events) = service.connect("bob").await;
    let options = CallOptions::default()
        .channel(ChannelPreset::TextChat)
        .channel(ChannelOptions::new("files"));
    let (at_alice, at_bob) = call(&alice, &bob, &mut bob_events, options).await;

    let text = soon("text-chat", at_alice.channel("text-chat")).await.unwrap();
    assert_eq!(text.sender().protocol(), "text-chat");
    let files = soon("files", at_bob.channel("files")).await.unwrap();
    assert!(files.sender().ordered());

    // Opened in mid-call, by the callee, without a new negotiation.
    let late = soon("a late channel", at_bob.open_channel("late")).await.unwrap();
    let mut late_at_alice = soon("it at alice", at_alice.channel("late")).await.unwrap();
    late.send("x").await.unwrap();
    assert_eq!(soon("x", late_at_alice.recv()).await, Some(Message::from("x")));
}

#[tokio::test]
async fn a_call_can_be_declined_by_choice_or_by_neglect() {
    let service = Service::start().await;
    let (alice, _events) = service.connect("alice").await;
    let (bob, mut bob_events) = service.connect("bob").await;

    for decline in [true, false] {
        let outgoing = alice.connect_rtc(bob.cid().unwrap(), CallOptions::default()).await.unwrap();
        let ringing = incoming(&mut bob_events).await;
        if decline {
            let end = soon("bob's end", ringing.decline()).await;
            assert_eq!((end.reason, end.by), (EndReason::Declined, Side::Local));
        } else {
            drop(ringing);
        }
        let error = soon("the refusal", outgoing.into_future()).await.unwrap_err();
        let CallError::Ended(end) = error else { panic!("{error:?}") };
        assert_eq!((end.reason, end.by), (EndReason::Declined, Side::Remote));
    }
}

#[tokio::test]
async fn a_call_can_be_cancelled_or_dropped_before_it_is_answered() {
    let service = Service::start().await;
    let (alice, _events) = service.connect("alice").await;
    let (bob, mut bob_events) = service.connect("bob").await;

    for cancel in [true, false] {
        let outgoing = alice.connect_rtc(bob.cid().unwrap(), CallOptions::default()).await.unwrap();
        let ringing = incoming(&mut bob_events).await;
        if cancel {
            let end = soon("alice's end", outgoing.cancel()).await;
            assert_eq!((end.reason, end.by), (EndReason::Cancelled, Side::Local));
        } else {
            drop(outgoing);
        }
        let end = soon("bob's end", ringing.cancelled()).await;
        assert_eq!((end.reason, end.by), (EndReason::Cancelled, Side::Remote));
    }
}

#[tokio::test]
async fn calling_nobody_says_so() {
    let service = Service::start().await;
    let (alice, _events) = service.connect("alice").await;
    let nobody = ConnectionId::new("cid:nobody").unwrap();
    let outgoing = alice.connect_rtc(nobody, CallOptions::default()).await.unwrap();
    let error = soon("the error", outgoing.into_future()).await.unwrap_err();
    let CallError::Ended(end) = error else { panic!("{error:?}") };
    assert_eq!(end.reason, EndReason::Unreachable);
    let own = alice.cid().unwrap();
    assert!(alice.connect_rtc(own, CallOptions::default()).await.is_err());
}

#[tokio::test]
async fn two_who_call_each_other_at_once_end_up_in_one_call() {
    let service = Service::start().await;
    let (alice, mut alice_events) = service.connect("alice").await;
    let (bob, mut bob_events) = service.connect("bob").await;
    let (to_bob, to_alice) = tokio::join!(
        alice.connect_rtc(bob.cid().unwrap(), CallOptions::default()),
        bob.connect_rtc(alice.cid().unwrap(), CallOptions::default()),
    );
    let (at_alice, at_bob) = soon("both calls", async {
        tokio::join!(to_bob.unwrap().into_future(), to_alice.unwrap().into_future())
    })
    .await;
    let (at_alice, at_bob) = (at_alice.unwrap(), at_bob.unwrap());
    let channel = soon("alice's channel", at_alice.channel("default")).await.unwrap();
    let mut other = soon("bob's channel", at_bob.channel("default")).await.unwrap();
    channel.send("one call").await.unwrap();
    assert_eq!(soon("the message", other.recv()).await, Some(Message::from("one call")));
    alice.close_realtime().await;
    bob.close_realtime().await;
    for events in [&mut alice_events, &mut bob_events] {
        while let Some(event) = events.next().await {
            assert!(!matches!(event, skapi_rtc::RealtimeEvent::Incoming(_)), "it rang: {event:?}");
        }
    }
}

#[tokio::test]
async fn a_call_outlives_the_service_and_its_link_comes_back() {
    let service = Service::start().await;
    let (alice, mut alice_events) = service.member("alice", "lobby").await;
    let (bob, mut bob_events) = service.member("bob", "lobby").await;
    let (at_alice, at_bob) = call(&alice, &bob, &mut bob_events, CallOptions::default()).await;
    let channel = soon("alice's channel", at_alice.channel("default")).await.unwrap();
    let mut other = soon("bob's channel", at_bob.channel("default")).await.unwrap();

    let service = service.restart().await;
    channel.send("without a service").await.unwrap();
    assert_eq!(soon("data", other.recv()).await, Some(Message::from("without a service")));
    for events in [&mut alice_events, &mut bob_events] {
        next("reconnect", events, |event| match event {
            skapi_rtc::RealtimeEvent::Connected { again: true, .. } => Some(()),
            _ => None,
        })
        .await;
        next("joining again", events, |event| match event {
            skapi_rtc::RealtimeEvent::Joined(group) => group,
            _ => None,
        })
        .await;
    }
    // Both have new connection ids now, so the hang-up may not find the peer; the engines still tell.
    soon("alice's end", at_alice.hangup()).await;
    let end = soon("bob's end", at_bob.ended()).await;
    assert_eq!(end.by, Side::Remote, "{end:?}");
    service.server.shutdown().await;
}

#[tokio::test]
async fn dropping_the_last_handle_of_a_call_hangs_up() {
    let service = Service::start().await;
    let (alice, _events) = service.connect("alice").await;
    let (bob, mut bob_events) = service.connect("bob").await;
    let (at_alice, at_bob) = call(&alice, &bob, &mut bob_events, CallOptions::default()).await;
    let mut events = at_bob.events();
    let second = at_alice.clone();
    drop(at_alice);
    drop(second);
    let end = soon("bob's end", at_bob.ended()).await;
    assert_eq!((end.reason, end.by), (EndReason::HungUp, Side::Remote));
    let last = soon("the last event", async {
        loop {
            match events.next().await {
                Some(CallEvent::Ended(end)) => return end,
                Some(_) => {}
                None => panic!("no last event"),
            }
        }
    })
    .await;
    assert_eq!(last.reason, EndReason::HungUp);
    assert_eq!(events.next().await, None);
}
