//! Realtime groups, presence and WebRTC calls, as Skapi describes them, from Rust.
//!
//! [`connect_realtime`] gives a [`Realtime`], by which one joins a group, sees who is there, posts, and
//! calls others, and the [`RealtimeEvents`] of the session, among them the calls that come in.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use skapi_rtc::{CallOptions, ConnectOptions, RealtimeEvent, connect_realtime};
//!
//! let options = ConnectOptions::new("http://127.0.0.1:8787", "a token".to_owned())?;
//! let (realtime, mut events) = connect_realtime(options).await?;
//! realtime.join_realtime("lobby".parse()?).await?;
//!
//! while let Some(event) = events.next().await {
//!     if let RealtimeEvent::Incoming(incoming) = event {
//!         let call = incoming.connect_rtc(CallOptions::default()).await?;
//!         let mut channel = call.channel("default").await?;
//!         while let Some(message) = channel.recv().await {
//!             channel.send(message).await?;
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What drives what
//!
//! A session runs in tasks of its own on the tokio runtime on which it was made; in a browser, in the event
//! loop of the page. The handles
//! ([`Realtime`], [`Call`], [`Channel`]) only talk to those tasks, so they can be held and dropped
//! anywhere: dropping an [`IncomingCall`] declines it, dropping the last handle of a [`Call`] hangs up,
//! dropping the last handle of a session and its calls closes it.
//!
//! # Audio and video
//!
//! A [`LocalTrack`] takes encoded frames and is given to a call by its [`CallOptions`]: the caller's
//! tracks are part of the offer, the callee's of the answer. What the peer sends comes as
//! [`RemoteTrack`]s, from [`Call::next_track`]. Encoding and decoding are the application's. In a browser
//! both are the browser's: `LocalTrack::from_native` sends a `MediaStreamTrack`, `RemoteTrack::native` gives one
//! for a `<video>`, and `web::media` asks for camera, microphone and screen.
//!
//! # Calls that move to another device
//!
//! A user who talks on one device goes on with the call on another: [`Realtime::calls_of_my_devices`],
//! [`Realtime::pick_up`]. At the peer the call ends as [`Moved`](EndReason::Moved), and [`Call::successor`] gives the
//! one that takes its place; an application that does not ask for it sets [`ConnectOptions::handover`] to
//! [`HandoverPolicy::Refuse`], so that calls stay where they are.
//!
//! # Engines and transports
//!
//! Calls are made by an engine, any [`Backend`]; the service is reached by a transport, any
//! [`Transport`](transport::Transport). The defaults come with the features `webrtc` and `websocket`, in a
//! browser (`wasm32-unknown-unknown`) with `web` and `websocket`; others are set in the [`ConnectOptions`].
//! The feature `str0m` brings a second engine: `options.backend(Arc::new(Str0mBackend::default()))`.

#![cfg_attr(
    target_arch = "wasm32",
    allow(
        clippy::arc_with_non_send_sync,
        reason = "an `Arc` crosses threads only where there are some"
    )
)]

mod address;
mod call;
mod channel;
mod connection_hook;
mod driver;
mod endpoint;
mod error;
mod events;
pub mod file;
mod handover;
mod media;
mod options;
mod realtime;
mod runtime;
mod token;
pub mod transport;

pub use call::{
    Call, CallEvent, CallEvents, CallFuture, IncomingCall, OutgoingCall, OutgoingUserCall,
};
pub use channel::{Channel, ChannelReceiver, ChannelSender};
pub use connection_hook::ConnectionHook;
pub use endpoint::{Endpoint, EndpointError};
pub use error::{AskError, CallError, ConnectError, DeviceCallsError, PlaceUserError, PostError};
pub use events::{RealtimeEvent, RealtimeEvents};
pub use handover::HandoverRequest;
pub use media::{LocalTrack, RemoteTrack};
pub use options::{CallOptions, ChannelOptions, ChannelPreset, ConnectOptions, DEFAULT_CHANNEL};
pub use realtime::{Realtime, Recipient, connect_realtime};
pub use token::{TokenError, TokenProvider};
pub use transport::{OpenError, QueryError, SocketError};

pub use skapi_rtc_backend::{
    self as backend, Backend, BackendError, CandidatePair, ChannelError, ChannelInit, Codec,
    ConnectionState, EncodedFrame, LocalTrackEvent, LocalTrackEvents, MediaError, MediaKind,
    Message, PeerRates, PeerStats, Reliability, RtpPacket, TrackInit, TrackRates, TransportPolicy,
};
#[cfg(all(feature = "str0m", not(target_arch = "wasm32")))]
pub use skapi_rtc_backend_str0m::{self as str0m, Str0mBackend};
#[cfg(all(feature = "web", target_arch = "wasm32"))]
pub use skapi_rtc_backend_web::{self as web, WebBackend};
#[cfg(all(feature = "webrtc", not(target_arch = "wasm32")))]
pub use skapi_rtc_backend_webrtc::{self as webrtc, WebRtcBackend};
pub use skapi_rtc_protocol::{
    self as protocol, ConnectionId, ErrorCode, GroupName, IceServer, IdError, Json, Notice,
    NoticeCode, Ready, UserId,
    http::{GroupEntry, UserEntry},
};
pub use skapi_rtc_signaling::{
    BusyPolicy, CallEnd, ChangeError, CloseReason, CommandError, Config as SessionConfig,
    ConfigError, DeviceCall, EndReason, HandoverPolicy, PlaceError, Post, RequestError, Side,
    TriedPair,
};

/// The examples of the README are tests too.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
