//! What the application is told.

use std::time::Duration;

use skapi_rtc_protocol::{
    ConnectionId, DecodeError, ErrorCode, GroupName, Json, Notice, Ready, UserId,
};

use crate::{CallEnd, CallId, DeviceCall, RequestError, RequestId, UserCallId};

/// One thing the application is told.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The session is connected.
    Connected {
        /// What the service said about this connection; `None` from a service that does not greet.
        ready: Option<Ready>,
        /// Whether it was connected before.
        again: bool,
    },
    /// The connection was lost and will be tried again.
    Disconnected {
        /// What happened.
        reason: String,
        /// How long until the next attempt.
        retry_in: Duration,
    },
    /// The session is over; nothing follows.
    Closed(CloseReason),
    /// The service is known to have this connection in this group, or in none.
    Joined(Option<GroupName>),
    /// A request has been answered.
    Request {
        /// Which one.
        request: RequestId,
        /// How.
        result: Result<(), RequestError>,
    },
    /// Somebody posted to the group; own posts come back too.
    Message {
        /// What was posted, and by whom.
        post: Post,
        /// To which group.
        group: GroupName,
    },
    /// Somebody posted to this user.
    Private(Post),
    /// Somebody came to or left the group.
    Notice(Notice),
    /// The service refused something that no request waits for.
    ServiceError {
        /// In plain words.
        text: String,
        /// For programs.
        code: Option<ErrorCode>,
    },
    /// A peer sent something about a call that cannot be read. It was dropped.
    BadContent {
        /// Which connection.
        from: ConnectionId,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// Somebody calls. Answer with [`accept`](crate::Session::accept) or
    /// [`decline`](crate::Session::decline).
    Incoming {
        /// The new call.
        call: CallId,
        /// The caller's connection.
        from: ConnectionId,
        /// The caller.
        user: UserId,
    },
    /// Another device of the same user wants to take a call over. Unless this was granted already, because the
    /// [policy](crate::HandoverPolicy) is to allow it, answer with
    /// [`answer_handover`](crate::Session::answer_handover).
    HandoverAsked {
        /// Which call.
        call: CallId,
        /// The device.
        by: ConnectionId,
        /// Whether it was granted already.
        granted: bool,
    },
    /// The peer of a call goes on with it on another device, by a new call. That was accepted, and is set up
    /// beside the old one, which ends as [moved](crate::EndReason::Moved) when the new one is up at both ends.
    Successor {
        /// The new call.
        call: CallId,
        /// The old one.
        of: CallId,
        /// The peer's other device.
        from: ConnectionId,
        /// The peer.
        user: UserId,
    },
    /// Which calls the user's other devices have was answered: by all of them, or as far as they answered in
    /// time.
    DeviceCalls {
        /// Which question.
        request: RequestId,
        /// The calls that could be taken over.
        calls: Vec<DeviceCall>,
    },
    /// Something happened to a call.
    Call {
        /// Which one.
        call: CallId,
        /// What.
        event: CallEvent,
    },
    /// Something happened to a call to a user. What happens to its legs comes as [`Event::Call`] too.
    UserCall {
        /// Which one.
        call: UserCallId,
        /// What.
        event: UserCallEvent,
    },
}

/// Something that was posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// What.
    pub content: Json,
    /// By whom.
    pub user: UserId,
    /// From which connection.
    pub from: ConnectionId,
}

/// Something that happened to a call to a user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserCallEvent {
    /// The first of the user's connections has said that it rings there.
    Ringing {
        /// The call to that connection.
        leg: CallId,
    },
    /// One has accepted. From here on this is a call like any other; the other legs have ended as
    /// [answered elsewhere](crate::EndReason::AnsweredElsewhere). Last event.
    Answered {
        /// The call to that connection.
        leg: CallId,
    },
    /// Nobody has accepted: the best of the reasons that there are. Last event.
    Ended(CallEnd),
}

/// Something that happened to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallEvent {
    /// The callee's application knows of the call (told by our own peers only).
    Ringing,
    /// The callee accepted.
    Accepted,
    /// The two engines are connected: data and media flow.
    Connected,
    /// The engines' connection is interrupted; it may come back, and is searched for.
    Reconnecting,
    /// It came back.
    Reconnected,
    /// Something that was added to or removed from the running call here has not reached the peer; the call
    /// goes on as it was. What the engine still holds of it is offered again, and this told again, until the
    /// application takes it back.
    ChangeFailed(ChangeError),
    /// The call is over. Last event of every call, exactly once.
    Ended(CallEnd),
}

/// Why a change of a running call (a track or data channel that was added or removed) has not reached the
/// peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The peer's engine cannot accept it, for want of a codec for example.
    #[error("the peer cannot accept the change of the call: take the track or channel back")]
    Refused,
    /// The peer is there, but has answered none of several offers.
    #[error("the peer does not answer when it is told of the change of the call")]
    Unanswered,
    /// The peer has Skapi's own client, which would take the change for another call.
    #[error("the peer takes no changes in a running call: place a call with all that is needed")]
    Unsupported,
    /// Our own engine refused a step.
    #[error("the engine refused a step of the change: {0}")]
    Engine(String),
}

/// Why a session is over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// [`close`](crate::Session::close) was called.
    Closed,
    /// The service does not want this client.
    Refused(String),
}
