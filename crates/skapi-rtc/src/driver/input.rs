//! What reaches the driver: wishes of the application, and news of its own tasks.

use std::sync::Arc;

use skapi_rtc_protocol::{ConnectionId, GroupName, Json, UserId};
use skapi_rtc_signaling::{
    CallId, DeviceCall, EndReason, Generation, OpId, PlaceError, RtcEvent, RtcOutcome,
};
use tokio::sync::oneshot;

use super::handover::Told;
use crate::{
    PostError,
    call::{Lease, PlacedUser},
    options::CallOptions,
};

/// What reaches the driver.
#[derive(Debug)]
pub(crate) enum DriverInput {
    Command(Command),
    RtcDone { op: OpId, result: Result<RtcOutcome, String> },
    RtcEvent { call: CallId, generation: Generation, event: RtcEvent },
}

/// A wish of the application.
#[derive(Debug)]
pub(crate) enum Command {
    Join { group: Option<GroupName>, done: Reply<PostError> },
    PostToGroup { content: Json, done: Reply<PostError> },
    PostToUser { user: UserId, content: Json, done: Reply<PostError> },
    Place { to: ConnectionId, options: CallOptions, done: oneshot::Sender<Placed> },
    PlaceUser { to: Vec<ConnectionId>, options: CallOptions, done: oneshot::Sender<PlacedUserCall> },
    Accept { call: CallId },
    Decline { call: CallId, reason: EndReason },
    HangUp { call: CallId },
    AskCalls { devices: Vec<ConnectionId>, done: Told },
    PickUp { call: DeviceCall, options: CallOptions, done: oneshot::Sender<Placed> },
    AnswerHandover { call: CallId, by: ConnectionId, allow: bool },
    Close { done: Option<oneshot::Sender<()>> },
}

pub(crate) type Reply<E> = oneshot::Sender<Result<(), E>>;
/// A lease, so that a call which nobody picks up is hung up.
pub(crate) type Placed = Result<Arc<Lease>, PlaceError>;
pub(crate) type PlacedUserCall = Result<PlacedUser, PlaceError>;
