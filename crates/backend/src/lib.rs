//! What a WebRTC engine has to offer to skapi-rtc: object-safe traits in the web platform's terms.
//!
//! A [`Backend`] makes [peer connections](PeerConnection); these make [data channels](DataChannel) and
//! [tracks](LocalTrack). Negotiation comes in composite steps (make an offer, accept an offer, accept an
//! answer, roll back), because that is the largest set every engine can implement; who offers when is
//! decided above, in `skapi-rtc-signaling`.
//!
//! * To write an engine, implement [`Backend`] and run the suite in `conformance` (feature
//!   `conformance`) against it. [`BufferedChannel`] is a [`DataChannel`] that wants only the engine's side;
//!   [`SendRoom`], [`SendAccount`] and [`SignalingState`] are what it and other engines are made of.
//! * To test code that uses an engine, take the mocks in `mock` (feature `mock`).
//!
//! On `wasm32` futures and engine objects are not `Send`; everywhere else they are. [`MaybeSend`] and
//! [`MaybeSync`] write that down once.

mod account;
mod addresses;
mod buffered_channel;
mod catch_up;
mod channel;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod engine;
mod error;
mod events;
mod marker;
mod media;
#[cfg(all(feature = "mock", not(target_arch = "wasm32")))]
pub mod mock;
mod peer;
mod queue;
mod rates;
#[cfg(feature = "rtp")]
pub mod rtp;
mod send_room;
mod signaling;
mod stats;
mod stream;
#[cfg(all(feature = "turn-bridge", not(target_arch = "wasm32")))]
mod turn_bridge;

pub use account::{HandedOver, SendAccount};
pub use addresses::choose_addresses;
pub use buffered_channel::{BufferedChannel, ChannelEngine, ChannelWork};
pub use catch_up::CatchUp;
pub use channel::{
    ChannelEvent, ChannelEvents, ChannelHandle, ChannelInit, ChannelInitError, ChannelState,
    DataChannel, Message, Reliability,
};
pub use config::{Capabilities, OfferOptions, PeerConfig, TransportPolicy};
pub use engine::{Backend, PeerHandle};
pub use error::{BackendError, ChannelError, MediaError, NegotiationError};
pub use events::{ConnectionState, PeerEvent, PeerEvents};
pub use marker::{MaybeSend, MaybeSync};
#[cfg(target_arch = "wasm32")]
pub use media::NativeTrack;
pub use media::{
    Codec, EncodedFrame, LocalTrack, LocalTrackEvent, LocalTrackEvents, LocalTrackHandle,
    MediaKind, RemoteTrack, RemoteTrackEvent, RemoteTrackEvents, RemoteTrackHandle, RtpPacket,
    TrackInit, TrackView,
};
pub use peer::PeerConnection;
pub use queue::{Closed, EventReceiver, EventSender, TrySendError, Weigh, queue};
pub use rates::{PeerRates, TrackRates};
pub use send_room::SendRoom;
pub use signaling::SignalingState;
pub use stats::{
    CandidateKind, CandidatePair, CandidateStats, ChannelStats, Direction, PeerStats, TrackStats,
};
pub use stream::{EventStream, Last};
#[cfg(all(feature = "turn-bridge", not(target_arch = "wasm32")))]
pub use turn_bridge::{TurnBridge, TurnTrust};
