//! What can go wrong: one enum per operation.

use skapi_rtc_protocol::{GroupName, UserId};
use skapi_rtc_signaling::{
    CallEnd, ChangeError, CommandError, ConfigError, PlaceError, RequestError,
};

use crate::{
    BackendError, ChannelError, MediaError, OpenError, QueryError, SocketError, TokenError,
};

/// Connecting failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No transport was given, and the default one is not compiled in.
    #[error("no transport: enable the feature `websocket`, or set `ConnectOptions::transport`")]
    NoTransport,
    /// There was no token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The service could not be reached, or refused.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The service closed the socket before it had greeted.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The session was closed meanwhile.
    #[error("the session was closed before it was connected")]
    Closed,
}

impl ConnectError {
    /// Whether the same attempt may succeed a moment later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Open(error) => !matches!(error, OpenError::Unauthorized { .. }),
            Self::Token(_) | Self::Socket(_) => true,
            Self::Config(_) | Self::NoTransport | Self::Closed => false,
        }
    }
}

/// Joining or posting failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PostError {
    /// It could not even be tried.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// It was not carried out.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// What was to be posted has no form in JSON.
    #[error("the content cannot be written as JSON: {0}")]
    Content(String),
}

impl PostError {
    /// Whether the same post may succeed a moment later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Command(error) => matches!(error, CommandError::NotConnected),
            Self::Request(error) => error.is_retryable(),
            Self::Content(_) => false,
        }
    }
}

/// Asking for users or groups failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// There was no token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The query was not answered.
    #[error(transparent)]
    Query(#[from] QueryError),
}

/// A call to a user could not be placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceUserError {
    /// The user has no connection in the group, or none but this one.
    #[error("{user} is not in the group {group}")]
    NotThere {
        /// The user.
        user: UserId,
        /// The group.
        group: GroupName,
    },
    /// The service could not be asked for the user's connections.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// None of them could be called.
    #[error(transparent)]
    Place(#[from] PlaceError),
}

/// The calls of the user's other devices could not be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceCallsError {
    /// The service could not be asked which devices are in the group.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The devices could not be asked.
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// A call did not come about, or is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// It ended.
    #[error("{0}")]
    Ended(CallEnd),
    /// The session is closed, and every call with it.
    #[error("the session is closed")]
    SessionClosed,
    /// The call's peer connection is not there yet, or no longer.
    #[error("the call is not connected")]
    NotConnected,
    /// A data channel refused.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// A track was refused.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The engine refused.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// What was added to the running call has not reached the peer.
    #[error(transparent)]
    Change(#[from] ChangeError),
}
