//! What holds for every frame, and for every input that is none.

mod common;
mod strategies;

use common::{client, server};
use proptest::prelude::*;
use serde_json::Value;
use skapi_rtc_protocol::{
    ClientFrame, ConnectionId, GroupName, Json, RtcContent, ServerFrame, UserId, encode_client,
    encode_server,
    http::{GroupEntry, GroupQuery, Page, UserEntry},
};

/// Counter-examples become named tests in `regressions.rs`, so proptest keeps no file of its own.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn client_frames_come_back(frame in strategies::client_frame()) {
        let text = encode_client(&frame);
        prop_assert_eq!(client(&text), Ok(frame), "{}", text);
    }

    #[test]
    fn server_frames_come_back(frame in strategies::server_frame()) {
        let text = encode_server(&frame);
        prop_assert_eq!(server(&text), Ok(frame), "{}", text);
    }

    #[test]
    fn contents_come_back(content in strategies::rtc_content()) {
        let json = content.encode();
        prop_assert_eq!(RtcContent::decode(&json), Ok(content), "{}", json);
    }

    #[test]
    fn queries_come_back(query in strategies::group_query(), service in ".*", owner in ".*") {
        let text = query.encode(&service, &owner);
        prop_assert_eq!(GroupQuery::decode(&text), Ok(query), "{}", text);
    }

    #[test]
    fn pages_of_users_come_back(page in strategies::page(strategies::user_entry())) {
        let text = serde_json::to_string(&page).unwrap();
        prop_assert_eq!(serde_json::from_str::<Page<UserEntry>>(&text).unwrap(), page);
    }

    #[test]
    fn pages_of_groups_come_back(page in strategies::page(strategies::group_entry())) {
        let text = serde_json::to_string(&page).unwrap();
        prop_assert_eq!(serde_json::from_str::<Page<GroupEntry>>(&text).unwrap(), page);
    }

    /// What Skapi's client reads a frame with is `JSON.parse(decodeURI(text))`; `decodeURI` changes nothing
    /// in a text without `%`.
    #[test]
    fn server_frames_survive_decode_uri(frame in strategies::server_frame()) {
        let text = encode_server(&frame);
        prop_assert!(!text.contains('%'), "{}", text);
    }

    /// And what `JSON.parse` then gives is what was posted.
    #[test]
    fn the_protection_of_percent_is_plain_json(posted in strategies::text()) {
        let frame = ServerFrame::Private {
            content: Json::from(posted.as_str()),
            user: UserId::new("u").unwrap(),
            from: ConnectionId::new("c").unwrap(),
        };
        let parsed: Value = serde_json::from_str(&encode_server(&frame)).unwrap();
        prop_assert_eq!(parsed["#private"].as_str(), Some(posted.as_str()));
    }

    #[test]
    fn contents_pass_a_service_to_the_letter(content in strategies::json()) {
        let sent = format!(r#"{{"action":"rtc","uid":"cid:a","content":{content}}}"#);
        let Ok(ClientFrame::Rtc { content: read, to, .. }) = client(&sent) else {
            panic!("{sent}");
        };
        let frame = ServerFrame::Rtc {
            content: read,
            user: UserId::new("u").unwrap(),
            from: to,
        };
        let Ok(ServerFrame::Rtc { content: arrived, .. }) =
            server(&encode_server(&frame))
        else {
            panic!("{frame:?}");
        };
        prop_assert_eq!(arrived.as_str(), content.as_str());
    }

    #[test]
    fn any_text_is_read_or_refused(text in strategies::any_text()) {
        decode_all(&text);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        decode_all(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_json_is_read_or_refused(json in strategies::json()) {
        decode_all(json.as_str());
    }

    /// Frames with the right keys and anything in them.
    #[test]
    fn any_fields_are_read_or_refused(text in strategies::any_fields()) {
        decode_all(&text);
    }

    /// One character of a frame is lost, doubled or changed.
    #[test]
    fn damaged_frames_are_read_or_refused(
        frame in strategies::server_frame(),
        at in any::<prop::sample::Index>(),
        by in prop::option::of(any::<char>()),
    ) {
        let mut text: Vec<char> = encode_server(&frame).chars().collect();
        let at = at.index(text.len());
        match by {
            Some(by) => text[at] = by,
            None => drop(text.remove(at)),
        }
        decode_all(&text.into_iter().collect::<String>());
    }
}

fn decode_all(text: &str) {
    drop(client(text));
    drop(server(text));
    drop(GroupQuery::decode(text));
    drop(UserId::new(text));
    drop(ConnectionId::new(text));
    drop(GroupName::new(text));
    drop(serde_json::from_str::<Page<UserEntry>>(text));
    drop(serde_json::from_str::<Page<GroupEntry>>(text));
    if let Ok(json) = Json::new(text) {
        drop(RtcContent::decode(&json));
        drop(json.parse::<Value>());
        drop(format!("{json:?}"));
    }
}
