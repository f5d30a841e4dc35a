//! What happens in a session, as the page's realtime callback is told: `WebSocketMessage` of Skapi's document.

use std::rc::Rc;

use js_sys::{JSON, Object};
use skapi_rtc::{CloseReason, ConnectionId, Json, RealtimeEvent, UserId};
use wasm_bindgen::JsValue;

use crate::{calls::Calls, object::object, params::page_cid};

/// The events that an event of ours becomes, in order.
pub(crate) fn events(event: RealtimeEvent, calls: &Rc<Calls>) -> Vec<Object> {
    match event {
        RealtimeEvent::Connected { .. } => {
            vec![plain("success", "Connected to WebSocket server.")]
        }
        RealtimeEvent::Disconnected { reason, retry_in } => {
            let reconnect = plain("reconnect", "Reconnecting to WebSocket server...");
            crate::object::set(&reconnect, "reason", reason);
            crate::object::set(&reconnect, "retry_in", retry_in.as_secs_f64());
            vec![plain("error", "Skapi: WebSocket unexpected close."), reconnect]
        }
        RealtimeEvent::Message { post, group } => {
            let group = JsValue::from_str(group.as_str());
            vec![said("message", content(&post.content), &post.user, &post.from, group)]
        }
        RealtimeEvent::Private(post) => {
            let nowhere = JsValue::NULL;
            vec![said("private", content(&post.content), &post.user, &post.from, nowhere)]
        }
        RealtimeEvent::Notice(notice) => {
            let group = JsValue::from_str(notice.group.as_str());
            let told = said("notice", notice.text().into(), &notice.user, &notice.from, group);
            crate::object::set(&told, "code", notice.code.as_str());
            vec![told]
        }
        RealtimeEvent::Incoming(incoming) => vec![calls.rings(incoming)],
        RealtimeEvent::ServiceError { text, code } => {
            let error = plain("error", &text);
            let code = code.map_or(JsValue::NULL, |code| code.as_str().into());
            crate::object::set(&error, "code", code);
            vec![error]
        }
        RealtimeEvent::Lagged(count) => {
            vec![plain("error", &format!("{count} messages came too fast for the page."))]
        }
        RealtimeEvent::Closed(CloseReason::Closed) => {
            vec![plain("close", "WebSocket connection closed.")]
        }
        RealtimeEvent::Closed(CloseReason::Refused(why)) => {
            vec![plain("error", &why), plain("close", "WebSocket connection closed.")]
        }
        // What cannot be read is nothing that a page could do something about.
        _ => Vec::new(),
    }
}

/// An event of the connection itself.
fn plain(kind: &str, message: &str) -> Object {
    object! {
        "type": kind,
        "message": message,
        "sender": JsValue::NULL,
        "sender_cid": JsValue::NULL,
        "sender_rid": JsValue::NULL,
        "code": JsValue::NULL,
    }
}

/// An event that comes from somebody.
fn said(
    kind: &str,
    message: JsValue,
    user: &UserId,
    from: &ConnectionId,
    group: JsValue,
) -> Object {
    object! {
        "type": kind,
        "message": message,
        "sender": user.as_str(),
        "sender_cid": page_cid(from),
        "sender_rid": group,
        "code": JsValue::NULL,
    }
}

fn content(json: &Json) -> JsValue {
    JSON::parse(json.as_str()).unwrap_or(JsValue::NULL)
}
