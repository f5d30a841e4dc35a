//! Why a call ended.

use std::{fmt, time::Duration};

use skapi_rtc_protocol::HangupReason;

/// Which of the two sides did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// This one.
    Local,
    /// The peer's.
    Remote,
}

/// How a call ended. Both sides give the same reason, each with the other side, unless both ended it at
/// the same moment or a failure kept one from telling the other. What fails on one side travels as one
/// word: the other side gives it as [`TransportFailed`](EndReason::TransportFailed).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallEnd {
    /// Why.
    pub reason: EndReason,
    /// Who ended it.
    pub by: Side,
}

/// Two addresses between which a path was looked for. Each is written as kind, transport and address:
/// `host udp 192.0.2.1:5000`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TriedPair {
    /// Ours.
    pub local: String,
    /// The peer's.
    pub remote: String,
}

impl fmt::Display for TriedPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <-> {}", self.local, self.remote)
    }
}

/// Why a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndReason {
    /// Somebody hung up.
    HungUp,
    /// The callee did not want it.
    Declined,
    /// The callee is in another call.
    Busy,
    /// The caller took it back before it was answered.
    Cancelled,
    /// It rang, and nobody answered in time.
    NoAnswer,
    /// The callee took it on another device.
    AnsweredElsewhere,
    /// Another device of the same user goes on with the call: on the device that had it by the peer, on the
    /// peer's side by us.
    Moved,
    /// The call of another device could not be taken over: it is over, is not let go, or another one was first.
    NotHandedOver,
    /// Nobody is connected under the called id.
    Unreachable,
    /// The peer has lost its connection to the service, and does not answer on the call's own either.
    PeerGone,
    /// Our own connection to the service was lost before the call was up.
    SignalingLost {
        /// For how long, until the call was given up; zero if that was at once.
        lost_for: Duration,
    },
    /// The call was accepted, but its set-up did not end in time: an answer was not made, or did not come.
    ConnectTimeout,
    /// The call was accepted, but one side had no address at which to look for it: on ours the engine
    /// found none, or the peer told none.
    NoCandidates(Side),
    /// The call was accepted, but no pair of addresses led from one side to the other.
    NoPath {
        /// What was tried, as far as it was noted.
        tried: Vec<TriedPair>,
    },
    /// A path was found, but the two engines could not agree on keys over it (DTLS).
    HandshakeFailed,
    /// The engines' connection was lost and did not come back.
    TransportFailed,
    /// The peer has acknowledged nothing of what was said in the call for too long.
    Undelivered,
    /// The service refused to carry the call, with what it said.
    ServiceRefused(String),
    /// An engine refused a step; on the side where it happened with what it said.
    EngineFailed(String),
}

impl EndReason {
    /// What is told to the peer. Everything that is no decision of a user's travels as `failed`.
    pub(crate) fn on_wire(&self) -> Option<HangupReason> {
        Some(match self {
            Self::HungUp => return None,
            Self::Declined => HangupReason::Declined,
            Self::Busy => HangupReason::Busy,
            Self::Cancelled => HangupReason::Cancelled,
            Self::NoAnswer => HangupReason::NoAnswer,
            Self::AnsweredElsewhere => HangupReason::AnsweredElsewhere,
            Self::Moved => HangupReason::Moved,
            Self::NotHandedOver => HangupReason::NotHandedOver,
            Self::Unreachable
            | Self::PeerGone
            | Self::SignalingLost { .. }
            | Self::ConnectTimeout
            | Self::NoCandidates(_)
            | Self::NoPath { .. }
            | Self::HandshakeFailed
            | Self::TransportFailed
            | Self::Undelivered
            | Self::ServiceRefused(_)
            | Self::EngineFailed(_) => HangupReason::Failed,
        })
    }

    /// What a reason from the wire means. A peer that does not give reasons (Skapi's own client) means
    /// what its user can mean in that phase: `unsaid`.
    pub(crate) fn from_wire(reason: Option<HangupReason>, unsaid: Self) -> Self {
        match reason {
            Some(HangupReason::Declined) => Self::Declined,
            Some(HangupReason::Busy) => Self::Busy,
            Some(HangupReason::Cancelled) => Self::Cancelled,
            Some(HangupReason::NoAnswer) => Self::NoAnswer,
            Some(HangupReason::AnsweredElsewhere) => Self::AnsweredElsewhere,
            Some(HangupReason::Moved) => Self::Moved,
            Some(HangupReason::NotHandedOver) => Self::NotHandedOver,
            Some(HangupReason::Failed) => Self::TransportFailed,
            _ => unsaid,
        }
    }

    /// Whether calling again may help without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Busy
                | Self::NoAnswer
                | Self::PeerGone
                | Self::SignalingLost { .. }
                | Self::ConnectTimeout
                | Self::NoPath { .. }
                | Self::TransportFailed
                | Self::Undelivered
        )
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HungUp => "hung up",
            Self::Declined => "declined",
            Self::Busy => "the callee is busy",
            Self::Cancelled => "cancelled by the caller",
            Self::NoAnswer => "nobody answered in time",
            Self::AnsweredElsewhere => "answered on another device",
            Self::Moved => "goes on with another device of the same user",
            Self::NotHandedOver => "the other device's call could not be taken over",
            Self::Unreachable => "nobody is connected under the called id",
            Self::PeerGone => "the peer is gone: it left the service and the connection is dead",
            Self::SignalingLost { lost_for } => {
                let lost_for = Span(*lost_for);
                return write!(
                    f,
                    "the connection to the service was lost{lost_for} before the call was up"
                );
            }
            Self::ConnectTimeout => "accepted, but the connection was not set up in time",
            Self::TransportFailed => "the connection between the two sides failed",
            Self::Undelivered => "the peer does not acknowledge what it is told any more",
            Self::NoCandidates(Side::Local) => {
                "accepted, but there is no network address to use here"
            }
            Self::NoCandidates(Side::Remote) => {
                "accepted, but the peer named no address to reach it"
            }
            Self::HandshakeFailed => "a path was found, but no encrypted connection over it",
            Self::NoPath { tried } if tried.is_empty() => {
                "accepted, but the two sides have no kind of address in common"
            }
            Self::NoPath { tried } => {
                let tried: Vec<_> = tried.iter().map(TriedPair::to_string).collect();
                let tried = tried.join(", ");
                return write!(f, "accepted, but no path was found between the two sides: {tried}");
            }
            Self::ServiceRefused(what) => return write!(f, "the service refused the call: {what}"),
            Self::EngineFailed(what) => return write!(f, "the engine refused a step: {what}"),
        })
    }
}

impl fmt::Display for CallEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.reason, self.by) {
            (EndReason::HungUp, Side::Local) => f.write_str("hung up by us"),
            (EndReason::HungUp, Side::Remote) => f.write_str("hung up by the peer"),
            (reason, _) => reason.fmt(f),
        }
    }
}

/// ` for 12 s`; nothing for no time at all.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_zero() {
            return Ok(());
        }
        let seconds = self.0.as_secs_f64();
        if seconds < 9.95 {
            write!(f, " for {seconds:.1} s")
        } else {
            write!(f, " for {seconds:.0} s")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_link_says_for_how_long() {
        let text = |millis| {
            let lost_for = Duration::from_millis(millis);
            EndReason::SignalingLost { lost_for }.to_string()
        };
        assert_eq!(text(0), "the connection to the service was lost before the call was up");
        assert_eq!(
            text(400),
            "the connection to the service was lost for 0.4 s before the call was up"
        );
        assert_eq!(
            text(12_300),
            "the connection to the service was lost for 12 s before the call was up"
        );
    }
}
