//! Every frame as it stands on the wire, to the byte, in both directions.

mod common;

use common::{cid, client, group, json, server, user};
use skapi_rtc_protocol::{
    CallKey, Capability, ClientFrame, ClientMessage, ErrorCode, GoingAway, HangupReason, HeldCall,
    IceCandidate, IceServer, Json, LinkState, Notice, NoticeCode, Notification, Ready, Resumed,
    RtcContent, RtcSignal, ServerFrame, SessionDescription, Transports, encode_client,
    encode_server,
};

/// The text and the frame stand for each other.
fn is_client(text: &str, frame: ClientFrame) {
    assert_eq!(encode_client(&frame), text);
    assert_eq!(client(text), Ok(frame));
}

fn is_server(text: &str, frame: ServerFrame) {
    assert_eq!(encode_server(&frame), text);
    assert_eq!(server(text), Ok(frame));
}

fn is_content(text: &str, content: RtcContent) {
    assert_eq!(content.encode().as_str(), text);
    assert_eq!(RtcContent::decode(&json(text)), Ok(content));
}

/// What Skapi's client puts beside every post.
fn skapi_message(content: &str) -> ClientMessage {
    ClientMessage {
        notification: Notification { notification: Some(json(r#""""#)), config: Some(json("{}")) },
        token: Some("IdT:ap21abcd:f2b4c1a0-1111-4222-8333-444455556666:h.p.s".to_owned()),
        ..ClientMessage::new(json(content))
    }
}

#[test]
fn keep_alive() {
    is_client(r#"{"action":"keepAlive"}"#, ClientFrame::KeepAlive { received: None });
    let received = Some(12);
    is_client(r#"{"action":"keepAlive","received":12}"#, ClientFrame::KeepAlive { received });
}

#[test]
fn join_room() {
    is_client(
        r#"{"action":"joinRoom","rid":"lobby","token":"h.p.s"}"#,
        ClientFrame::JoinRoom {
            group: Some(group("lobby")),
            token: Some("h.p.s".to_owned()),
            reference: None,
        },
    );
    is_client(
        r#"{"action":"joinRoom","rid":null,"token":"h.p.s"}"#,
        ClientFrame::JoinRoom { group: None, token: Some("h.p.s".to_owned()), reference: None },
    );
    is_client(
        r#"{"action":"joinRoom","rid":"lobby","ref":1}"#,
        ClientFrame::JoinRoom { group: Some(group("lobby")), token: None, reference: Some(1) },
    );
}

#[test]
fn broadcast() {
    is_client(
        r#"{"action":"broadcast","rid":"lobby","content":{"text":"50 %"},"notification":"","notificationConfig":{},"token":"IdT:ap21abcd:f2b4c1a0-1111-4222-8333-444455556666:h.p.s"}"#,
        ClientFrame::Broadcast {
            group: group("lobby"),
            message: skapi_message(r#"{"text":"50 %"}"#),
        },
    );
    is_client(
        r#"{"action":"broadcast","rid":"lobby","content":null,"ref":4294967295}"#,
        ClientFrame::Broadcast {
            group: group("lobby"),
            message: ClientMessage {
                reference: Some(u32::MAX),
                ..ClientMessage::new(Json::null())
            },
        },
    );
}

#[test]
fn send_message() {
    is_client(
        r#"{"action":"sendMessage","uid":"f2b4c1a0-1111-4222-8333-444455556666","content":"hi","notification":"","notificationConfig":{},"token":"IdT:ap21abcd:f2b4c1a0-1111-4222-8333-444455556666:h.p.s"}"#,
        ClientFrame::SendMessage {
            user: user("f2b4c1a0-1111-4222-8333-444455556666"),
            message: skapi_message(r#""hi""#),
        },
    );
    is_client(
        r#"{"action":"sendMessage","uid":"alice","content":[1.10,2],"ref":7}"#,
        ClientFrame::SendMessage {
            user: user("alice"),
            message: ClientMessage { reference: Some(7), ..ClientMessage::new(json("[1.10,2]")) },
        },
    );
}

#[test]
fn rtc() {
    is_client(
        r#"{"action":"rtc","uid":"cid:aB3+/=_-","content":{"sdpoffer":{"type":"offer","sdp":"v=0\r\n"}},"token":"h.p.s"}"#,
        ClientFrame::Rtc {
            to: cid("aB3+/=_-"),
            content: json(r#"{"sdpoffer":{"type":"offer","sdp":"v=0\r\n"}}"#),
            token: Some("h.p.s".to_owned()),
            reference: None,
        },
    );
    is_client(
        r#"{"action":"rtc","uid":"cid:b","content":{"ringing":true},"ref":2}"#,
        ClientFrame::Rtc {
            to: cid("b"),
            content: json(r#"{"ringing":true}"#),
            token: None,
            reference: Some(2),
        },
    );
}

#[test]
fn an_action_from_the_future_is_kept_to_the_letter() {
    let text = r#"{"action":"resume", "\u0025":1.0,"secret":"x"}"#;
    is_client(text, ClientFrame::Unknown { action: "resume".to_owned(), frame: json(text) });
}

#[test]
fn message() {
    is_server(
        r##"{"#message":{"text":"50 \u0025"},"#user_id":"alice","#scid":"aB3+/=_-","#srid":"lobby \u0025"}"##,
        ServerFrame::Message {
            content: json(r#"{"text":"50 %"}"#),
            user: user("alice"),
            from: cid("aB3+/=_-"),
            group: group("lobby %"),
        },
    );
}

#[test]
fn private() {
    is_server(
        r##"{"#private":null,"#user_id":"alice","#scid":"a","#srid":null}"##,
        ServerFrame::Private { content: Json::null(), user: user("alice"), from: cid("a") },
    );
}

#[test]
fn rtc_from_a_peer() {
    is_server(
        r##"{"#rtc":{"pickup":"alice"},"#user_id":"alice","#scid":"a"}"##,
        ServerFrame::Rtc {
            content: json(r#"{"pickup":"alice"}"#),
            user: user("alice"),
            from: cid("a"),
        },
    );
}

#[test]
fn notices() {
    for (text, code) in [
        (
            r##"{"#notice":"User \"alice\" has joined the message group.","#user_id":"alice","#scid":"a","#srid":"lobby","#code":"USER_JOINED"}"##,
            NoticeCode::UserJoined,
        ),
        (
            r##"{"#notice":"User \"alice\" has left the message group.","#user_id":"alice","#scid":"a","#srid":"lobby","#code":"USER_LEFT"}"##,
            NoticeCode::UserLeft,
        ),
        (
            r##"{"#notice":"User \"alice\" has been disconnected. User has left the message group.","#user_id":"alice","#scid":"a","#srid":"lobby","#code":"USER_DISCONNECTED"}"##,
            NoticeCode::UserDisconnected,
        ),
    ] {
        let notice = Notice { code, user: user("alice"), from: cid("a"), group: group("lobby") };
        is_server(text, ServerFrame::Notice(notice));
    }
}

#[test]
fn errors() {
    is_server(
        r##"{"#error":"the frame is not valid JSON"}"##,
        ServerFrame::Error {
            text: "the frame is not valid JSON".to_owned(),
            code: None,
            reference: None,
        },
    );
    is_server(
        r##"{"#error":"no connection cid:b","#code":"UNKNOWN_CONNECTION","#ref":2}"##,
        ServerFrame::Error {
            text: "no connection cid:b".to_owned(),
            code: Some(ErrorCode::UnknownConnection),
            reference: Some(2),
        },
    );
}

#[test]
fn done() {
    is_server(r##"{"#done":2}"##, ServerFrame::Done { reference: 2 });
}

#[test]
fn ready() {
    let mut ready = Ready::new(cid("a"), user("alice"));
    is_server(
        r##"{"#ready":{"cid":"a","user_id":"alice","ice_servers":[],"limits":{"max_frame_bytes":131072},"server":""}}"##,
        ServerFrame::Ready(ready.clone()),
    );
    ready.resume = Some("s3cret".to_owned());
    ready.server = "skapi-rtc/0.1.0".to_owned();
    ready.ice_servers = vec![
        IceServer { urls: vec!["stun:stun.example:3478".to_owned()], ..IceServer::default() },
        IceServer {
            urls: vec!["turn:turn.example:3478?transport=udp".to_owned()],
            username: Some("1760000000:alice".to_owned()),
            credential: Some("c3R1Zg==".to_owned()),
        },
    ];
    is_server(
        r##"{"#ready":{"cid":"a","user_id":"alice","resume":"s3cret","ice_servers":[{"urls":["stun:stun.example:3478"]},{"urls":["turn:turn.example:3478?transport=udp"],"username":"1760000000:alice","credential":"c3R1Zg=="}],"limits":{"max_frame_bytes":131072},"server":"skapi-rtc/0.1.0"}}"##,
        ServerFrame::Ready(ready),
    );
    let mut ready = Ready::new(cid("a"), user("alice"));
    ready.resumed = Some(Resumed { received: 7, complete: true });
    is_server(
        r##"{"#ready":{"cid":"a","user_id":"alice","resumed":{"received":7,"complete":true},"ice_servers":[],"limits":{"max_frame_bytes":131072},"server":""}}"##,
        ServerFrame::Ready(ready),
    );
}

#[test]
fn going_away() {
    is_server(
        r##"{"#going_away":{"retry_after_ms":1500}}"##,
        ServerFrame::GoingAway(GoingAway { retry_after_ms: 1500 }),
    );
}

#[test]
fn links() {
    for (text, state) in [
        (r##"{"#link":"lost","#scid":"a"}"##, LinkState::Lost),
        (r##"{"#link":"back","#scid":"a"}"##, LinkState::Back),
        (r##"{"#link":"gone","#scid":"a"}"##, LinkState::Gone),
    ] {
        is_server(text, ServerFrame::Link { state, of: cid("a") });
    }
}

#[test]
fn a_frame_from_the_future_is_kept() {
    let text = r##"{"#resumed":{"missed":[1.0]},"#scid":"a"}"##;
    is_server(text, ServerFrame::Unknown(json(text)));
}

#[test]
fn contents_of_skapi() {
    is_content(
        r#"{"sdpoffer":{"type":"offer","sdp":"v=0\r\n"}}"#,
        RtcContent::new(RtcSignal::Offer(SessionDescription::offer("v=0\r\n"))),
    );
    is_content(
        r#"{"sdpanswer":{"type":"answer","sdp":"v=0\r\n"}}"#,
        RtcContent::new(RtcSignal::Answer(SessionDescription::answer("v=0\r\n"))),
    );
    let candidate = IceCandidate {
        candidate: "candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host".to_owned(),
        sdp_mid: Some("0".to_owned()),
        sdp_m_line_index: Some(0),
        username_fragment: Some("abcd".to_owned()),
    };
    is_content(
        r#"{"candidate":{"candidate":"candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"abcd"}}"#,
        RtcContent::new(RtcSignal::Candidate(candidate)),
    );
    is_content(
        r#"{"candidate":{"candidate":"","sdpMid":null,"sdpMLineIndex":null,"usernameFragment":null}}"#,
        RtcContent::new(RtcSignal::Candidate(IceCandidate::default())),
    );
    is_content(
        r#"{"pickup":"f2b4c1a0-1111-4222-8333-444455556666"}"#,
        RtcContent::new(RtcSignal::Pickup("f2b4c1a0-1111-4222-8333-444455556666".to_owned())),
    );
    is_content(
        r#"{"hungup":"f2b4c1a0-1111-4222-8333-444455556666"}"#,
        RtcContent::new(RtcSignal::HungUp("f2b4c1a0-1111-4222-8333-444455556666".to_owned())),
    );
}

/// The browser writes an answer's fields the other way round.
#[test]
fn an_answer_in_the_order_of_the_browser_is_read() {
    let text = r#"{"sdpanswer":{"sdp":"v=0\r\n","type":"answer"}}"#;
    assert_eq!(
        RtcContent::decode(&json(text)).unwrap(),
        RtcContent::new(RtcSignal::Answer(SessionDescription::answer("v=0\r\n")))
    );
}

#[test]
fn contents_of_our_own() {
    let call = CallKey(0x0123_4567_89ab_cdef);
    let capabilities = vec![Capability::Ringing, Capability::Renegotiate];
    is_content(
        r#"{"sdpoffer":{"type":"offer","sdp":"v=0\r\n"},"call":"0123456789abcdef","caps":["ringing","renegotiate"]}"#,
        RtcContent::new(RtcSignal::Offer(SessionDescription::offer("v=0\r\n")))
            .call(call)
            .capabilities(capabilities.clone()),
    );
    is_content(
        r#"{"ringing":true,"call":"0123456789abcdef","caps":["ringing","renegotiate"]}"#,
        RtcContent::new(RtcSignal::Ringing).call(call).capabilities(capabilities),
    );
    is_content(
        r#"{"hungup":"bob","call":"0123456789abcdef","reason":"declined"}"#,
        RtcContent::new(RtcSignal::HungUp("bob".to_owned()))
            .call(call)
            .reason(HangupReason::Declined),
    );
    is_content(
        r#"{"hungup":"bob","reason":"on_fire"}"#,
        RtcContent::new(RtcSignal::HungUp("bob".to_owned()))
            .reason(HangupReason::Other("on_fire".to_owned())),
    );
    is_content(
        r#"{"pickup":"bob","call":"0123456789abcdef","seq":4294967295,"ack":0}"#,
        RtcContent::new(RtcSignal::Pickup("bob".to_owned())).call(call).seq(u32::MAX).ack(0),
    );
    is_content(
        r#"{"sdpoffer":{"type":"offer","sdp":"v=0\r\n"},"call":"0123456789abcdef","round":2}"#,
        RtcContent::new(RtcSignal::Offer(SessionDescription::offer("v=0\r\n"))).call(call).round(2),
    );
    is_content(
        r#"{"refused":true,"call":"0123456789abcdef","round":2}"#,
        RtcContent::new(RtcSignal::Refused).call(call).round(2),
    );
    is_content(
        r#"{"restart":"lost","call":"0123456789abcdef"}"#,
        RtcContent::new(RtcSignal::Restart(Transports::Lost)).call(call),
    );
    is_content(
        r#"{"hello":true,"call":"0123456789abcdef","ack":7}"#,
        RtcContent::new(RtcSignal::Hello).call(call).ack(7),
    );
    is_content("{}", RtcContent::new(RtcSignal::None));
    is_content(r#"{"ask_calls":true}"#, RtcContent::new(RtcSignal::AskCalls));
    let held = HeldCall::new("aB3+/=_-".parse().unwrap(), "bob".parse().unwrap());
    is_content(
        r#"{"calls":[{"cid":"aB3+/=_-","user_id":"bob"}]}"#,
        RtcContent::new(RtcSignal::Calls(vec![held])),
    );
    is_content(r#"{"calls":[]}"#, RtcContent::new(RtcSignal::Calls(Vec::new())));
    is_content(
        r#"{"take_over":"aB3+/=_-","call":"0123456789abcdef"}"#,
        RtcContent::new(RtcSignal::TakeOver("aB3+/=_-".parse().unwrap())).call(call),
    );
    is_content(
        r#"{"granted":"00000000000000ff","call":"0123456789abcdef"}"#,
        RtcContent::new(RtcSignal::Granted(CallKey(255))).call(call),
    );
    is_content(
        r#"{"sdpoffer":{"type":"offer","sdp":"v=0\r\n"},"call":"0123456789abcdef","replaces":"00000000000000ff"}"#,
        RtcContent::new(RtcSignal::Offer(SessionDescription::offer("v=0\r\n")))
            .call(call)
            .replaces(CallKey(255)),
    );
    is_content(
        r#"{"taken":true,"call":"0123456789abcdef"}"#,
        RtcContent::new(RtcSignal::Taken).call(call),
    );
}

#[test]
fn words_on_the_wire() {
    let words: Vec<_> = ErrorCode::ALL.iter().map(ErrorCode::as_str).collect();
    assert_eq!(
        words.join(" "),
        "BAD_FRAME TOO_LARGE TOO_FAST UNKNOWN_ACTION NOT_IN_GROUP GROUP_FULL TOO_MANY_GROUPS UNKNOWN_CONNECTION USER_OFFLINE NOT_DELIVERED"
    );
    let words: Vec<_> = HangupReason::ALL.iter().map(HangupReason::as_str).collect();
    assert_eq!(
        words.join(" "),
        "declined busy cancelled no_answer answered_elsewhere failed moved not_handed_over"
    );
    let words: Vec<_> = Capability::ALL.iter().map(Capability::as_str).collect();
    assert_eq!(words.join(" "), "ringing renegotiate ack restart handover hello");
    let words: Vec<_> = Transports::ALL.iter().map(Transports::as_str).collect();
    assert_eq!(words.join(" "), "lost ready");
    let words: Vec<_> = NoticeCode::ALL.iter().map(NoticeCode::as_str).collect();
    assert_eq!(words.join(" "), "USER_JOINED USER_LEFT USER_DISCONNECTED");
}
