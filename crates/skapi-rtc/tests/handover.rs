//! A call that goes on with another device of the same user, with a real service and the real engine.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

mod support;

use std::{
    future::IntoFuture as _,
    time::{Duration, Instant},
};

use skapi_rtc::{
    Call, CallEnd, CallError, CallOptions, Channel, Codec, ConnectOptions, DeviceCall,
    EncodedFrame, EndReason, HandoverPolicy, HandoverRequest, LocalTrack, Message, Realtime,
    RealtimeEvent, RealtimeEvents, Side, TrackInit, connect_realtime,
};
use support::{Service, call, next, path::Path, soon};

/// Alice talks to bob on her laptop, and her phone is there, too.
struct Talk {
    service: Service,
    laptop: (Realtime, RealtimeEvents),
    phone: Realtime,
    bob: Realtime,
    at_laptop: Call,
    at_bob: Call,
    /// A channel of the call, at both ends.
    channels: (Channel, Channel),
}

impl Talk {
    async fn new() -> Self {
        Self::with(HandoverPolicy::Allow, HandoverPolicy::Allow).await
    }

    async fn with(at_laptop: HandoverPolicy, at_bob: HandoverPolicy) -> Self {
        Self::over(&Path::new(), CallOptions::default(), at_laptop, at_bob).await
    }

    /// Whatever goes to and from the phone takes this path.
    async fn over(
        path: &Path,
        call_options: CallOptions,
        at_laptop: HandoverPolicy,
        at_bob: HandoverPolicy,
    ) -> Self {
        let service = Service::start().await;
        let laptop = connect(service.options("alice").handover(at_laptop)).await;
        let (phone, _) = connect(path.carries(service.options("alice"))).await;
        let (bob, mut bobs) = connect(service.options("bob").handover(at_bob)).await;
        let (at_laptop, at_bob) = call(&laptop.0, &bob, &mut bobs, call_options).await;
        let channels = channels(&at_laptop, &at_bob).await;
        Self { service, laptop, phone, bob, at_laptop, at_bob, channels }
    }

    async fn calls_of_alice(&self, device: &Realtime) -> Vec<DeviceCall> {
        let asking = device.calls_of_my_devices("lobby".parse().unwrap());
        soon("the calls of the devices", asking).await.unwrap()
    }

    async fn asked(&mut self) -> HandoverRequest {
        next_request(&mut self.laptop.1).await
    }

    /// Messages go through the old call, both ways.
    async fn old_call_works(&mut self) {
        carries(&mut self.channels).await;
    }
}

async fn connect(options: ConnectOptions) -> (Realtime, RealtimeEvents) {
    let (realtime, events) = soon("connecting", connect_realtime(options)).await.unwrap();
    soon("joining", realtime.join_realtime("lobby".parse().unwrap())).await.unwrap();
    (realtime, events)
}

async fn next_request(events: &mut RealtimeEvents) -> HandoverRequest {
    next("the request", events, |event| match event {
        RealtimeEvent::Handover(request) => Some(request),
        _ => None,
    })
    .await
}

async fn channels(caller: &Call, callee: &Call) -> (Channel, Channel) {
    let first = soon("a channel", caller.channel("default")).await.unwrap();
    (first, soon("its other end", callee.channel("default")).await.unwrap())
}

async fn carries((a, b): &mut (Channel, Channel)) {
    for text in ["one", "two"] {
        soon("sending", a.send(text)).await.unwrap();
        assert_eq!(soon("a message", b.recv()).await, Some(Message::from(text)));
        soon("sending", b.send(text)).await.unwrap();
        assert_eq!(soon("a message", a.recv()).await, Some(Message::from(text)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_phone_goes_on_with_the_laptops_call_and_nothing_is_lost_before_it_is_up() {
    let mut talk = Talk::new().await;
    talk.old_call_works().await;
    let calls = talk.calls_of_alice(&talk.phone).await;
    let [held] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!(Some(&held.device), talk.laptop.0.cid().as_ref());
    assert_eq!((Some(&held.peer), held.user.as_str()), (talk.bob.cid().as_ref(), "bob"));

    // The laptop talks on until its call ends.
    let (laptops_end, mut bobs_end) = talk.channels;
    let talks = tokio::spawn(async move {
        let mut sent = 0_u32;
        while laptops_end.send(sent.to_string()).await.is_ok() {
            sent += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (sent, Instant::now())
    });
    let hears = tokio::spawn(async move {
        let mut heard = 0_u32;
        while let Some(message) = bobs_end.recv().await {
            assert_eq!(message, Message::from(heard.to_string()), "in order, without a gap");
            heard += 1;
        }
        heard
    });

    let asked = Instant::now();
    let picking = talk.phone.pick_up(held, CallOptions::default());
    let picked = soon("picking up", picking).await.unwrap();
    let at_phone = soon("the call", picked.into_future()).await.unwrap();
    let up = Instant::now();
    let end = soon("the laptop's end", talk.at_laptop.ended()).await;
    assert_eq!(end, CallEnd { reason: EndReason::Moved, by: Side::Remote });
    let next = soon("bob's new call", talk.at_bob.successor()).await.expect("it goes on");
    assert_eq!(next.peer(), &talk.phone.cid().unwrap());
    assert_eq!(next.user().unwrap().as_str(), "alice");
    let end = soon("the end of the old one", talk.at_bob.ended()).await;
    assert_eq!(end, CallEnd { reason: EndReason::Moved, by: Side::Local });
    let told = next_request(&mut talk.laptop.1).await;
    assert_eq!((told.by(), told.is_granted()), (next.peer(), true));

    let (sent, silent) = soon("the laptop to fall silent", talks).await.unwrap();
    let heard = soon("the last message", hears).await.unwrap();
    assert!(silent >= up, "the old call ended {:?} before the new one was up", up - silent);
    println!("moved in {:?}; {heard} of {sent} messages heard on the old call", up - asked);
    assert!(heard > 0 && heard <= sent);

    // Who asks again has the same call; the handles of the old one are not needed any more.
    assert!(soon("the call again", talk.at_bob.successor()).await.is_some());
    drop((talk.at_bob, talk.at_laptop));
    carries(&mut channels(&at_phone, &next).await).await;
    assert_eq!(soon("the end", at_phone.hangup()).await.reason, EndReason::HungUp);
    assert!(soon("no further call", next.successor()).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_moves_there_and_back() {
    let mut talk = Talk::new().await;
    let held = talk.calls_of_alice(&talk.phone).await.remove(0);
    let picked = talk.phone.pick_up(&held, CallOptions::default()).await.unwrap();
    let at_phone = soon("the call", picked.into_future()).await.unwrap();
    let at_bob = soon("bob's new call", talk.at_bob.successor()).await.unwrap();
    soon("the laptop's end", talk.at_laptop.ended()).await;

    let laptop = talk.laptop.0.clone();
    let held = talk.calls_of_alice(&laptop).await.remove(0);
    assert_eq!(Some(&held.device), talk.phone.cid().as_ref());
    let picked = laptop.pick_up(&held, CallOptions::default()).await.unwrap();
    let at_laptop = soon("the call", picked.into_future()).await.unwrap();
    assert_eq!(soon("the phone's end", at_phone.ended()).await.reason, EndReason::Moved);
    let at_bob = soon("bob's third call", at_bob.successor()).await.unwrap();
    talk.channels = channels(&at_laptop, &at_bob).await;
    talk.old_call_works().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_let_go_or_does_not_follow_keeps_the_call() {
    for (at_laptop, at_bob) in [
        (HandoverPolicy::Refuse, HandoverPolicy::Allow),
        (HandoverPolicy::Allow, HandoverPolicy::Refuse),
    ] {
        let mut talk = Talk::with(at_laptop, at_bob).await;
        assert_eq!(talk.calls_of_alice(&talk.phone).await, []);
        // A phone that has heard of the call before asks all the same.
        let other = Talk::new().await;
        let mut held = other.calls_of_alice(&other.phone).await.remove(0);
        held.device = talk.laptop.0.cid().unwrap();
        held.peer = talk.bob.cid().unwrap();
        let picked = talk.phone.pick_up(&held, CallOptions::default()).await.unwrap();
        let error = soon("a refusal", picked.into_future()).await.unwrap_err();
        let CallError::Ended(end) = error else { panic!("{error}") };
        assert_eq!(end, CallEnd { reason: EndReason::NotHandedOver, by: Side::Remote });
        talk.old_call_works().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_application_may_be_asked_and_one_device_gets_it() {
    let mut talk = Talk::with(HandoverPolicy::Ask, HandoverPolicy::Allow).await;
    let held = talk.calls_of_alice(&talk.phone).await.remove(0);
    let picked = talk.phone.pick_up(&held, CallOptions::default()).await.unwrap();
    let request = talk.asked().await;
    assert_eq!((Some(request.by()), request.is_granted()), (talk.phone.cid().as_ref(), false));
    request.refuse();
    let error = soon("a refusal", picked.into_future()).await.unwrap_err();
    assert!(matches!(error, CallError::Ended(end) if end.reason == EndReason::NotHandedOver));
    talk.old_call_works().await;

    let (tablet, _events) = talk.service.member("alice", "lobby").await;
    let first = talk.phone.pick_up(&held, CallOptions::default()).await.unwrap();
    let request = talk.asked().await;
    let second = tablet.pick_up(&held, CallOptions::default()).await.unwrap();
    soon("the second to be turned down", second.into_future()).await.unwrap_err();
    request.allow();
    let at_phone = soon("the call", first.into_future()).await.unwrap();
    let at_bob = soon("bob's new call", talk.at_bob.successor()).await.unwrap();
    carries(&mut channels(&at_phone, &at_bob).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successor_that_nobody_asks_for_is_hung_up_with_the_old_call() {
    let talk = Talk::new().await;
    let held = talk.calls_of_alice(&talk.phone).await.remove(0);
    let picked = talk.phone.pick_up(&held, CallOptions::default()).await.unwrap();
    let at_phone = soon("the call", picked.into_future()).await.unwrap();
    soon("the old call to end", talk.at_bob.ended()).await;
    drop(talk.at_bob);
    let end = soon("the end", at_phone.ended()).await;
    assert_eq!(end, CallEnd { reason: EndReason::HungUp, by: Side::Remote });
}

/// The phone's link and path are gone at the moment it picks up, and come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_is_gone_while_the_phone_picks_up_costs_only_time() {
    let path = Path::new();
    let (allow, options) = (HandoverPolicy::Allow, CallOptions::default());
    for moment in [0, 5, 20, 60] {
        let talk = Talk::over(&path, options.clone(), allow, allow).await;
        let held = talk.calls_of_alice(&talk.phone).await.remove(0);
        let picked = talk.phone.pick_up(&held, CallOptions::default()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(moment)).await;
        path.cut_all();
        tokio::time::sleep(Duration::from_secs(1)).await;
        path.restore();
        let at_phone = soon("the call", picked.into_future()).await.unwrap();
        let at_bob = soon("bob's new call", talk.at_bob.successor()).await.unwrap();
        assert_eq!(soon("the end", talk.at_laptop.ended()).await.reason, EndReason::Moved);
        carries(&mut channels(&at_phone, &at_bob).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_goes_on_from_the_other_device() {
    let (allow, path) = (HandoverPolicy::Allow, Path::new());
    let (track, speaking) = sound("laptop");
    let talk = Talk::over(&path, CallOptions::default().track(&track), allow, allow).await;
    let mut heard = soon("the laptop's track", talk.at_bob.next_track()).await.unwrap();
    soon("sound of the laptop", heard.next_frame()).await.unwrap();

    let held = talk.calls_of_alice(&talk.phone).await.remove(0);
    let (track, _speaking) = sound("phone");
    let picked = talk.phone.pick_up(&held, CallOptions::default().track(&track)).await.unwrap();
    let _at_phone = soon("the call", picked.into_future()).await.unwrap();
    let at_bob = soon("bob's new call", talk.at_bob.successor()).await.unwrap();
    let mut heard = soon("the phone's track", at_bob.next_track()).await.unwrap();
    soon("sound of the phone", heard.next_frame()).await.unwrap();
    speaking.abort();
}

/// A track that has sound until its task is dropped or its call has ended.
fn sound(id: &str) -> (LocalTrack, tokio::task::JoinHandle<()>) {
    let (track, _events) = LocalTrack::new(TrackInit::new([Codec::Opus], "stream", id)).unwrap();
    let writer = track.clone();
    let speaking = tokio::spawn(async move {
        for number in 0.. {
            let time = number * Codec::Opus.clock_rate() / 50;
            let frame = EncodedFrame::new(Codec::Opus, time, true, vec![1; 60].into());
            // Nobody listens yet, or no more.
            let _ = writer.write(frame).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    (track, speaking)
}
