//! The browser's statistics (W3C webrtc-stats) as a snapshot.

use js_sys::Map;
use skapi_rtc_backend::{CandidateKind, CandidatePair, CandidateStats, ChannelStats, PeerStats};
use wasm_bindgen::{JsCast, JsValue};

use crate::convert::get;

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
            selected.round_trip_time = get(&pair, "currentRoundTripTime")
                .as_f64()
                .and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok());
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

fn text(figures: &JsValue, name: &str) -> String {
    get(figures, name).as_string().unwrap_or_default()
}

fn count(figures: &JsValue, name: &str) -> u64 {
    get(figures, name).as_f64().map_or(0, |count| count as u64)
}
