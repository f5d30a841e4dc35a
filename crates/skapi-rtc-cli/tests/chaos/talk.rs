//! What a call carries, and the check that it arrives: numbers on reliable channels, each once and in its
//! turn, and sound.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use skapi_rtc::{
    Call, CallEvent, CallOptions, ChannelOptions, ChannelReceiver, ChannelSender, Codec,
    EncodedFrame, LocalTrack, Message, TrackInit,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::words::{Kind, Load, News};

/// A channel with its pace and the size of its messages.
#[derive(Clone, Copy)]
struct Stream {
    label: &'static str,
    pace: Duration,
    size: usize,
}

/// A steady one, one that is idle as a rule, and one that is as full as it can be.
const STREAMS: [Stream; 3] = [
    Stream { label: "data", pace: Duration::from_millis(50), size: 40 },
    Stream { label: "idle", pace: Duration::from_secs(9), size: 4 },
    Stream { label: "bulk", pace: Duration::from_millis(5), size: 16_000 },
];

/// Between two packets of sound.
const SOUND_PACE: Duration = Duration::from_millis(40);

/// How long a call may live on whose channels have ended: the peer has hung up, and our own link is cut, for 20 s as a
/// rule and often twice, so that nobody can tell us; or both have new ids and do not find each other, and the path has
/// to be given up first.
const END_FOLLOWS: Duration = Duration::from_secs(60);

/// When something last arrived at a session.
#[derive(Debug, Clone)]
pub struct Heard {
    data: Arc<watch::Sender<Instant>>,
    sound: Arc<watch::Sender<Instant>>,
}

impl Heard {
    pub fn new() -> Self {
        let now = || Arc::new(watch::Sender::new(Instant::now()));
        Self { data: now(), sound: now() }
    }

    /// Tells when something next arrives.
    pub fn watch(&self, session: usize, id: u64, news: &mpsc::UnboundedSender<News>) {
        let since = Instant::now();
        for (what, heard) in [(Kind::Data, &self.data), (Kind::Sound, &self.sound)] {
            let (mut heard, news) = (heard.subscribe(), news.clone());
            tokio::spawn(async move {
                let next = heard.wait_for(|at| *at > since);
                // A call without sound never has any.
                if let Ok(Ok(at)) = timeout(Duration::from_secs(90), next).await {
                    let after_ms = (*at - since).as_millis() as u64;
                    let _ = news.send(News::Flows { session, id, what, after_ms });
                }
            });
        }
    }
}

/// The options of whoever calls or answers.
pub struct Offer {
    pub options: CallOptions,
    pub sound: Option<LocalTrack>,
}

impl Offer {
    /// As a caller, with what the call is to carry; as a callee without.
    pub fn new(load: Option<Load>) -> anyhow::Result<Self> {
        let mut options = CallOptions::default();
        let mut sound = None;
        for stream in STREAMS {
            let wanted = load.is_some_and(|load| load.bulk || stream.label != "bulk");
            if wanted {
                options = options.channel(ChannelOptions::new(stream.label));
            }
        }
        if load.is_none_or(|load| load.audio) {
            let mut init = TrackInit::new([Codec::Opus], "chaos", "sound");
            init.answer_only = load.is_none();
            let track = LocalTrack::new(init)?.0;
            options = options.track(&track);
            sound = Some(track);
        }
        Ok(Self { options, sound })
    }
}

/// Lets a call talk until it ends, and tells what happens.
pub async fn talk(
    call: &Call,
    session: usize,
    sound: Option<LocalTrack>,
    heard: &Heard,
    drain: watch::Receiver<bool>,
    news: &mpsc::UnboundedSender<News>,
) {
    let mut events = call.events();
    let mut tasks = JoinSet::new();
    for stream in STREAMS {
        let (call, heard, drain, news) = (call.clone(), heard.clone(), drain.clone(), news.clone());
        tasks.spawn(async move {
            let Ok(channel) = call.channel(stream.label).await else { return };
            let (sender, receiver) = channel.split();
            let sending = send(sender, stream, drain);
            let receiving = receive(receiver, stream.label, &heard);
            let (_, received) = tokio::join!(sending, receiving);
            match received {
                Received::All(messages) => {
                    let channel = stream.label.to_owned();
                    let _ = news.send(News::Drained { session, channel, messages });
                }
                Received::Wrong(what) => drop(news.send(News::Fault { session, what })),
                Received::Ended => {
                    if timeout(END_FOLLOWS, call.ended()).await.is_err() {
                        let what = format!("`{}` ended, and the call did not", stream.label);
                        let _ = news.send(News::Fault { session, what });
                    }
                }
            }
        });
    }
    if let Some(track) = sound {
        tasks.spawn(make_sound(track));
    }
    let (listener, heard) = (call.clone(), heard.clone());
    tasks.spawn(async move {
        while let Some(mut track) = listener.next_track().await {
            while track.next_packet().await.is_some() {
                heard.sound.send_replace(Instant::now());
            }
        }
    });
    while let Some(event) = events.next().await {
        let _ = match event {
            CallEvent::Reconnecting => news.send(News::Reconnecting { session }),
            CallEvent::Reconnected => news.send(News::Reconnected { session }),
            _ => Ok(()),
        };
    }
}

async fn send(channel: ChannelSender, stream: Stream, mut drain: watch::Receiver<bool>) {
    let mut number = 0_u64;
    loop {
        let drained = timeout(stream.pace, drain.wait_for(|drain| *drain)).await.is_ok();
        let text = if drained { format!("end {number}") } else { number.to_string() };
        if channel.send(format!("{text:<size$}", size = stream.size)).await.is_err() || drained {
            return;
        }
        number += 1;
    }
}

enum Received {
    All(u64),
    /// The channel has ended before its last message.
    Ended,
    Wrong(String),
}

async fn receive(mut channel: ChannelReceiver, label: &str, heard: &Heard) -> Received {
    let mut next = 0_u64;
    while let Some(message) = channel.recv().await {
        if label == "data" {
            heard.data.send_replace(Instant::now());
        }
        let Message::Text(text) = &message else {
            return Received::Wrong(format!("`{label}`: bytes that nobody has sent"));
        };
        let text = text.trim_end();
        let wanted = next.to_string();
        if text == wanted {
            next += 1;
        } else if text == format!("end {wanted}") {
            return Received::All(next);
        } else {
            return Received::Wrong(format!("`{label}`: {text} came instead of {wanted}"));
        }
    }
    Received::Ended
}

async fn make_sound(track: LocalTrack) {
    let step = 48 * SOUND_PACE.as_millis() as u32;
    let mut time = 0_u32;
    loop {
        let frame = EncodedFrame::new(Codec::Opus, time, true, vec![0x78; 80].into());
        // Before the call is up, and when it is over, nobody takes it.
        let _ = track.write(frame).await;
        time = time.wrapping_add(step);
        sleep(SOUND_PACE).await;
    }
}
