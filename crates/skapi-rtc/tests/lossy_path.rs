//! A path that loses packets: what a reliable channel carries arrives whole and in its order, whichever engine sends
//! and whichever receives.
//!
//! `SKAPI_RTC_LOSS` asks for other shares of lost packets than 1 percent, such as `1,2,5`, and
//! `SKAPI_RTC_LOSSY_MIB` for other amounts than 2 MiB each way. How fast it went is printed.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test: whatever fails ends it")]

mod support;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use skapi_rtc::{
    Backend, Call, CallOptions, ChannelOptions, ChannelReceiver, ChannelSender, Message,
    Str0mBackend, WebRtcBackend, connect_realtime,
};
use support::{Service, call, path::Path, soon};

const MESSAGE: usize = 16 * 1024;

/// Between two messages nothing but a fault takes longer: after a loss that is lost again, SCTP waits a second, then
/// two, then four (RFC 9260 §6.3.3).
const STANDSTILL: Duration = Duration::from_secs(30);

fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

fn webrtc() -> Arc<dyn Backend> {
    Arc::new(WebRtcBackend::default())
}

fn str0m() -> Arc<dyn Backend> {
    Arc::new(Str0mBackend::default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webrtc_with_webrtc() {
    carries(webrtc(), webrtc()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn str0m_with_str0m() {
    carries(str0m(), str0m()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webrtc_with_str0m() {
    carries(webrtc(), str0m()).await;
}

async fn carries(first: Arc<dyn Backend>, second: Arc<dyn Backend>) {
    let service = Service::start().await;
    let path = Path::new();
    let join = |user, backend| {
        let options = path.carries(service.options(user)).backend(backend);
        soon("connecting", connect_realtime(options))
    };
    let (alice, _events) = join("alice", first).await.unwrap();
    let (bob, mut bob_events) = join("bob", second).await.unwrap();
    let options = CallOptions::default().channel(ChannelOptions::new("data"));
    let (at_alice, at_bob) = call(&alice, &bob, &mut bob_events, options).await;
    let (mut alice_sends, mut alice_reads) = data(&at_alice).await;
    let (mut bob_sends, mut bob_reads) = data(&at_bob).await;
    let mebibytes: usize = setting("SKAPI_RTC_LOSSY_MIB", "2").parse().unwrap();
    let messages = mebibytes * 1024 * 1024 / MESSAGE;
    for percent in setting("SKAPI_RTC_LOSS", "1").split(',') {
        path.lose(percent.trim().parse::<f64>().unwrap() / 100.0);
        let began = Instant::now();
        tokio::join!(
            send(&mut alice_sends, messages),
            receive(&mut alice_reads, messages),
            send(&mut bob_sends, messages),
            receive(&mut bob_reads, messages),
        );
        let rate = 2.0 * mebibytes as f64 / began.elapsed().as_secs_f64();
        eprintln!("{percent} % lost: {rate:.2} MiB/s both ways together");
    }
    path.lose(0.0);
    soon("the end", at_alice.hangup()).await;
    soon("the end", at_bob.ended()).await;
}

async fn data(call: &Call) -> (ChannelSender, ChannelReceiver) {
    soon("a channel", call.channel("data")).await.unwrap().split()
}

async fn send(channel: &mut ChannelSender, messages: usize) {
    for number in 0..messages {
        let mut message = vec![number as u8; MESSAGE];
        message[..8].copy_from_slice(&number.to_be_bytes());
        tokio::time::timeout(STANDSTILL, channel.send(message))
            .await
            .unwrap_or_else(|_| panic!("message {number} of {messages} cannot be sent"))
            .unwrap();
    }
}

async fn receive(channel: &mut ChannelReceiver, messages: usize) {
    for number in 0..messages {
        let message = tokio::time::timeout(STANDSTILL, channel.recv())
            .await
            .unwrap_or_else(|_| panic!("message {number} of {messages} does not come"));
        let Some(Message::Binary(message)) = message else { panic!("{message:?}") };
        assert_eq!(message[..8], number.to_be_bytes());
        assert!(message.len() == MESSAGE && message[8..].iter().all(|byte| *byte == number as u8));
    }
}
