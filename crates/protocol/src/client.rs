//! Frames from a client to the service.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    ConnectionId, GroupName, Json, UserId,
    codec::{DecodeError, Fields, edge_cid},
    ready::hidden,
    server::some,
};

/// A number by which a client recognises the answer to one of its frames.
///
/// Our extension: a frame that carries a `ref` is answered by exactly one
/// [`ServerFrame::Done`](crate::ServerFrame::Done) or [`ServerFrame::Error`](crate::ServerFrame::Error)
/// with the same `#ref`. Skapi's client never sends one and so never gets an answer it does not know.
pub type RequestRef = u32;

/// A frame from a client.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientFrame {
    /// "I am still here": right after the socket has opened, then every 15 seconds.
    KeepAlive {
        /// How many frames of the service the client has received on this connection id, the greeting not
        /// counted: the service need not keep them any more. Our extension.
        received: Option<u64>,
    },
    /// Joins a group, leaving the one before.
    JoinRoom {
        /// The group, or `None` to leave.
        group: Option<GroupName>,
        /// The access token, repeated. Services take the identity from the socket instead.
        token: Option<String>,
        /// Asks for an answer.
        reference: Option<RequestRef>,
    },
    /// Posts to the joined group.
    Broadcast {
        /// The group; must be the joined one.
        group: GroupName,
        /// What is posted.
        message: ClientMessage,
    },
    /// Posts to every connection of a user.
    SendMessage {
        /// The user.
        user: UserId,
        /// What is posted.
        message: ClientMessage,
    },
    /// Sends an rtc content to one connection. The content passes the service unread; peers read it as
    /// [`RtcContent`](crate::RtcContent).
    Rtc {
        /// The connection.
        to: ConnectionId,
        /// The content.
        content: Json,
        /// The access token, repeated.
        token: Option<String>,
        /// Asks for an answer.
        reference: Option<RequestRef>,
    },
    /// An action that this version does not know.
    Unknown {
        /// The action's name.
        action: String,
        /// The whole frame.
        frame: Json,
    },
}

/// What travels in a post, besides its destination.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientMessage {
    /// Any JSON.
    pub content: Json,
    /// Push notification for those who are away; Skapi's client always sends empty ones.
    pub notification: Notification,
    /// The id token, in the form `IdT:<service>:<owner>:<token>`.
    pub token: Option<String>,
    /// Asks for an answer.
    pub reference: Option<RequestRef>,
}

impl ClientMessage {
    /// A message without notification, token and reference.
    pub fn new(content: Json) -> Self {
        Self { content, notification: Notification::default(), token: None, reference: None }
    }
}

/// The push notification fields of a post, as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notification {
    /// `notification`: the text, or an object with its parts.
    pub notification: Option<Json>,
    /// `notificationConfig`.
    pub config: Option<Json>,
}

impl fmt::Debug for ClientFrame {
    /// Leaves tokens out: frames end up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeepAlive { received } => {
                f.debug_struct("KeepAlive").field("received", received).finish()
            }
            Self::JoinRoom { group, token, reference } => f
                .debug_struct("JoinRoom")
                .field("group", group)
                .field("token", &hidden(token))
                .field("reference", reference)
                .finish(),
            Self::Broadcast { group, message } => {
                f.debug_struct("Broadcast").field("group", group).field("message", message).finish()
            }
            Self::SendMessage { user, message } => {
                f.debug_struct("SendMessage").field("user", user).field("message", message).finish()
            }
            Self::Rtc { to, content, token, reference } => f
                .debug_struct("Rtc")
                .field("to", to)
                .field("content", content)
                .field("token", &hidden(token))
                .field("reference", reference)
                .finish(),
            Self::Unknown { action, .. } => {
                f.debug_struct("Unknown").field("action", action).finish_non_exhaustive()
            }
        }
    }
}

impl fmt::Debug for ClientMessage {
    /// Leaves the token out, like [`ClientFrame`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientMessage")
            .field("content", &self.content)
            .field("notification", &self.notification)
            .field("token", &hidden(&self.token))
            .field("reference", &self.reference)
            .finish()
    }
}

impl ClientFrame {
    pub(crate) fn decode(text: &str) -> Result<Self, DecodeError> {
        let raw: RawClientFrame<'_> = Fields::object(text)?;
        let action: String = Fields::required("action", raw.action)?;
        let token = || Fields::optional("token", raw.token);
        let reference = || Fields::optional("ref", raw.reference);
        let message = || {
            Ok::<_, DecodeError>(ClientMessage {
                content: Fields::required("content", raw.content)?,
                notification: Notification {
                    notification: Fields::present("notification", raw.notification)?,
                    config: Fields::present("notificationConfig", raw.notification_config)?,
                },
                token: token()?,
                reference: reference()?,
            })
        };
        Ok(match action.as_str() {
            "keepAlive" => {
                Self::KeepAlive { received: Fields::optional("received", raw.received)? }
            }
            "joinRoom" => Self::JoinRoom {
                // Skapi's client leaves by an empty name, too.
                group: Fields::optional("rid", raw.rid.filter(|rid| rid.get() != r#""""#))?,
                token: token()?,
                reference: reference()?,
            },
            "broadcast" => {
                Self::Broadcast { group: Fields::required("rid", raw.rid)?, message: message()? }
            }
            "sendMessage" => {
                Self::SendMessage { user: Fields::required("uid", raw.uid)?, message: message()? }
            }
            "rtc" => Self::Rtc {
                to: edge_cid("uid", raw.uid)?,
                content: Fields::required("content", raw.content)?,
                token: token()?,
                reference: reference()?,
            },
            _ => Self::Unknown { action, frame: Fields::whole(text)? },
        })
    }

    pub(crate) fn encode(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::KeepAlive { received } => {
                serde_json::to_string(&KeepAliveOut { action: "keepAlive", received: *received })
            }
            Self::JoinRoom { group, token, reference } => serde_json::to_string(&JoinRoomOut {
                action: "joinRoom",
                rid: group.as_ref(),
                token: token.as_deref(),
                reference: *reference,
            }),
            Self::Broadcast { group, message } => {
                MessageOut::new("broadcast", Some(group), None, message).to_text()
            }
            Self::SendMessage { user, message } => {
                MessageOut::new("sendMessage", None, Some(user), message).to_text()
            }
            Self::Rtc { to, content, token, reference } => serde_json::to_string(&RtcOut {
                action: "rtc",
                uid: to.to_string(),
                content,
                token: token.as_deref(),
                reference: *reference,
            }),
            Self::Unknown { frame, .. } => Ok(frame.as_str().to_owned()),
        }
    }
}

#[derive(Deserialize)]
struct RawClientFrame<'a> {
    #[serde(borrow)]
    action: Option<&'a RawValue>,
    #[serde(borrow)]
    rid: Option<&'a RawValue>,
    #[serde(borrow)]
    uid: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "some")]
    content: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "some")]
    notification: Option<&'a RawValue>,
    #[serde(borrow, rename = "notificationConfig", default, deserialize_with = "some")]
    notification_config: Option<&'a RawValue>,
    #[serde(borrow)]
    token: Option<&'a RawValue>,
    #[serde(borrow, rename = "ref")]
    reference: Option<&'a RawValue>,
    #[serde(borrow)]
    received: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct KeepAliveOut {
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<u64>,
}

#[derive(Serialize)]
struct JoinRoomOut<'a> {
    action: &'static str,
    rid: Option<&'a GroupName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<RequestRef>,
}

#[derive(Serialize)]
struct MessageOut<'a> {
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rid: Option<&'a GroupName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a UserId>,
    content: &'a Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    notification: Option<&'a Json>,
    #[serde(rename = "notificationConfig", skip_serializing_if = "Option::is_none")]
    notification_config: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<RequestRef>,
}

impl<'a> MessageOut<'a> {
    fn new(
        action: &'static str,
        rid: Option<&'a GroupName>,
        uid: Option<&'a UserId>,
        message: &'a ClientMessage,
    ) -> Self {
        Self {
            action,
            rid,
            uid,
            content: &message.content,
            notification: message.notification.notification.as_ref(),
            notification_config: message.notification.config.as_ref(),
            token: message.token.as_deref(),
            reference: message.reference,
        }
    }

    fn to_text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

#[derive(Serialize)]
struct RtcOut<'a> {
    action: &'static str,
    uid: String,
    content: &'a Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<RequestRef>,
}
