//! What has to hold for any bytes: no panic, and what was read is written and read again as the same.
//!
//! The fuzzer runs these on inputs it makes up; a test in `crates/protocol` runs them on the corpus.

use skapi_rtc_protocol::{self as protocol, Json, Limits, RtcContent, http::GroupQuery};

/// A frame from a client.
pub fn decode_client(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(frame) = protocol::decode_client(text, &Limits::default()) {
        let written = protocol::encode_client(&frame);
        assert_eq!(protocol::decode_client(&written, &unlimited()), Ok(frame));
    }
}

/// A frame from the service; and what is written survives `JSON.parse(decodeURI(text))`.
pub fn decode_server(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(frame) = protocol::decode_server(text, &Limits::default()) {
        let written = protocol::encode_server(&frame);
        assert!(!written.contains('%'), "a bare % in {written}");
        assert_eq!(protocol::decode_server(&written, &unlimited()), Ok(frame));
    }
}

/// The content of an `rtc` frame.
pub fn rtc_content(bytes: &[u8]) {
    let Some(Ok(content)) = text(bytes).map(Json::new) else {
        return;
    };
    if let Ok(content) = RtcContent::decode(&content) {
        assert_eq!(RtcContent::decode(&content.encode()), Ok(content));
    }
}

/// The body of a `get-ws-group` request.
pub fn group_query(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(query) = GroupQuery::decode(text) {
        let written = query.encode("service", "owner");
        assert_eq!(GroupQuery::decode(&written), Ok(query));
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Writing may lengthen a frame: `%` becomes six bytes.
fn unlimited() -> Limits {
    Limits::default().max_frame_bytes(usize::MAX)
}
