//! The browser's statistics (W3C webrtc-stats) as a snapshot.

use std::time::Duration;

use gloo_timers::future::TimeoutFuture;
use js_sys::Map;
use skapi_rtc_backend::{
    CandidateKind, CandidatePair, CandidateStats, ChannelStats, Direction, MediaKind, PeerStats,
    TrackStats,
};
use wasm_bindgen::{JsCast, JsValue};

use crate::{
    convert::get,
    shared::{Refused, Shared},
};

/// How long a browser may give the same report again, in milliseconds; Chromium does for 50.
const STALE_MS: u32 = 60;

/// A report that is not older than the question.
pub(crate) async fn report_of_now(shared: &Shared) -> Result<JsValue, Refused> {
    let asked = now();
    let report = shared.settle(shared.native.get_stats()).await?;
    if taken_at(&report).is_none_or(|taken| taken >= asked) {
        return Ok(report);
    }
    TimeoutFuture::new(STALE_MS).await;
    shared.settle(shared.native.get_stats()).await
}

/// The time in the milliseconds of reports, which have fractions.
fn now() -> f64 {
    let clock = web_sys::window().and_then(|window| window.performance());
    clock.map_or_else(js_sys::Date::now, |clock| clock.time_origin() + clock.now())
}

/// When the oldest figures of a report were taken.
fn taken_at(report: &JsValue) -> Option<f64> {
    let mut oldest: Option<f64> = None;
    report.unchecked_ref::<Map>().for_each(&mut |figures, _| {
        if let Some(time) = get(&figures, "timestamp").as_f64() {
            oldest = Some(oldest.map_or(time, |oldest| oldest.min(time)));
        }
    });
    oldest
}

/// Reads a report, which is a map from ids to figures.
pub(crate) fn peer_stats(report: &JsValue) -> PeerStats {
    let report: &Map = report.unchecked_ref();
    let mut stats = PeerStats::default();
    let mut selected = None;
    let mut nominated = None;
    report.for_each(&mut |figures, _| match text(&figures, "type").as_str() {
        "transport" => selected = get(&figures, "selectedCandidatePairId").as_string(),
        "candidate-pair" if is_in_use(&figures) => nominated = Some(figures),
        "data-channel" => stats.channels.push(channel(&figures)),
        "inbound-rtp" => stats.tracks.push(track(&figures, Direction::Inbound)),
        "outbound-rtp" => stats.tracks.push(sent_track(report, &figures)),
        _ => {}
    });
    // Not every browser has figures of the transport.
    let pair = selected.map(|id| report.get(&id.into())).or(nominated);
    if let Some(pair) = pair.filter(JsValue::is_object) {
        stats.bytes_sent = count(&pair, "bytesSent");
        stats.bytes_received = count(&pair, "bytesReceived");
        let end = |name: &str| candidate(&report.get(&get(&pair, name)));
        if let (Some(local), Some(remote)) = (end("localCandidateId"), end("remoteCandidateId")) {
            let mut selected = CandidatePair::new(local, remote);
            selected.round_trip_time = seconds(&pair, "currentRoundTripTime");
            selected.available_outgoing_bitrate =
                get(&pair, "availableOutgoingBitrate").as_f64().map(|bits| bits as u64);
            stats.selected_pair = Some(selected);
        }
    }
    stats
}

fn is_in_use(pair: &JsValue) -> bool {
    get(pair, "nominated").is_truthy() && text(pair, "state") == "succeeded"
}

fn candidate(figures: &JsValue) -> Option<CandidateStats> {
    let kind = match text(figures, "candidateType").as_str() {
        "host" => CandidateKind::Host,
        "srflx" => CandidateKind::ServerReflexive,
        "prflx" => CandidateKind::PeerReflexive,
        "relay" => CandidateKind::Relay,
        _ => return None,
    };
    let host = text(figures, "address");
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let address = format!("{host}:{}", count(figures, "port"));
    Some(CandidateStats::new(kind, text(figures, "protocol"), address))
}

fn channel(figures: &JsValue) -> ChannelStats {
    let mut stats = ChannelStats::default();
    stats.label = text(figures, "label");
    stats.messages_sent = count(figures, "messagesSent");
    stats.messages_received = count(figures, "messagesReceived");
    stats.bytes_sent = count(figures, "bytesSent");
    stats.bytes_received = count(figures, "bytesReceived");
    stats
}

fn track(figures: &JsValue, direction: Direction) -> TrackStats {
    let (kind, sent) = (text(figures, "kind"), direction == Direction::Outbound);
    let kind = if kind == "audio" { MediaKind::Audio } else { MediaKind::Video };
    let mut stats = TrackStats::new(direction, kind);
    stats.ssrc = get(figures, "ssrc").as_f64().map(|ssrc| ssrc as u32);
    stats.packets = count(figures, if sent { "packetsSent" } else { "packetsReceived" });
    stats.bytes = count(figures, if sent { "bytesSent" } else { "bytesReceived" });
    stats.lost = count(figures, "packetsLost");
    stats.nacks = count(figures, "nackCount");
    stats.keyframe_requests = count(figures, "pliCount") + count(figures, "firCount");
    stats.jitter = seconds(figures, "jitter");
    stats
}

/// A track that we send, with what the peer reports of it.
fn sent_track(report: &Map, figures: &JsValue) -> TrackStats {
    let mut stats = track(figures, Direction::Outbound);
    let reported = report.get(&get(figures, "remoteId"));
    if reported.is_object() {
        stats.lost = count(&reported, "packetsLost");
        stats.round_trip_time = seconds(&reported, "roundTripTime");
        stats.jitter = seconds(&reported, "jitter");
    }
    stats
}

fn seconds(figures: &JsValue, name: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(get(figures, name).as_f64()?).ok()
}

fn text(figures: &JsValue, name: &str) -> String {
    get(figures, name).as_string().unwrap_or_default()
}

fn count(figures: &JsValue, name: &str) -> u64 {
    get(figures, name).as_f64().map_or(0, |count| count as u64)
}
