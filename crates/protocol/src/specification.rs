//! Ties `docs/protocol.md` to the types: what is in one has to be in the other.
//!
//! A test inside the crate, because only here a `match` on an enum has to name every variant, and a
//! struct expression every field: who adds one is led here by the compiler, and from here to the document.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    AdminEndpoints, CallKey, Capability, ClientFrame, ClientMessage, ConnectionId, ErrorCode,
    GroupName, HangupReason, IceCandidate, IceServer, Json, Limits, LinkState, NoticeCode,
    Notification, Ready, RecordEndpoints, Resumed, RtcContent, RtcSignal, ServerFrame,
    ServerLimits, SessionDescription, Transports, UserId, decode_client, decode_server,
    encode_client, encode_server,
    http::{
        Condition, ErrorBody, GroupEntry, GroupQuery, Page, PageRequest, Profile, ServiceInfo,
        UserEntry, UsersQuery,
    },
    ids::{MAX_GROUP_BYTES, MAX_ID_BYTES},
};

const DOCUMENT: &str = include_str!("../../../docs/protocol.md");

/// The lines of the blocks of this kind: one example each.
fn examples(kind: &str) -> Vec<&'static str> {
    let fence = format!("```json {kind}\n");
    let blocks = DOCUMENT.split(fence.as_str()).skip(1);
    let lines: Vec<_> =
        blocks.filter_map(|block| block.split("```").next()).flat_map(str::lines).collect();
    assert!(!lines.is_empty(), "no example of {kind}");
    lines
}

/// The document without its blocks, so that an example does not count as an explanation.
fn prose() -> String {
    DOCUMENT.split("\n```").step_by(2).collect()
}

fn assert_explained(word: &str) {
    assert!(
        prose().contains(&format!("`{word}`")),
        "`{word}` is not explained in docs/protocol.md"
    );
}

/// Names every variant of an enum, and makes the compiler complain when one is not named.
macro_rules! variants {
    ($name:ident of $type:ty { $($pattern:pat => $text:literal,)+ }) => {
        fn $name(value: &$type) -> &'static str {
            match value {
                $($pattern => $text,)+
            }
        }

        impl Variants for $type {
            const ALL: &[&str] = &[$($text),+];
        }
    };
}

trait Variants {
    const ALL: &[&str];
}

variants! {
    client_frame of ClientFrame {
        ClientFrame::KeepAlive { .. } => "keepAlive",
        ClientFrame::JoinRoom { .. } => "joinRoom",
        ClientFrame::Broadcast { .. } => "broadcast",
        ClientFrame::SendMessage { .. } => "sendMessage",
        ClientFrame::Rtc { .. } => "rtc",
        ClientFrame::Unknown { .. } => "Any other action",
    }
}

variants! {
    server_frame of ServerFrame {
        ServerFrame::Message { .. } => "#message",
        ServerFrame::Private { .. } => "#private",
        ServerFrame::Rtc { .. } => "#rtc",
        ServerFrame::Notice(_) => "#notice",
        ServerFrame::Error { .. } => "#error",
        ServerFrame::Ready(_) => "#ready",
        ServerFrame::Done { .. } => "#done",
        ServerFrame::GoingAway(_) => "#going_away",
        ServerFrame::Link { .. } => "#link",
        ServerFrame::Unknown(_) => "Any other frame",
    }
}

variants! {
    signal of RtcSignal {
        RtcSignal::Offer(_) => "sdpoffer",
        RtcSignal::Answer(_) => "sdpanswer",
        RtcSignal::Candidate(_) => "candidate",
        RtcSignal::Pickup(_) => "pickup",
        RtcSignal::HungUp(_) => "hungup",
        RtcSignal::Ringing => "ringing",
        RtcSignal::Refused => "refused",
        RtcSignal::Restart(_) => "restart",
        RtcSignal::AskCalls => "ask_calls",
        RtcSignal::Calls(_) => "calls",
        RtcSignal::TakeOver(_) => "take_over",
        RtcSignal::Granted(_) => "granted",
        RtcSignal::Taken => "taken",
        RtcSignal::Hello => "hello",
        RtcSignal::None => "caps",
    }
}

variants! {
    condition of Condition {
        Condition::Gt => ">",
        Condition::Gte => ">=",
        Condition::Eq => "=",
        Condition::Ne => "!=",
        Condition::Lt => "<",
        Condition::Lte => "<=",
    }
}

/// Every example is read, written again as the same text, and explained; every variant has one.
fn check<T>(
    kind: &str,
    read_and_write: impl Fn(&str) -> Result<(T, String), String>,
    variant: impl Fn(&T) -> &'static str,
    variants: &[&'static str],
) {
    let mut seen = BTreeSet::new();
    for example in examples(kind) {
        let (value, written) =
            read_and_write(example).unwrap_or_else(|error| panic!("{example}: {error}"));
        assert_eq!(written, example);
        let variant = variant(&value);
        if !variant.starts_with("Any") {
            keys(&serde_json::from_str(example).unwrap())
                .iter()
                .for_each(|key| assert_explained(key));
        }
        seen.insert(variant);
    }
    let variants: BTreeSet<_> = variants.iter().copied().collect();
    assert_eq!(seen, variants, "the examples of {kind} are not complete");
}

/// The keys of the wire in a value; what is inside a content is the users'.
fn keys(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if let Value::Object(fields) = value {
        for (key, value) in fields {
            found.insert(key.clone());
            if !["content", "#message", "#private", "startKey"].contains(&key.as_str()) {
                found.extend(keys(value));
            }
        }
    }
    if let Value::Array(values) = value {
        found.extend(values.iter().flat_map(keys));
    }
    found
}

fn serde_page<T: serde::de::DeserializeOwned + serde::Serialize>(
    text: &str,
) -> Result<((), String), String> {
    let value: T = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok(((), serde_json::to_string(&value).unwrap()))
}

#[test]
fn frames_of_clients() {
    let read = |text: &str| {
        let frame = decode_client(text, &Limits::default()).map_err(|error| error.to_string())?;
        let written = encode_client(&frame);
        Ok((frame, written))
    };
    check("client-frame", read, client_frame, ClientFrame::ALL);
    for name in ClientFrame::ALL {
        assert!(DOCUMENT.contains(&format!("### `{name}`\n")) || name.starts_with("Any"));
    }
}

#[test]
fn frames_of_the_service() {
    let read = |text: &str| {
        let frame = decode_server(text, &Limits::default()).map_err(|error| error.to_string())?;
        let written = encode_server(&frame);
        Ok((frame, written))
    };
    check("server-frame", read, server_frame, ServerFrame::ALL);
    for name in ServerFrame::ALL {
        assert!(DOCUMENT.contains(&format!("### `{name}`\n")) || name.starts_with("Any"));
    }
}

#[test]
fn contents() {
    let read = |text: &str| {
        let json = Json::new(text).map_err(|error| error.to_string())?;
        let content = RtcContent::decode(&json).map_err(|error| error.to_string())?;
        let written = content.encode().as_str().to_owned();
        Ok((content.signal, written))
    };
    check("rtc-content", read, signal, RtcSignal::ALL);
}

#[test]
fn bodies() {
    let read = |text: &str| {
        let query = GroupQuery::decode(text).map_err(|error| error.to_string())?;
        let written = query.encode("service", "owner");
        Ok((query, written))
    };
    let question = |query: &GroupQuery| match query {
        GroupQuery::Users(_) => "users",
        GroupQuery::Groups(_) => "groups",
    };
    check("group-query", read, question, &["users", "groups"]);
    let one = |_: &()| "one";
    check("user-page", serde_page::<Page<UserEntry>>, one, &["one"]);
    check("group-page", serde_page::<Page<GroupEntry>>, one, &["one"]);
    check("profile-page", serde_page::<Page<Profile>>, one, &["one"]);
    check("service", serde_page::<ServiceInfo>, one, &["one"]);
    check("error", serde_page::<ErrorBody>, one, &["one"]);
    check("admin", serde_page::<AdminEndpoints>, one, &["one"]);
    check("record", serde_page::<RecordEndpoints>, one, &["one"]);
}

#[test]
fn words() {
    let words = [
        NoticeCode::ALL.iter().map(NoticeCode::as_str).collect(),
        ErrorCode::ALL.iter().map(ErrorCode::as_str).collect(),
        HangupReason::ALL.iter().map(HangupReason::as_str).collect(),
        Capability::ALL.iter().map(Capability::as_str).collect(),
        Transports::ALL.iter().map(Transports::as_str).collect(),
        LinkState::ALL.iter().map(LinkState::as_str).collect(),
        Condition::ALL.to_vec(),
    ];
    for word in words.concat() {
        assert_explained(word);
    }
    assert_eq!(condition(&Condition::Gt), ">");
    for code in NoticeCode::ALL {
        let notice = crate::Notice {
            code: code.clone(),
            user: UserId::new("alice").unwrap(),
            from: ConnectionId::new("a").unwrap(),
            group: GroupName::new("lobby").unwrap(),
        };
        let sentence = notice.text().replace("alice", "…");
        assert!(prose().contains(&format!("`{sentence}`")), "{sentence}");
    }
}

/// Everything that may be left out, filled in: every field there is has to be explained.
#[test]
fn fields() {
    let text = || Some("x".to_owned());
    let json = || Some(Json::null());
    let message = ClientMessage {
        content: Json::null(),
        notification: Notification { notification: json(), config: json() },
        token: text(),
        reference: Some(1),
    };
    let ready = Ready {
        cid: ConnectionId::new("a").unwrap(),
        user_id: UserId::new("alice").unwrap(),
        resume: text(),
        resumed: Some(Resumed { received: 1, complete: true }),
        ice_servers: vec![IceServer { urls: Vec::new(), username: text(), credential: text() }],
        limits: ServerLimits { max_frame_bytes: 1 },
        server: String::new(),
    };
    let candidate = IceCandidate {
        candidate: String::new(),
        sdp_mid: text(),
        sdp_m_line_index: Some(0),
        username_fragment: text(),
    };
    let content = |signal| RtcContent {
        signal,
        call: Some(CallKey(1)),
        reason: Some(HangupReason::Busy),
        capabilities: Some(Vec::new()),
        seq: Some(1),
        ack: Some(1),
        round: Some(1),
        replaces: Some(CallKey(2)),
    };
    let query = UsersQuery {
        group: GroupName::new("lobby").unwrap(),
        user: Some(UserId::new("alice").unwrap()),
        page: PageRequest { limit: Some(1), start_key: json(), ascending: Some(true) },
    };
    let offer = SessionDescription::offer("");
    let written = [
        encode_client(&ClientFrame::Broadcast { group: GroupName::new("lobby").unwrap(), message }),
        encode_server(&ServerFrame::Ready(ready)),
        content(RtcSignal::Candidate(candidate)).encode().to_string(),
        content(RtcSignal::Offer(offer)).encode().to_string(),
        GroupQuery::Users(query).encode("service", "owner"),
        serde_json::to_string(&ServiceInfo::default()).unwrap(),
    ];
    for text in written {
        keys(&serde_json::from_str(&text).unwrap()).iter().for_each(|key| assert_explained(key));
    }
}

#[test]
fn limits() {
    for limit in [Limits::default().max_frame_bytes, MAX_ID_BYTES, MAX_GROUP_BYTES] {
        assert!(prose().contains(&format!("{limit} bytes")), "{limit}");
    }
}
