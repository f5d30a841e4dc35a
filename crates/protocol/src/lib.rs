//! Types and codec of the Skapi realtime wire.
//!
//! Everything that travels between a realtime client and the service, and between two peers through
//! it, as plain values: [ids](UserId), [client frames](ClientFrame), [server frames](ServerFrame),
//! [rtc contents](RtcContent) and the [bodies of the HTTP queries](http). The crate knows no clock, no
//! randomness and no I/O; `docs/protocol.md` is the specification it implements.
//!
//! ```
//! use skapi_rtc_protocol::{ClientFrame, Limits, decode_client, encode_client};
//!
//! let frame = decode_client(r#"{"action":"keepAlive"}"#, &Limits::default())?;
//! assert_eq!(frame, ClientFrame::KeepAlive { received: None });
//! assert_eq!(encode_client(&frame), r#"{"action":"keepAlive"}"#);
//! # Ok::<(), skapi_rtc_protocol::DecodeError>(())
//! ```

mod call_key;
mod client;
mod codec;
mod discovery;
mod held_call;
pub mod http;
mod ice_url;
mod ids;
mod json;
mod project;
mod ready;
mod rtc;
mod sdp;
mod server;
#[cfg(test)]
mod specification;
mod text_enum;

pub use call_key::CallKey;
pub use client::{ClientFrame, ClientMessage, Notification, RequestRef};
pub use codec::{
    DEFAULT_MAX_FRAME_BYTES, DecodeError, Limits, decode_client, decode_server, encode_client,
    encode_server,
};
pub use discovery::{AdminEndpoints, RecordEndpoints};
pub use held_call::HeldCall;
pub use ice_url::{IceScheme, IceTransport, IceUrl, IceUrlError};
pub use ids::{ConnectionId, GroupName, IdError, UserId};
pub use json::{Json, JsonError};
pub use project::{Project, ProjectError};
pub use ready::{Ready, Resumed, ServerLimits};
pub use rtc::{Capability, HangupReason, RtcContent, RtcSignal, Transports};
pub use sdp::{IceCandidate, IceServer, SdpKind, SessionDescription};
pub use server::{ErrorCode, GoingAway, LinkState, Notice, NoticeCode, ServerFrame};
