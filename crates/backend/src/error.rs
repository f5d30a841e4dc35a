//! What can go wrong in an engine: one enum per kind of operation.

use crate::ChannelInitError;

/// Making or asking a peer connection failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The configuration cannot be used.
    #[error("the peer connection's configuration cannot be used: {0}")]
    Config(String),
    /// The connection is closed.
    #[error("the peer connection is closed")]
    Closed,
    /// The engine, or the system below it, refused.
    #[error("the engine failed: {0}")]
    Engine(String),
}

/// A step of the negotiation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NegotiationError {
    /// The step does not fit the signaling state.
    #[error("cannot {step} now: {reason}")]
    WrongState {
        /// What was asked for.
        step: &'static str,
        /// Why it does not fit.
        reason: String,
    },
    /// The description could not be read or does not fit.
    #[error("the session description was refused: {0}")]
    BadDescription(String),
    /// The candidate could not be read.
    #[error("the ICE candidate was refused: {0}")]
    BadCandidate(String),
    /// The connection is closed.
    #[error("the peer connection is closed")]
    Closed,
    /// The engine failed otherwise.
    #[error("the engine failed: {0}")]
    Engine(String),
}

impl NegotiationError {
    /// The step does not fit the signaling state, for this reason.
    pub fn wrong_state(step: &'static str, reason: impl Into<String>) -> Self {
        Self::WrongState { step, reason: reason.into() }
    }
}

/// An operation on a data channel failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The options contradict each other.
    #[error(transparent)]
    Init(#[from] ChannelInitError),
    /// The channel is not open yet; wait for [`ChannelEvent::Open`](crate::ChannelEvent::Open).
    #[error("the data channel is not open yet")]
    NotOpen,
    /// The channel or its connection is closed.
    #[error("the data channel is closed")]
    Closed,
    /// The message is larger than the peer accepts.
    #[error("the message has {size} bytes, the peer accepts at most {max}: send it in parts")]
    TooLarge {
        /// The message's size in bytes.
        size: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The engine cannot send empty messages; see
    /// [`Capabilities::empty_messages`](crate::Capabilities::empty_messages).
    #[error("this engine cannot send an empty message: send at least one byte")]
    Empty,
    /// The send buffer is full; only [`try_send`](crate::DataChannel::try_send) says so.
    #[error("the data channel's send buffer is full")]
    Full,
    /// The engine failed otherwise.
    #[error("the engine failed: {0}")]
    Engine(String),
}

impl ChannelError {
    /// Whether the same call may succeed a moment later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::NotOpen | Self::Full)
    }
}

/// An operation on a track failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// The track's options contradict each other.
    #[error("the track cannot be made: {0}")]
    Init(String),
    /// The engine cannot do this.
    #[error("the engine cannot do this: {0}")]
    Unsupported(String),
    /// The track is not of this connection.
    #[error("the track is not of this connection")]
    UnknownTrack,
    /// The connection is closed.
    #[error("the peer connection is closed")]
    Closed,
    /// The engine failed otherwise.
    #[error("the engine failed: {0}")]
    Engine(String),
}
