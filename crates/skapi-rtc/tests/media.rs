//! Calls with audio and video: on the default engine, and there and back between the engines.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

mod support;

use std::{future::IntoFuture as _, sync::Arc, time::Duration};

use skapi_rtc::{
    Backend, Call, CallError, CallOptions, Codec, EncodedFrame, LocalTrack, LocalTrackEvent,
    LocalTrackEvents, MediaError, MediaKind, RemoteTrack, TrackInit, WebRtcBackend,
    connect_realtime,
};
use support::{Service, call, incoming, soon};

fn track(codec: Codec, id: &str) -> (LocalTrack, LocalTrackEvents) {
    LocalTrack::new(TrackInit::new([codec], "stream", id)).unwrap()
}

/// A frame whose bytes tell which one it is; those of video begin with a key frame.
fn frame(codec: Codec, index: u32) -> EncodedFrame {
    let keyframe = codec == Codec::Opus || index == 0;
    let mut payload = vec![index as u8 | 1; if codec == Codec::Opus { 100 } else { 3000 }];
    if codec == Codec::Vp8 {
        payload[0] = if keyframe { 0x10 } else { 0x11 };
    }
    EncodedFrame::new(codec, index * codec.clock_rate() / 50, keyframe, payload.into())
}

async fn until(events: &mut LocalTrackEvents, wanted: LocalTrackEvent) {
    soon(&format!("{wanted:?}"), async {
        while events.recv().await.expect("the track's events go on") != wanted {}
    })
    .await;
}

async fn next(call: &Call, kind: MediaKind) -> RemoteTrack {
    let track = soon("a track", call.next_track()).await.unwrap();
    assert_eq!(track.kind(), kind);
    track
}

/// Sends back what comes until the call ends; carries requests for key frames through.
async fn echo(mut from: RemoteTrack, to: LocalTrack, mut events: LocalTrackEvents) {
    loop {
        tokio::select! {
            packet = from.next_packet() => match packet {
                Some(packet) => to.write_packet(packet).await.unwrap(),
                None => return,
            },
            Some(event) = events.recv() => if event == LocalTrackEvent::KeyframeRequested {
                from.request_keyframe().await.unwrap();
            },
        }
    }
}

#[tokio::test]
async fn audio_and_video_go_there_and_back() {
    there_and_back(webrtc(), webrtc()).await;
}

#[cfg(feature = "str0m")]
#[tokio::test]
async fn audio_and_video_go_there_and_back_on_str0m() {
    there_and_back(str0m(), str0m()).await;
}

#[cfg(feature = "str0m")]
#[tokio::test]
async fn audio_and_video_go_from_webrtc_to_str0m_and_back() {
    there_and_back(webrtc(), str0m()).await;
}

#[cfg(feature = "str0m")]
#[tokio::test]
async fn audio_and_video_go_from_str0m_to_webrtc_and_back() {
    there_and_back(str0m(), webrtc()).await;
}

fn webrtc() -> Arc<dyn Backend> {
    Arc::new(WebRtcBackend::default())
}

#[cfg(feature = "str0m")]
fn str0m() -> Arc<dyn Backend> {
    Arc::new(skapi_rtc::Str0mBackend::default())
}

async fn there_and_back(callers: Arc<dyn Backend>, callees: Arc<dyn Backend>) {
    const FRAMES: u32 = 20;
    let service = Service::start().await;
    let connect = |user, engine| connect_realtime(service.options(user).backend(engine));
    let (alice, _events) = soon("alice", connect("alice", callers)).await.unwrap();
    let (bob, mut bob_events) = soon("bob", connect("bob", callees)).await.unwrap();

    let (audio, _) = track(Codec::Opus, "alices-voice");
    let (video, mut video_events) = track(Codec::Vp8, "alices-picture");
    let options = CallOptions::default().track(&audio).track(&video);
    let outgoing = alice.connect_rtc(bob.cid().unwrap(), options).await.unwrap();
    let ringing = incoming(&mut bob_events).await;
    let (audio_back, audio_back_events) = track(Codec::Opus, "bobs-voice");
    let (video_back, video_back_events) = track(Codec::Vp8, "bobs-picture");
    let options = CallOptions::default().track(&audio_back).track(&video_back);
    let (at_alice, at_bob) = soon("the call", async {
        tokio::join!(outgoing.into_future(), ringing.connect_rtc(options))
    })
    .await;
    let (at_alice, at_bob) = (at_alice.unwrap(), at_bob.unwrap());

    // Pictures can flow, and the codecs are known.
    until(&mut video_events, LocalTrackEvent::Negotiated(Codec::Vp8)).await;
    until(&mut video_events, LocalTrackEvent::KeyframeRequested).await;
    assert_eq!((audio.codec(), video.codec()), (Some(Codec::Opus), Some(Codec::Vp8)));
    let refused = video.write(EncodedFrame::new(Codec::H264, 0, true, vec![1].into())).await;
    assert!(matches!(refused, Err(MediaError::Unsupported(_))), "{refused:?}");

    for (sent, codec, back, back_events) in [
        (&audio, Codec::Opus, audio_back, audio_back_events),
        (&video, Codec::Vp8, video_back, video_back_events),
    ] {
        sent.write(frame(codec, 0)).await.unwrap();
        let there = next(&at_bob, codec.kind()).await;
        assert_eq!((there.id(), there.stream_id()), (sent.id(), "stream"));
        tokio::spawn(echo(there, back.clone(), back_events));
        let mut returned = next(&at_alice, codec.kind()).await;
        assert_eq!(returned.id(), back.id());
        for index in 0..FRAMES {
            if index > 0 {
                sent.write(frame(codec, index)).await.unwrap();
            }
            let echo = soon("an echoed frame", returned.next_frame()).await.unwrap();
            assert_eq!(echo.payload, frame(codec, index).payload);
        }
        if codec == Codec::Vp8 {
            // From alice over bob's track to bob's source, which is alice's own track.
            returned.request_keyframe().await.unwrap();
            until(&mut video_events, LocalTrackEvent::KeyframeRequested).await;
        }
        assert_eq!(returned.lagged(), 0);
    }

    let channel = soon("alice's channel", at_alice.channel("default")).await.unwrap();
    let mut other = soon("bob's channel", at_bob.channel("default")).await.unwrap();
    channel.send("data too").await.unwrap();
    assert_eq!(soon("data", other.recv()).await, Some("data too".into()));

    at_alice.hangup().await;
    assert!(soon("no more tracks", at_bob.next_track()).await.is_none());
    audio.write(frame(Codec::Opus, 99)).await.unwrap();
}

#[tokio::test]
async fn one_track_can_be_in_several_calls() {
    let service = Service::start().await;
    let (alice, _events) = service.connect("alice").await;
    let (audio, _) = track(Codec::Opus, "voice");
    let mut listeners = Vec::new();
    for name in ["bob", "carol"] {
        let (callee, mut events) = service.connect(name).await;
        let options = CallOptions::default().track(&audio);
        listeners.push((call(&alice, &callee, &mut events, options).await, callee, events));
    }
    // A callee's connection may be up a little later than its caller's.
    soon("both hear it", async {
        let heard = listeners.iter().map(|((_, at_callee), ..)| at_callee.next_track());
        let [first, second] = <[_; 2]>::try_from(heard.collect::<Vec<_>>()).ok().unwrap();
        tokio::pin!(first, second);
        let (mut at, mut bob, mut carol) = (0, None, None);
        while bob.is_none() || carol.is_none() {
            audio.write(frame(Codec::Opus, at)).await.unwrap();
            at += 1;
            tokio::select! {
                track = &mut first, if bob.is_none() => bob = Some(track.unwrap()),
                track = &mut second, if carol.is_none() => carol = Some(track.unwrap()),
                () = tokio::time::sleep(Duration::from_millis(5)) => {}
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_track_that_a_call_does_not_send_cannot_be_removed() {
    let service = Service::start().await;
    let (alice, _events) = service.connect("alice").await;
    let (bob, mut bob_events) = service.connect("bob").await;
    let (audio, mut events) = track(Codec::Opus, "voice");
    let options = CallOptions::default().track(&audio);
    let (at_alice, at_bob) = call(&alice, &bob, &mut bob_events, options).await;
    until(&mut events, LocalTrackEvent::Negotiated(Codec::Opus)).await;
    let unknown = at_bob.remove_track(&audio).await;
    assert_eq!(unknown, Err(CallError::Media(MediaError::UnknownTrack)));
    at_alice.remove_track(&audio).await.unwrap();
    let unknown = at_alice.remove_track(&audio).await;
    assert_eq!(unknown, Err(CallError::Media(MediaError::UnknownTrack)));
}

#[tokio::test]
async fn a_track_can_be_added_in_a_running_call() {
    let service = Service::start().await;
    let (alice, _events) = service.connect("alice").await;
    let (bob, mut bob_events) = service.connect("bob").await;
    let (at_alice, at_bob) = call(&alice, &bob, &mut bob_events, CallOptions::default()).await;
    let (video, mut events) = track(Codec::Vp8, "screen");
    at_bob.add_track(&video).await.unwrap();
    until(&mut events, LocalTrackEvent::KeyframeRequested).await;
    video.write(frame(Codec::Vp8, 0)).await.unwrap();
    let mut arrived = next(&at_alice, MediaKind::Video).await;
    let picture = soon("a picture", arrived.next_frame()).await.unwrap();
    assert_eq!(picture.payload, frame(Codec::Vp8, 0).payload);
}
