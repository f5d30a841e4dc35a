//! Inputs that once broke something, or would break a careless reader.

mod common;

use common::{cid, client, group, json, server, user};
use skapi_rtc_protocol::{
    ClientFrame, ClientMessage, DecodeError, Json, Ready, RtcContent, RtcSignal, ServerFrame,
    encode_client, encode_server, http::GroupQuery,
};

/// 100,000 levels, wherever JSON may stand: a reader that descends would overflow its stack.
#[test]
fn deep_nesting_costs_no_stack() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        for key in ["action", "rid", "uid", "content", "notification", "token", "ref", "unknown"] {
            for action in ["joinRoom", "broadcast", "rtc", "x"] {
                drop(client(&format!(r#"{{"action":"{action}","{key}":{deep}}}"#)));
            }
        }
        let keep_alive = format!(r#"{{"action":"keepAlive","x":{deep}}}"#);
        assert_eq!(client(&keep_alive), Ok(ClientFrame::KeepAlive { received: None }));
        for key in ["#message", "#private", "#rtc", "#notice", "#error", "#ready", "#done", "x"] {
            drop(server(&format!(r#"{{"{key}":{deep}}}"#)));
        }
        let ready = format!(r##"{{"#ready":{{"cid":"a","user_id":"b","x":{deep}}}}}"##);
        assert!(matches!(server(&ready), Ok(ServerFrame::Ready(_))));
        for key in [
            "sdpoffer",
            "sdpanswer",
            "candidate",
            "pickup",
            "hungup",
            "ringing",
            "call",
            "reason",
            "caps",
            "seq",
            "ack",
        ] {
            assert!(RtcContent::decode(&json(&format!(r#"{{"{key}":{deep}}}"#))).is_err());
        }
        for key in ["group", "searchFor", "value", "limit", "startKey"] {
            drop(GroupQuery::decode(&format!(r#"{{"{key}":{deep}}}"#)));
        }
        assert!(json(&deep).parse::<serde_json::Value>().is_err());
    }
}

/// JavaScript has strings that are no Unicode text; its JSON writes them as escapes.
#[test]
fn lone_surrogates_in_contents_survive() {
    let content = r#"{"a":"\ud800","b":"\udc00\ud800"}"#;
    let posted = client(&format!(r#"{{"action":"broadcast","rid":"G","content":{content}}}"#));
    let Ok(ClientFrame::Broadcast { message, .. }) = posted else {
        panic!("{posted:?}");
    };
    assert_eq!(message.content.as_str(), content);
    let frame = ServerFrame::Message {
        content: message.content,
        user: user("u"),
        from: cid("c"),
        group: group("G"),
    };
    let text = encode_server(&frame);
    assert!(text.contains(content));
    assert_eq!(server(&text), Ok(frame));
}

/// In a name they are refused, not replaced: two names must not become one.
#[test]
fn lone_surrogates_in_names_are_refused() {
    assert!(matches!(
        client(r#"{"action":"joinRoom","rid":"\ud800"}"#),
        Err(DecodeError::Field { field: "rid", .. })
    ));
}

#[test]
fn a_byte_order_mark_is_no_json() {
    assert!(matches!(client("\u{feff}{\"action\":\"keepAlive\"}"), Err(DecodeError::Syntax(_))));
}

#[test]
fn space_around_a_frame_is_allowed_only_where_json_has_it() {
    assert_eq!(
        client("\r\n\t {\"action\":\"keepAlive\"} \n"),
        Ok(ClientFrame::KeepAlive { received: None })
    );
    for space in ["\u{a0}", "\u{b}", "\u{2028}", "\0"] {
        let text = format!("{space}{{\"action\":\"keepAlive\"}}");
        assert!(matches!(client(&text), Err(DecodeError::Syntax(_))), "{space:?}");
    }
}

#[test]
fn nul_passes_in_contents_and_nowhere_else() {
    let content = r#""a\u0000b""#;
    let text = format!(r#"{{"action":"sendMessage","uid":"u","content":{content}}}"#);
    assert_eq!(
        client(&text),
        Ok(ClientFrame::SendMessage {
            user: user("u"),
            message: ClientMessage::new(json(content)),
        })
    );
    assert!(client("{\"action\":\"keepAlive\",\"x\":\"\0\"}").is_err());
    assert!(client(r#"{"action":"joinRoom","rid":"a\u0000"}"#).is_err());
    assert!(client(r#"{"action":"sendMessage","uid":"\u0000","content":1}"#).is_err());
}

/// `JSON.parse` takes the last; a service that took the first would check one thing and pass on another.
#[test]
fn repeated_fields_are_refused_by_name() {
    let repeated = |name: &str| Some(DecodeError::Repeated(name.to_owned()));
    assert_eq!(client(r#"{"action":"keepAlive","action":"rtc"}"#).err(), repeated("action"));
    // An escape does not hide it.
    assert_eq!(client(r#"{"action":"keepAlive","\u0061ction":"rtc"}"#).err(), repeated("action"));
    assert_eq!(server(r##"{"#message":1,"#message":2}"##).err(), repeated("#message"));
    assert_eq!(
        RtcContent::decode(&json(r#"{"hungup":"a","hungup":"b"}"#)).err(),
        repeated("hungup")
    );
}

/// A `null` is a value where any JSON may stand, and nothing where a field may be missing.
#[test]
fn null_is_a_content() {
    let frame =
        ClientFrame::Rtc { to: cid("c"), content: Json::null(), token: None, reference: None };
    assert_eq!(
        client(r#"{"action":"rtc","uid":"cid:c","content":null,"token":null,"ref":null}"#),
        Ok(frame.clone())
    );
    assert_eq!(client(&encode_client(&frame)), Ok(frame));
    assert_eq!(client(r#"{"action":"rtc","uid":"cid:c"}"#), Err(DecodeError::Missing("content")));
}

/// Chromium ends the candidates with `null`, or with an empty candidate.
#[test]
fn a_candidate_of_null_ends_the_candidates() {
    let content = RtcContent::decode(&json(r#"{"candidate":null}"#)).unwrap();
    let RtcSignal::Candidate(candidate) = content.signal else {
        panic!("{content:?}");
    };
    assert!(candidate.is_end_of_candidates());
}

#[test]
fn huge_numbers_are_kept_in_contents_and_refused_in_fields() {
    let huge = "9".repeat(100_000);
    let text = format!(r#"{{"action":"broadcast","rid":"G","content":-{huge}.{huge}e{huge}}}"#);
    assert_eq!(encode_client(&client(&text).unwrap()), text);
    for number in [huge.as_str(), "-1", "1.5", "1e2", "4294967296"] {
        let text = format!(r#"{{"action":"joinRoom","rid":"G","ref":{number}}}"#);
        assert!(matches!(client(&text), Err(DecodeError::Field { field: "ref", .. })));
    }
}

#[test]
fn two_signals_in_one_content_are_refused() {
    let error = RtcContent::decode(&json(r#"{"pickup":"a","hungup":"a"}"#)).unwrap_err();
    assert_eq!(error.to_string(), "the field `content` is invalid: it holds more than one signal");
}

#[test]
fn an_offer_is_no_answer() {
    for text in [
        r#"{"sdpoffer":{"type":"answer","sdp":""}}"#,
        r#"{"sdpanswer":{"type":"offer","sdp":""}}"#,
        r#"{"sdpanswer":{"type":"pranswer","sdp":""}}"#,
        r#"{"sdpoffer":{"type":"rollback","sdp":""}}"#,
    ] {
        assert!(
            matches!(RtcContent::decode(&json(text)), Err(DecodeError::Field { .. })),
            "{text}"
        );
    }
}

#[test]
fn an_array_is_no_object() {
    for text in ["[]", "[1]", r#"["keepAlive"]"#, "null", "1", r#""x""#] {
        assert_eq!(client(text), Err(DecodeError::NotAnObject), "{text}");
        assert_eq!(server(text), Err(DecodeError::NotAnObject), "{text}");
        assert_eq!(RtcContent::decode(&json(text)), Err(DecodeError::NotAnObject));
        assert_eq!(GroupQuery::decode(text), Err(DecodeError::NotAnObject));
    }
    for text in [r#"{"sdpoffer":["offer","v=0"]}"#, r#"{"candidate":["",null,null,null]}"#] {
        assert!(RtcContent::decode(&json(text)).is_err(), "{text}");
    }
    assert!(server(r##"{"#ready":["a","alice"]}"##).is_err());
}

#[test]
fn debug_output_shows_no_secret() {
    let mut frames = vec![ClientFrame::JoinRoom {
        group: None,
        token: Some("s3cret".to_owned()),
        reference: None,
    }];
    let mut message = ClientMessage::new(Json::null());
    message.token = Some("s3cret".to_owned());
    frames.push(ClientFrame::Broadcast { group: group("G"), message });
    frames.push(ClientFrame::Rtc {
        to: cid("c"),
        content: Json::null(),
        token: Some("s3cret".to_owned()),
        reference: None,
    });
    frames.push(client(r#"{"action":"resume","secret":"s3cret"}"#).unwrap());
    for frame in frames {
        assert!(!format!("{frame:?}").contains("s3cret"), "{frame:?}");
    }
    let mut ready = Ready::new(cid("c"), user("u"));
    ready.resume = Some("s3cret".to_owned());
    assert!(!format!("{ready:?}").contains("s3cret"));
}
