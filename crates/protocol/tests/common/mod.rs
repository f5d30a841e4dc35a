//! Short names for what the tests of the wire write again and again.
#![allow(dead_code, reason = "each test file uses some of it")]

use skapi_rtc_protocol::{
    ClientFrame, ConnectionId, DecodeError, GroupName, Json, Limits, ServerFrame, UserId,
    decode_client, decode_server,
};

pub(crate) fn cid(text: &str) -> ConnectionId {
    ConnectionId::new(text).expect("a valid id or JSON")
}

pub(crate) fn user(text: &str) -> UserId {
    UserId::new(text).expect("a valid id or JSON")
}

pub(crate) fn group(text: &str) -> GroupName {
    GroupName::new(text).expect("a valid id or JSON")
}

pub(crate) fn json(text: &str) -> Json {
    Json::new(text).expect("a valid id or JSON")
}

/// Reads a client's frame of any size: writing may lengthen a frame.
pub(crate) fn client(text: &str) -> Result<ClientFrame, DecodeError> {
    decode_client(text, &Limits::default().max_frame_bytes(usize::MAX))
}

/// Reads a frame of the service of any size.
pub(crate) fn server(text: &str) -> Result<ServerFrame, DecodeError> {
    decode_server(text, &Limits::default().max_frame_bytes(usize::MAX))
}
