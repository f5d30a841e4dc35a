//! Realtime groups, presence and WebRTC calls, as Skapi describes them, from Rust.

mod call;
mod channel;
mod driver;
mod endpoint;
mod error;
mod events;
mod options;
mod realtime;
mod runtime;
mod token;
pub mod transport;

pub use call::{Call, CallEvent, CallEvents, CallFuture, IncomingCall, OutgoingCall};
pub use channel::{Channel, ChannelReceiver, ChannelSender};
pub use endpoint::{Endpoint, EndpointError};
pub use error::{AskError, CallError, ConnectError, PostError};
pub use events::{RealtimeEvent, RealtimeEvents};
pub use options::{CallOptions, ChannelOptions, ChannelPreset, ConnectOptions, DEFAULT_CHANNEL};
pub use realtime::{Realtime, Recipient, connect_realtime};
pub use token::{TokenError, TokenProvider};
pub use transport::{OpenError, QueryError, SocketError};

pub use skapi_rtc_backend::{
    self as backend, Backend, BackendError, CandidatePair, ChannelError, ChannelInit,
    ConnectionState, Message, PeerStats, Reliability, TransportPolicy,
};
#[cfg(feature = "webrtc")]
pub use skapi_rtc_backend_webrtc::WebRtcBackend;
pub use skapi_rtc_protocol::{
    self as protocol, ConnectionId, ErrorCode, GroupName, IceServer, IdError, Json, Notice,
    NoticeCode, Ready, UserId,
    http::{GroupEntry, UserEntry},
};
pub use skapi_rtc_signaling::{
    BusyPolicy, CallEnd, CloseReason, CommandError, Config as SessionConfig, ConfigError,
    EndReason, PlaceError, Post, RequestError, Side,
};
