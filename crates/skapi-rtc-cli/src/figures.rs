//! `call --stats`: what has flowed over the call, once it is over.

use serde::Serialize;
use skapi_rtc::{
    Call, PeerStats,
    backend::{Direction, TrackRates},
};

use crate::output::Output;

#[derive(Serialize)]
struct Event {
    event: &'static str,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    round_trip_ms: Option<f64>,
    sent_kbps: f64,
    received_kbps: f64,
    tracks: Vec<Track>,
}

#[derive(Serialize)]
struct Track {
    kind: String,
    direction: &'static str,
    kbps: f64,
    packets_per_second: f64,
    lost_percent: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    jitter_ms: Option<f64>,
}

/// The figures of a call when it came up.
pub(crate) struct Figures(Option<PeerStats>);

impl Figures {
    pub(crate) async fn begin(call: &Call) -> Self {
        Self(call.stats().await.ok())
    }

    /// Says what has flowed since; nothing when the call is gone already.
    pub(crate) async fn report(self, call: &Call, output: &Output) {
        let (Some(before), Ok(now)) = (self.0, call.stats().await) else { return };
        let Some(rates) = now.since(&before) else { return };
        let tracks = now.tracks.iter();
        let jitter = |rates: &TrackRates| {
            let is_it = |track: &&skapi_rtc::backend::TrackStats| {
                (track.direction, track.kind) == (rates.direction, rates.kind)
            };
            tracks.clone().find(is_it).and_then(|track| track.jitter)
        };
        let pair = now.selected_pair.as_ref();
        let event = Event {
            event: "stats",
            seconds: rates.over.as_secs_f64(),
            path: pair.map(ToString::to_string),
            round_trip_ms: pair.and_then(|pair| pair.round_trip_time).map(millis),
            sent_kbps: rates.sent / 1e3,
            received_kbps: rates.received / 1e3,
            tracks: rates
                .tracks
                .iter()
                .map(|track| Track {
                    kind: track.kind.to_string(),
                    direction: match track.direction {
                        Direction::Outbound => "sent",
                        Direction::Inbound => "received",
                    },
                    kbps: track.bitrate / 1e3,
                    packets_per_second: track.packet_rate,
                    lost_percent: track.fraction_lost * 100.0,
                    jitter_ms: jitter(track).map(millis),
                })
                .collect(),
        };
        output.line(event.sentence(), &event);
    }
}

impl Event {
    fn sentence(&self) -> String {
        let mut text = format!(
            "in {:.1} s: {:.0} kbit/s sent, {:.0} kbit/s received",
            self.seconds, self.sent_kbps, self.received_kbps
        );
        if let Some(round_trip) = self.round_trip_ms {
            text += &format!(", round trip {round_trip:.1} ms");
        }
        for Track { kind, direction, kbps, lost_percent, jitter_ms, .. } in &self.tracks {
            text += &format!("\n  {kind} {direction}: {kbps:.0} kbit/s, {lost_percent:.1} % lost");
            if let Some(jitter) = jitter_ms {
                text += &format!(", jitter {jitter:.1} ms");
            }
        }
        text
    }
}

fn millis(time: std::time::Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
