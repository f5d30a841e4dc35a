//! What happens in the session while a command does something else.

use serde::Serialize;
use skapi_rtc::{CloseReason, RealtimeEvent};

use crate::output::Output;

/// Tells the news worth telling.
pub(crate) fn tell(event: &RealtimeEvent, output: &Output) {
    #[derive(Serialize)]
    struct News {
        event: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cid: Option<String>,
        message: String,
    }
    let (event, user, cid, message) = match event {
        RealtimeEvent::Connected { again: true, .. } => {
            ("reconnected", None, None, "the connection to the service is back".to_owned())
        }
        RealtimeEvent::Disconnected { reason, retry_in } => (
            "disconnected",
            None,
            None,
            format!("{reason}; trying again in {:.1} s", retry_in.as_secs_f64()),
        ),
        RealtimeEvent::Notice(notice) => {
            ("notice", Some(notice.user.to_string()), Some(notice.from.to_string()), notice.text())
        }
        RealtimeEvent::ServiceError { text, .. } => ("service_error", None, None, text.clone()),
        RealtimeEvent::Unreadable { error, .. } => {
            ("unreadable", None, None, format!("something unreadable was dropped: {error}"))
        }
        RealtimeEvent::Closed(CloseReason::Refused(reason)) => {
            ("closed", None, None, format!("the service does not take us back: {reason}"))
        }
        _ => return,
    };
    output.line(&message, &News { event, user, cid, message: message.clone() });
}
