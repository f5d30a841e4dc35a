//! The path between two peers is cut for a while and comes back: the call goes on, and nothing that was
//! sent on a reliable channel is lost, doubled or out of order.
//!
//! `SKAPI_RTC_CUTS` asks for other cuts than the default ones, in seconds: `1,5,20`. How long data took to
//! flow again is printed.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test: whatever fails ends it")]

mod support;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use skapi_rtc::{
    Backend, Call, CallEvent, CallOptions, ChannelOptions, ChannelReceiver, ChannelSender, Message,
    connect_realtime,
};
use support::{Service, call, path::Path, soon};
use tokio::sync::{mpsc, watch};

/// How often each side sends.
const PACE: Duration = Duration::from_millis(20);

/// Data has to flow again this soon after the path's return. A measurement is in the benchmark; this is
/// what nothing but a fault takes.
const AT_LAST: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy)]
enum Cut {
    Path,
    /// The path, and the way to the service too.
    All,
}

fn cuts() -> Vec<u64> {
    let wanted = std::env::var("SKAPI_RTC_CUTS").unwrap_or_else(|_| "1,5".to_owned());
    wanted.split(',').map(|seconds| seconds.trim().parse().unwrap()).collect()
}

macro_rules! with {
    ($engine:ident, $backend:ty) => {
        mod $engine {
            use super::{Cut, survive};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_path_that_is_cut_comes_back() {
                survive::<$backend>(Cut::Path).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_network_that_is_gone_comes_back() {
                survive::<$backend>(Cut::All).await;
            }
        }
    };
}

with!(webrtc, skapi_rtc::WebRtcBackend);
with!(str0m, skapi_rtc::Str0mBackend);

async fn survive<B: Backend + Default>(what: Cut) {
    let service = Service::start().await;
    let path = Path::new();
    let join = |user| {
        let options = path.carries(service.options(user)).backend(Arc::new(B::default()));
        soon("connecting", connect_realtime(options))
    };
    let (alice, _events) = join("alice").await.unwrap();
    let (bob, mut bob_events) = join("bob").await.unwrap();
    let options = CallOptions::default().channel(ChannelOptions::new("data"));
    let (at_alice, at_bob) = call(&alice, &bob, &mut bob_events, options).await;
    let mut talk = Talk::start(&at_alice, &at_bob).await;
    for seconds in cuts() {
        talk.flows().await;
        // The cut falls anywhere between two signs of life.
        tokio::time::sleep(Duration::from_millis(fastrand::u64(..1000))).await;
        let mut events = [watch_events(&at_alice), watch_events(&at_bob)];
        match what {
            Cut::Path => path.cut(),
            Cut::All => path.cut_all(),
        }
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        path.restore();
        let restored = Instant::now();
        let waits = talk.flow_again(restored).await;
        eprintln!("{what:?} cut for {seconds} s: data flowed again after {waits:?}");
        if seconds > 4 {
            for events in &mut events {
                soon("reconnecting", told(events, CallEvent::Reconnecting)).await;
                soon("reconnected", told(events, CallEvent::Reconnected)).await;
            }
        }
    }
    talk.end().await;
    soon("the end", at_alice.hangup()).await;
    soon("the end", at_bob.ended()).await;
}

/// Reads a call's events all the time: who does not misses what has passed.
fn watch_events(call: &Call) -> mpsc::UnboundedReceiver<CallEvent> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let mut events = call.events();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if sender.send(event).is_err() {
                return;
            }
        }
    });
    receiver
}

async fn told(events: &mut mpsc::UnboundedReceiver<CallEvent>, wanted: CallEvent) {
    while let Some(event) = events.recv().await {
        if event == wanted {
            return;
        }
    }
    panic!("the call ended before {wanted:?}");
}

/// Both sides send numbers, and both check that every number comes once and in its turn.
struct Talk {
    stop: watch::Sender<bool>,
    /// When something arrived, at each side.
    arrivals: [mpsc::UnboundedReceiver<Instant>; 2],
    senders: Vec<tokio::task::JoinHandle<u64>>,
    receivers: Vec<tokio::task::JoinHandle<u64>>,
}

impl Talk {
    async fn start(at_alice: &Call, at_bob: &Call) -> Self {
        let stop = watch::Sender::new(false);
        let mut talk = Self {
            stop: stop.clone(),
            arrivals: [mpsc::unbounded_channel().1, mpsc::unbounded_channel().1],
            senders: Vec::new(),
            receivers: Vec::new(),
        };
        for (side, call) in [at_alice, at_bob].into_iter().enumerate() {
            let (sender, receiver) = soon("a channel", call.channel("data")).await.unwrap().split();
            let (told, arrivals) = mpsc::unbounded_channel();
            talk.arrivals[side] = arrivals;
            talk.senders.push(tokio::spawn(send(sender, stop.subscribe())));
            talk.receivers.push(tokio::spawn(receive(receiver, told)));
        }
        talk
    }

    /// Waits until something arrives at both sides.
    async fn flows(&mut self) {
        self.flow_again(Instant::now()).await;
    }

    /// How long after a moment something first arrives, at each side.
    async fn flow_again(&mut self, since: Instant) -> Vec<Duration> {
        let mut waits = Vec::new();
        for arrivals in &mut self.arrivals {
            let first = async {
                loop {
                    let at = arrivals.recv().await.expect("the channel has ended");
                    if at > since {
                        return at;
                    }
                }
            };
            let first = tokio::time::timeout(AT_LAST, first).await;
            waits.push(first.expect("data flows again") - since);
        }
        waits
    }

    /// Stops, and checks that everything has arrived.
    async fn end(self) {
        self.stop.send_replace(true);
        let mut sent = Vec::new();
        for sender in self.senders {
            sent.push(soon("the last message is sent", sender).await.unwrap());
        }
        for (receiver, sent) in self.receivers.into_iter().zip(sent.into_iter().rev()) {
            let received = soon("the last message arrives", receiver).await.unwrap();
            assert_eq!(received, sent);
        }
    }
}

async fn send(channel: ChannelSender, mut stop: watch::Receiver<bool>) -> u64 {
    let mut number = 0;
    loop {
        let stopped = tokio::time::timeout(PACE, stop.wait_for(|stop| *stop)).await.is_ok();
        if stopped {
            channel.send("end").await.unwrap();
            return number;
        }
        channel.send(number.to_string()).await.unwrap();
        number += 1;
    }
}

async fn receive(mut channel: ChannelReceiver, told: mpsc::UnboundedSender<Instant>) -> u64 {
    let mut next = 0;
    loop {
        let message = channel.recv().await.expect("the channel has ended");
        if message == Message::from("end") {
            return next;
        }
        assert_eq!(message, Message::from(next.to_string()));
        next += 1;
        let _ = told.send(Instant::now());
    }
}
