//! Why the service closes a connection, and the codes by which it says so.

use axum::extract::ws::CloseFrame;

/// Why the service closed a WebSocket connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// 1001: the service is shut down. Reconnect.
    GoingAway,
    /// 1002: what came was not WebSocket.
    Protocol,
    /// 1008: the client went on sending too fast.
    TooFast,
    /// 1009: a message was far larger than the limit.
    TooBig,
    /// 4001: the client does not read its messages; more than the service holds for it were waiting.
    SlowConsumer,
    /// 4002: nothing was heard of the client, not even pongs.
    Silent,
    /// 4003: another socket has resumed the connection.
    TakenOver,
}

impl CloseReason {
    /// The code in the close frame (RFC 6455 §7.4).
    pub fn code(self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::Protocol => 1002,
            Self::TooFast => 1008,
            Self::TooBig => 1009,
            Self::SlowConsumer => 4001,
            Self::Silent => 4002,
            Self::TakenOver => 4003,
        }
    }

    /// The text in the close frame.
    pub fn text(self) -> &'static str {
        match self {
            Self::GoingAway => "the service is going away; reconnect",
            Self::Protocol => "not a WebSocket message",
            Self::TooFast => "too many frames for too long",
            Self::TooBig => "the message is far too large",
            Self::SlowConsumer => "the client does not read its messages",
            Self::Silent => "nothing was heard of the client",
            Self::TakenOver => "another socket has resumed the connection",
        }
    }

    pub(super) fn frame(self) -> CloseFrame {
        CloseFrame { code: self.code(), reason: self.text().into() }
    }

    /// Whether what is still queued is given up. Who does not read would not read that either, and who
    /// has another socket gets it there.
    pub(super) fn discards(self) -> bool {
        matches!(self, Self::SlowConsumer | Self::TakenOver)
    }

    /// Whether the client may come back and find its connection as it was. Who breaks the rules would go
    /// on breaking them.
    pub(super) fn can_be_resumed(self) -> bool {
        !matches!(self, Self::Protocol | Self::TooFast | Self::TooBig)
    }
}
