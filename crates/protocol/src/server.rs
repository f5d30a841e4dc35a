//! Frames from the service to a client.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    ConnectionId, GroupName, Json, Ready, RequestRef, UserId,
    codec::{DecodeError, Fields},
    text_enum::text_enum,
};

/// A frame from the service.
///
/// The sender's identity (`user`, `from`) is what the service knows from the sender's socket, never what
/// a frame claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerFrame {
    /// A post to the joined group; the sender gets it too.
    Message {
        /// What was posted.
        content: Json,
        /// Who posted it.
        user: UserId,
        /// The connection that posted it.
        from: ConnectionId,
        /// The group.
        group: GroupName,
    },
    /// A post to this user.
    Private {
        /// What was posted.
        content: Json,
        /// Who posted it.
        user: UserId,
        /// The connection that posted it.
        from: ConnectionId,
    },
    /// An rtc content for this connection.
    Rtc {
        /// The content, as the peer sent it; read it with [`RtcContent`](crate::RtcContent).
        content: Json,
        /// The peer's user.
        user: UserId,
        /// The peer's connection.
        from: ConnectionId,
    },
    /// Somebody came to or left the joined group.
    Notice(Notice),
    /// A frame of this client was refused, or something went wrong that concerns it.
    Error {
        /// What happened, in plain words.
        text: String,
        /// The same for programs. Our extension.
        code: Option<ErrorCode>,
        /// The `ref` of the refused frame, where it had one. Our extension.
        reference: Option<RequestRef>,
    },
    /// First frame on a new connection. Our extension.
    Ready(Ready),
    /// A frame with this `ref` was carried out. Our extension.
    Done {
        /// The frame's `ref`.
        reference: RequestRef,
    },
    /// The service is about to close this connection, and asks not to be besieged. Our extension.
    GoingAway(GoingAway),
    /// How the link of a connection stands with which this one has exchanged rtc contents. Our extension.
    Link {
        /// What has become of it.
        state: LinkState,
        /// Whose it is.
        of: ConnectionId,
    },
    /// A frame without a key that this version knows.
    Unknown(Json),
}

/// Somebody came to or left a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What happened.
    pub code: NoticeCode,
    /// Whom it is about.
    pub user: UserId,
    /// Which of the user's connections.
    pub from: ConnectionId,
    /// The group.
    pub group: GroupName,
}

impl Notice {
    /// The sentence that Skapi's client shows. Some pages act only on a text with `message group`.
    pub fn text(&self) -> String {
        let user = &self.user;
        match &self.code {
            NoticeCode::UserJoined => format!("User \"{user}\" has joined the message group."),
            NoticeCode::UserLeft => format!("User \"{user}\" has left the message group."),
            NoticeCode::UserDisconnected => {
                format!("User \"{user}\" has been disconnected. User has left the message group.")
            }
            NoticeCode::Other(code) => format!("User \"{user}\": {code}."),
        }
    }
}

/// What a service says before it goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoingAway {
    /// When this client may come back, in milliseconds from now; each is given a moment of its own.
    #[serde(default)]
    pub retry_after_ms: u64,
}

impl GoingAway {
    /// When this client may come back, from now.
    pub fn retry_after(self) -> Duration {
        Duration::from_millis(self.retry_after_ms)
    }
}

text_enum! {
    /// What a [`Notice`] tells.
    NoticeCode {
        /// A connection joined the group. The connection itself does not get it.
        UserJoined = "USER_JOINED",
        /// A connection left the group.
        UserLeft = "USER_LEFT",
        /// A connection was lost or closed.
        UserDisconnected = "USER_DISCONNECTED",
    }
}

text_enum! {
    /// What has become of another connection's link to the service.
    LinkState {
        /// Its socket is gone, without a goodbye; its client may come back.
        Lost = "lost",
        /// Its client has come back.
        Back = "back",
        /// The connection is over.
        Gone = "gone",
    }
}

text_enum! {
    /// Why a frame was refused, for programs.
    ErrorCode {
        /// The frame could not be read.
        BadFrame = "BAD_FRAME",
        /// The frame is too large.
        TooLarge = "TOO_LARGE",
        /// The client sends too fast; the frame was dropped.
        TooFast = "TOO_FAST",
        /// The service does not know the action.
        UnknownAction = "UNKNOWN_ACTION",
        /// The client is not in the group it posts to.
        NotInGroup = "NOT_IN_GROUP",
        /// The group has as many connections as the service allows.
        GroupFull = "GROUP_FULL",
        /// The service has as many groups as it allows.
        TooManyGroups = "TOO_MANY_GROUPS",
        /// No connection has this id.
        UnknownConnection = "UNKNOWN_CONNECTION",
        /// The user has no connection now.
        UserOffline = "USER_OFFLINE",
        /// The addressed client does not read its messages; this one was not delivered.
        NotDelivered = "NOT_DELIVERED",
    }
}

impl ServerFrame {
    pub(crate) fn decode(text: &str) -> Result<Self, DecodeError> {
        let raw: RawServerFrame<'_> = Fields::object(text)?;
        let user = || Fields::required("#user_id", raw.user_id);
        let from = || Fields::required("#scid", raw.scid);
        let group = || Fields::required("#srid", raw.srid);
        Ok(if raw.message.is_some() {
            Self::Message {
                content: Fields::content("#message", raw.message)?,
                user: user()?,
                from: from()?,
                group: group()?,
            }
        } else if raw.private.is_some() {
            Self::Private {
                content: Fields::content("#private", raw.private)?,
                user: user()?,
                from: from()?,
            }
        } else if raw.rtc.is_some() {
            Self::Rtc { content: Fields::content("#rtc", raw.rtc)?, user: user()?, from: from()? }
        } else if raw.notice.is_some() {
            Self::Notice(Notice {
                code: Fields::required("#code", raw.code)?,
                user: user()?,
                from: from()?,
                group: group()?,
            })
        } else if raw.error.is_some() {
            Self::Error {
                text: Fields::required("#error", raw.error)?,
                code: Fields::optional("#code", raw.code)?,
                reference: Fields::optional("#ref", raw.reference)?,
            }
        } else if raw.ready.is_some() {
            Self::Ready(Fields::record("#ready", raw.ready)?)
        } else if raw.done.is_some() {
            Self::Done { reference: Fields::required("#done", raw.done)? }
        } else if raw.going_away.is_some() {
            Self::GoingAway(Fields::record("#going_away", raw.going_away)?)
        } else if raw.link.is_some() {
            Self::Link { state: Fields::required("#link", raw.link)?, of: from()? }
        } else {
            Self::Unknown(Fields::whole_unprotected(text)?)
        })
    }

    pub(crate) fn encode(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::Message { content, user, from, group } => serde_json::to_string(&MessageOut {
                message: content,
                user_id: user,
                scid: from,
                srid: group,
            }),
            Self::Private { content, user, from } => serde_json::to_string(&PrivateOut {
                private: content,
                user_id: user,
                scid: from,
                srid: None,
            }),
            Self::Rtc { content, user, from } => {
                serde_json::to_string(&RtcOut { rtc: content, user_id: user, scid: from })
            }
            Self::Notice(notice) => serde_json::to_string(&NoticeOut {
                notice: notice.text(),
                user_id: &notice.user,
                scid: &notice.from,
                srid: &notice.group,
                code: &notice.code,
            }),
            Self::Error { text, code, reference } => serde_json::to_string(&ErrorOut {
                error: text,
                code: code.as_ref(),
                reference: *reference,
            }),
            Self::Ready(ready) => serde_json::to_string(&ReadyOut { ready }),
            Self::Done { reference } => serde_json::to_string(&DoneOut { done: *reference }),
            Self::GoingAway(going_away) => {
                serde_json::to_string(&GoingAwayOut { going_away: *going_away })
            }
            Self::Link { state, of } => serde_json::to_string(&LinkOut { link: state, scid: of }),
            Self::Unknown(frame) => Ok(frame.as_str().to_owned()),
        }
    }
}

#[derive(Deserialize)]
struct RawServerFrame<'a> {
    // Contents may be `null`, which is a content and not a missing field.
    #[serde(borrow, rename = "#message", default, deserialize_with = "some")]
    message: Option<&'a RawValue>,
    #[serde(borrow, rename = "#private", default, deserialize_with = "some")]
    private: Option<&'a RawValue>,
    #[serde(borrow, rename = "#rtc", default, deserialize_with = "some")]
    rtc: Option<&'a RawValue>,
    #[serde(borrow, rename = "#notice")]
    notice: Option<&'a RawValue>,
    #[serde(borrow, rename = "#error")]
    error: Option<&'a RawValue>,
    #[serde(borrow, rename = "#ready")]
    ready: Option<&'a RawValue>,
    #[serde(borrow, rename = "#done")]
    done: Option<&'a RawValue>,
    #[serde(borrow, rename = "#going_away")]
    going_away: Option<&'a RawValue>,
    #[serde(borrow, rename = "#link")]
    link: Option<&'a RawValue>,
    #[serde(borrow, rename = "#user_id")]
    user_id: Option<&'a RawValue>,
    #[serde(borrow, rename = "#scid")]
    scid: Option<&'a RawValue>,
    #[serde(borrow, rename = "#srid")]
    srid: Option<&'a RawValue>,
    #[serde(borrow, rename = "#code")]
    code: Option<&'a RawValue>,
    #[serde(borrow, rename = "#ref")]
    reference: Option<&'a RawValue>,
}

/// Reads a field that is there, even when it is `null`.
pub(crate) fn some<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[derive(Serialize)]
struct MessageOut<'a> {
    #[serde(rename = "#message")]
    message: &'a Json,
    #[serde(rename = "#user_id")]
    user_id: &'a UserId,
    #[serde(rename = "#scid")]
    scid: &'a ConnectionId,
    #[serde(rename = "#srid")]
    srid: &'a GroupName,
}

#[derive(Serialize)]
struct PrivateOut<'a> {
    #[serde(rename = "#private")]
    private: &'a Json,
    #[serde(rename = "#user_id")]
    user_id: &'a UserId,
    #[serde(rename = "#scid")]
    scid: &'a ConnectionId,
    #[serde(rename = "#srid")]
    srid: Option<&'a GroupName>,
}

#[derive(Serialize)]
struct RtcOut<'a> {
    #[serde(rename = "#rtc")]
    rtc: &'a Json,
    #[serde(rename = "#user_id")]
    user_id: &'a UserId,
    #[serde(rename = "#scid")]
    scid: &'a ConnectionId,
}

#[derive(Serialize)]
struct NoticeOut<'a> {
    #[serde(rename = "#notice")]
    notice: String,
    #[serde(rename = "#user_id")]
    user_id: &'a UserId,
    #[serde(rename = "#scid")]
    scid: &'a ConnectionId,
    #[serde(rename = "#srid")]
    srid: &'a GroupName,
    #[serde(rename = "#code")]
    code: &'a NoticeCode,
}

#[derive(Serialize)]
struct ErrorOut<'a> {
    #[serde(rename = "#error")]
    error: &'a str,
    #[serde(rename = "#code", skip_serializing_if = "Option::is_none")]
    code: Option<&'a ErrorCode>,
    #[serde(rename = "#ref", skip_serializing_if = "Option::is_none")]
    reference: Option<RequestRef>,
}

#[derive(Serialize)]
struct ReadyOut<'a> {
    #[serde(rename = "#ready")]
    ready: &'a Ready,
}

#[derive(Serialize)]
struct DoneOut {
    #[serde(rename = "#done")]
    done: RequestRef,
}

#[derive(Serialize)]
struct GoingAwayOut {
    #[serde(rename = "#going_away")]
    going_away: GoingAway,
}

#[derive(Serialize)]
struct LinkOut<'a> {
    #[serde(rename = "#link")]
    link: &'a LinkState,
    #[serde(rename = "#scid")]
    scid: &'a ConnectionId,
}
