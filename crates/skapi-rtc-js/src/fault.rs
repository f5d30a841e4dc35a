//! Errors as pages get them: an `Error` with a `code`, as Skapi's client throws it.

use js_sys::Error;
use skapi_rtc::{
    CallEnd, CallError, CommandError, ConnectError, EndReason, OpenError, PlaceError, PostError,
    QueryError, RequestError,
};
use wasm_bindgen::JsValue;

use crate::object::set;

/// The code of a parameter that cannot be used.
pub(crate) const INVALID_PARAMETER: &str = "INVALID_PARAMETER";
/// The code of what does not fit the moment.
const INVALID_REQUEST: &str = "INVALID_REQUEST";

/// An error with this code.
pub(crate) fn fault(code: &str, message: &str) -> JsValue {
    let error = Error::new(message);
    error.set_name("SkapiError");
    set(&error, "code", code);
    error.into()
}

pub(crate) fn of_connect(error: &ConnectError) -> JsValue {
    let code = match error {
        ConnectError::Open(OpenError::Unauthorized { .. }) | ConnectError::Token(_) => {
            "INVALID_TOKEN"
        }
        ConnectError::Open(_) | ConnectError::Socket(_) => "UNREACHABLE",
        _ => INVALID_REQUEST,
    };
    fault(code, &error.to_string())
}

pub(crate) fn of_post(error: &PostError) -> JsValue {
    let code = match error {
        PostError::Command(CommandError::TooLarge { .. }) | PostError::Content(_) => {
            INVALID_PARAMETER
        }
        PostError::Request(RequestError::Refused { code: Some(code), .. }) => code.as_str(),
        _ => INVALID_REQUEST,
    };
    fault(code, &error.to_string())
}

pub(crate) fn of_query(error: &QueryError) -> JsValue {
    let code = match error {
        QueryError::Refused { status: 400, .. } => INVALID_PARAMETER,
        QueryError::Refused { status: 401 | 403, .. } => "INVALID_TOKEN",
        QueryError::Refused { .. } => INVALID_REQUEST,
        _ => "UNREACHABLE",
    };
    fault(code, &error.to_string())
}

pub(crate) fn of_place(error: &PlaceError) -> JsValue {
    fault(INVALID_REQUEST, &error.to_string())
}

pub(crate) fn of_call(error: &CallError) -> JsValue {
    match error {
        CallError::Ended(end) => fault(reason(end), &end.to_string()),
        error => fault(INVALID_REQUEST, &error.to_string()),
    }
}

/// Why a call ended, in the words of the wire where it has them.
pub(crate) fn reason(end: &CallEnd) -> &'static str {
    match end.reason {
        EndReason::HungUp => "hung_up",
        EndReason::Declined => "declined",
        EndReason::Busy => "busy",
        EndReason::Cancelled => "cancelled",
        EndReason::NoAnswer => "no_answer",
        EndReason::AnsweredElsewhere => "answered_elsewhere",
        EndReason::Unreachable => "unreachable",
        EndReason::PeerGone => "peer_gone",
        EndReason::SignalingLost { .. } => "signaling_lost",
        EndReason::ConnectTimeout => "connect_timeout",
        _ => "failed",
    }
}
