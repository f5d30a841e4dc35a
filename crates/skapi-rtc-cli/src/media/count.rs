//! Counts what arrives on the tracks of a call, and reports it.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use serde::Serialize;
use skapi_rtc::{Call, EncodedFrame, RemoteTrack, RtpPacket};
use tokio::task::JoinSet;

use crate::output::Output;

/// What arrived on the tracks of a call.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<Vec<Arc<Track>>>);

#[derive(Debug)]
struct Track {
    kind: String,
    id: String,
    codec: Mutex<Option<&'static str>>,
    /// Packets where they are passed on, frames where they are looked at.
    items: AtomicU64,
    keyframes: AtomicU64,
    bytes: AtomicU64,
}

/// Counts one track.
#[derive(Debug, Clone)]
pub(super) struct Counter(Arc<Track>);

#[derive(Serialize)]
struct Report<'a> {
    event: &'static str,
    kind: &'a str,
    id: &'a str,
    codec: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packets: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keyframes: Option<u64>,
    bytes: u64,
}

impl Counters {
    pub(super) fn add(&self, track: &RemoteTrack) -> Counter {
        let track = Arc::new(Track {
            kind: track.kind().to_string(),
            id: track.id().to_owned(),
            codec: Mutex::default(),
            items: AtomicU64::new(0),
            keyframes: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(track.clone());
        Counter(track)
    }

    /// Reads every track of a call and counts its frames, until the call ends.
    pub(crate) async fn read(&self, call: &Call, output: &Output) {
        #[derive(Serialize)]
        struct Event<'a> {
            event: &'static str,
            kind: &'a str,
            id: &'a str,
        }
        let output = *output;
        let mut readers = JoinSet::new();
        while let Some(mut track) = call.next_track().await {
            let (kind, id) = (track.kind().to_string(), track.id().to_owned());
            output.line(
                format_args!("{kind} arrives: track {id}"),
                &Event { event: "track", kind: &kind, id: &id },
            );
            let counter = self.add(&track);
            readers.spawn(async move {
                let mut flows = false;
                while let Some(frame) = track.next_frame().await {
                    counter.frame(&frame);
                    if !std::mem::replace(&mut flows, true) {
                        let event = Event { event: "flows", kind: &kind, id: &id };
                        output.line(format_args!("{kind} flows: track {id}"), &event);
                    }
                }
            });
        }
        while readers.join_next().await.is_some() {}
    }

    /// Says what arrived: as packets for who passed it on, as frames for who read it.
    pub(crate) fn report(&self, as_packets: bool, output: &Output) {
        for track in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let codec = *track.codec.lock().unwrap_or_else(PoisonError::into_inner);
            let items = track.items.load(Ordering::Relaxed);
            let keyframes = track.keyframes.load(Ordering::Relaxed);
            let bytes = track.bytes.load(Ordering::Relaxed);
            let kind = &track.kind;
            let what = if as_packets {
                format!("{items} packets")
            } else {
                format!("{items} frames, {keyframes} of them key frames")
            };
            output.line(
                format_args!("{kind} received: {what}, {bytes} bytes, {}", codec.unwrap_or("-")),
                &Report {
                    event: "media_received",
                    kind,
                    id: &track.id,
                    codec,
                    packets: as_packets.then_some(items),
                    frames: (!as_packets).then_some(items),
                    keyframes: (!as_packets).then_some(keyframes),
                    bytes,
                },
            );
        }
    }
}

impl Counter {
    pub(super) fn packet(&self, packet: &RtpPacket) {
        self.count(packet.codec.name(), packet.payload.len());
    }

    fn frame(&self, frame: &EncodedFrame) {
        self.count(frame.codec.name(), frame.payload.len());
        self.0.keyframes.fetch_add(frame.keyframe.into(), Ordering::Relaxed);
    }

    fn count(&self, codec: &'static str, bytes: usize) {
        *self.0.codec.lock().unwrap_or_else(PoisonError::into_inner) = Some(codec);
        self.0.items.fetch_add(1, Ordering::Relaxed);
        self.0.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
