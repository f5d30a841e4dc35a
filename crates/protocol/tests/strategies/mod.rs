//! How proptest makes up frames, contents and bodies.

use proptest::{
    collection::vec,
    option::of,
    prelude::*,
    sample::{select, subsequence},
    strategy::Union,
};
use serde_json::Value;
use skapi_rtc_protocol::{
    CallKey, Capability, ClientFrame, ClientMessage, ConnectionId, ErrorCode, GoingAway, GroupName,
    HangupReason, HeldCall, IceCandidate, IceServer, Json, LinkState, Notice, NoticeCode,
    Notification, Ready, Resumed, RtcContent, RtcSignal, ServerFrame, SessionDescription,
    Transports, UserId,
    http::{
        Condition, GroupEntry, GroupFilter, GroupQuery, GroupsQuery, Matcher, Page, PageRequest,
        StartKey, UserEntry, UsersQuery,
    },
};

/// Text with what is hard about JSON and percent encoding in it.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,20}",
        vec(
            select(vec![
                "%", "%25", "%zz", "\\", "\"", "u0025", "\\u0025", "\0", "\n", "é", "\u{2028}",
                "𝄞", "#", "cid:", "{", "]",
            ]),
            0..8
        )
        .prop_map(|parts| parts.concat()),
    ]
}

pub(crate) fn user() -> impl Strategy<Value = UserId> {
    r"[!$(-;=?-\[\]-_a-~]{1,128}"
        .prop_filter("a connection id", |text| !text.starts_with("cid:"))
        .prop_map(|text| UserId::new(text).expect("made to be valid"))
}

pub(crate) fn cid() -> impl Strategy<Value = ConnectionId> {
    "[A-Za-z0-9+/=_-]{1,128}".prop_map(|text| ConnectionId::new(text).expect("made to be valid"))
}

pub(crate) fn group() -> impl Strategy<Value = GroupName> {
    r#"([ -"$-~]|%|\\|é|𝄞){1,60}"#.prop_map(|text| GroupName::new(text).expect("made to be valid"))
}

/// JSON as anybody may write it. The one form that does not arrive to the letter is left out: an escape
/// that our own protection of `%` uses (`\u0025`) arrives as the character.
pub(crate) fn json() -> impl Strategy<Value = Json> {
    let odd = select(vec![
        "null",
        r#""\ud800""#,
        "-0.0",
        "1e400",
        "12345678901234567890123.10",
        r#"{"a":1,"a":2}"#,
        r#""\\u0025 \/ \u0026""#,
        "[ 1 ,\t2 ]",
        r#"{"":{"":[]}}"#,
        r#""100 %""#,
    ]);
    prop_oneof![
        value().prop_map(Json::from),
        odd.prop_map(|text| Json::new(text).expect("made to be valid")),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((text(), inner), 0..4).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

fn message() -> impl Strategy<Value = ClientMessage> {
    let notification = (of(json()), of(json()))
        .prop_map(|(notification, config)| Notification { notification, config });
    (json(), notification, of(text()), of(any::<u32>())).prop_map(
        |(content, notification, token, reference)| {
            let mut message = ClientMessage::new(content);
            message.notification = notification;
            message.token = token;
            message.reference = reference;
            message
        },
    )
}

pub(crate) fn client_frame() -> impl Strategy<Value = ClientFrame> {
    let reference = || of(any::<u32>());
    prop_oneof![
        of(any::<u64>()).prop_map(|received| ClientFrame::KeepAlive { received }),
        (of(group()), of(text()), reference()).prop_map(|(group, token, reference)| {
            ClientFrame::JoinRoom { group, token, reference }
        }),
        (group(), message()).prop_map(|(group, message)| ClientFrame::Broadcast { group, message }),
        (user(), message()).prop_map(|(user, message)| ClientFrame::SendMessage { user, message }),
        (cid(), json(), of(text()), reference()).prop_map(|(to, content, token, reference)| {
            ClientFrame::Rtc { to, content, token, reference }
        }),
        ("[a-z]{0,4}X", json()).prop_map(|(action, extra)| ClientFrame::Unknown {
            frame: Json::new(format!(r#"{{"x": {extra}, "action":"{action}"}}"#))
                .expect("made to be valid"),
            action,
        }),
    ]
}

pub(crate) fn server_frame() -> impl Strategy<Value = ServerFrame> {
    let code = prop_oneof![select(ErrorCode::ALL), other().prop_map(ErrorCode::Other)];
    prop_oneof![
        (json(), user(), cid(), group()).prop_map(|(content, user, from, group)| {
            ServerFrame::Message { content, user, from, group }
        }),
        (json(), user(), cid()).prop_map(|(content, user, from)| ServerFrame::Private {
            content,
            user,
            from
        }),
        (json(), user(), cid()).prop_map(|(content, user, from)| ServerFrame::Rtc {
            content,
            user,
            from
        }),
        notice().prop_map(ServerFrame::Notice),
        (text(), of(code), of(any::<u32>()))
            .prop_map(|(text, code, reference)| { ServerFrame::Error { text, code, reference } }),
        ready().prop_map(ServerFrame::Ready),
        any::<u32>().prop_map(|reference| ServerFrame::Done { reference }),
        any::<u64>()
            .prop_map(|retry_after_ms| ServerFrame::GoingAway(GoingAway { retry_after_ms })),
        (link_state(), cid()).prop_map(|(state, of)| ServerFrame::Link { state, of }),
        json().prop_map(|extra| {
            ServerFrame::Unknown(
                Json::new(format!(r##"{{ "#new":{extra}}}"##)).expect("made to be valid"),
            )
        }),
    ]
}

/// A word that no version knows.
fn other() -> impl Strategy<Value = String> {
    text().prop_map(|text| format!("new {text}"))
}

fn link_state() -> impl Strategy<Value = LinkState> {
    prop_oneof![select(LinkState::ALL), other().prop_map(LinkState::Other)]
}

fn notice() -> impl Strategy<Value = Notice> {
    let code = prop_oneof![select(NoticeCode::ALL), other().prop_map(NoticeCode::Other)];
    (code, user(), cid(), group()).prop_map(|(code, user, from, group)| Notice {
        code,
        user,
        from,
        group,
    })
}

fn ready() -> impl Strategy<Value = Ready> {
    let server = (vec(text(), 0..3), of(text()), of(text()))
        .prop_map(|(urls, username, credential)| IceServer { urls, username, credential });
    let resumed = (any::<u64>(), any::<bool>())
        .prop_map(|(received, complete)| Resumed { received, complete });
    let resume = (of(text()), of(resumed));
    (cid(), user(), resume, vec(server, 0..3), any::<usize>(), text()).prop_map(
        |(cid, user, (resume, resumed), ice_servers, max, server)| {
            let mut ready = Ready::new(cid, user);
            ready.resume = resume;
            ready.resumed = resumed;
            ready.ice_servers = ice_servers;
            ready.limits.max_frame_bytes = max;
            ready.server = server;
            ready
        },
    )
}

pub(crate) fn rtc_content() -> impl Strategy<Value = RtcContent> {
    let candidate = (text(), of(text()), of(any::<u16>()), of(text())).prop_map(
        |(candidate, sdp_mid, sdp_m_line_index, username_fragment)| IceCandidate {
            candidate,
            sdp_mid,
            sdp_m_line_index,
            username_fragment,
        },
    );
    let signal = prop_oneof![
        text().prop_map(|sdp| RtcSignal::Offer(SessionDescription::offer(sdp))),
        text().prop_map(|sdp| RtcSignal::Answer(SessionDescription::answer(sdp))),
        candidate.prop_map(RtcSignal::Candidate),
        text().prop_map(RtcSignal::Pickup),
        text().prop_map(RtcSignal::HungUp),
        Just(RtcSignal::Ringing),
        Just(RtcSignal::Refused),
        Just(RtcSignal::Hello),
        select(Transports::ALL).prop_map(RtcSignal::Restart),
        other().prop_map(|word| RtcSignal::Restart(Transports::Other(word))),
        Just(RtcSignal::AskCalls),
        vec((cid(), user()), 0..4).prop_map(|calls| {
            RtcSignal::Calls(
                calls.into_iter().map(|(cid, user)| HeldCall::new(cid, user)).collect(),
            )
        }),
        cid().prop_map(RtcSignal::TakeOver),
        any::<u64>().prop_map(|key| RtcSignal::Granted(CallKey(key))),
        Just(RtcSignal::Taken),
        Just(RtcSignal::None),
    ];
    let reason = prop_oneof![select(HangupReason::ALL), other().prop_map(HangupReason::Other)];
    let known = subsequence(Capability::ALL, 0..=Capability::ALL.len());
    let capabilities = (known, of(other())).prop_map(|(mut known, other)| {
        known.extend(other.map(Capability::Other));
        known
    });
    let numbers = (of(any::<u32>()), of(any::<u32>()), of(any::<u32>()));
    let calls = (of(any::<u64>()), of(any::<u64>()));
    (signal, calls, of(reason), of(capabilities), numbers).prop_map(
        |(signal, (call, replaces), reason, capabilities, (seq, ack, round))| {
            let mut content = RtcContent::new(signal);
            content.call = call.map(CallKey);
            content.reason = reason;
            content.capabilities = capabilities;
            content.seq = seq;
            content.ack = ack;
            content.round = round;
            content.replaces = replaces.map(CallKey);
            content
        },
    )
}

pub(crate) fn group_query() -> impl Strategy<Value = GroupQuery> {
    let start_key = value().prop_filter("no key", |key| !key.is_null());
    let page = (of(any::<u32>()), of(start_key), of(any::<bool>())).prop_map(
        |(limit, start_key, ascending)| PageRequest {
            limit,
            start_key: start_key.map(Json::from),
            ascending,
        },
    );
    let number = prop::num::f64::NORMAL | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL;
    let filter = prop_oneof![
        matcher(text()).prop_map(GroupFilter::Name),
        matcher(number).prop_map(GroupFilter::Users),
    ];
    let users = (group(), of(user()));
    (prop_oneof![users.prop_map(Ok), filter.prop_map(Err)], page).prop_map(|(question, page)| {
        match question {
            Ok((group, user)) => GroupQuery::Users(UsersQuery { group, user, page }),
            Err(filter) => GroupQuery::Groups(GroupsQuery { filter, page }),
        }
    })
}

fn matcher<S: Strategy<Value: Clone>>(value: S) -> impl Strategy<Value = Matcher<S::Value>> {
    let condition = select(vec![
        None,
        Some(Condition::Gt),
        Some(Condition::Gte),
        Some(Condition::Eq),
        Some(Condition::Ne),
        Some(Condition::Lt),
        Some(Condition::Lte),
    ]);
    (condition, vec(value, 2)).prop_map(|(condition, mut values)| {
        let (from, to) = (values.remove(0), values.remove(0));
        match condition {
            Some(condition) => Matcher::Compare(condition, from),
            None => Matcher::Range(from, to),
        }
    })
}

pub(crate) fn user_entry() -> impl Strategy<Value = UserEntry> {
    (user(), cid()).prop_map(|(user, cid)| UserEntry { user, cid })
}

pub(crate) fn group_entry() -> impl Strategy<Value = GroupEntry> {
    (group(), any::<u64>()).prop_map(|(group, connections)| GroupEntry { group, connections })
}

pub(crate) fn page<S: Strategy>(entry: S) -> impl Strategy<Value = Page<S::Value>> {
    let start_key = prop_oneof![
        Just(StartKey::End),
        json().prop_map(|json| StartKey::Next(
            Json::new(format!(r#"{{"k":{json}}}"#)).expect("made to be valid")
        )),
    ];
    (vec(entry, 0..4), start_key, any::<bool>()).prop_map(|(list, start_key, end_of_list)| Page {
        list,
        start_key,
        end_of_list,
    })
}

/// Anything, with a leaning towards the marks of JSON.
pub(crate) fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        r#"([{}\[\]:,"\\#%u0-9a-e]|\\u[0-9a-f]{4}|null|true|"action"){0,60}"#,
    ]
}

/// An object of the keys of the wire, some twice, with anything under them.
pub(crate) fn any_fields() -> impl Strategy<Value = String> {
    let key = select(vec![
        "action",
        "rid",
        "uid",
        "content",
        "notification",
        "notificationConfig",
        "token",
        "ref",
        "#message",
        "#private",
        "#rtc",
        "#notice",
        "#error",
        "#ready",
        "#done",
        "#link",
        "#user_id",
        "#scid",
        "#srid",
        "#code",
        "#ref",
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
        "group",
        "user_id",
        "searchFor",
        "value",
        "condition",
        "range",
        "limit",
        "startKey",
        "ascending",
    ]);
    let word = select(vec![
        r#""keepAlive""#,
        r#""joinRoom""#,
        r#""broadcast""#,
        r#""sendMessage""#,
        r#""rtc""#,
        r#""cid:a""#,
        r#""a""#,
        r#""group""#,
        r#""number_of_users""#,
        r#""USER_LEFT""#,
        "1",
        "true",
        r#"{"type":"offer","sdp":""}"#,
        r#"{"candidate":""}"#,
        r#"["ringing"]"#,
        r#""0123456789abcdef""#,
        r#"{"cid":"a","user_id":"u"}"#,
    ])
    .prop_map(str::to_owned);
    let value = Union::new_weighted(vec![
        (3, word.boxed()),
        (1, json().prop_map(|json| json.as_str().to_owned()).boxed()),
    ]);
    vec((key, value), 0..8).prop_map(|fields| {
        let fields: Vec<_> =
            fields.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{}}}", fields.join(","))
    })
}
