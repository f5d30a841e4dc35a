//! Calls that we place: whether there may be one, and how it begins.

use std::time::Duration;

use skapi_rtc_protocol::{CallKey, ConnectionId};

use super::{
    Calls, Ctx,
    call::{Call, Phase},
};
use crate::{CallId, Role};

/// How a call is to be placed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlaceOptions {
    /// How long it may ring; the session's
    /// [`no_answer_timeout`](crate::Config::no_answer_timeout) if `None`.
    pub no_answer_timeout: Option<Duration>,
    /// In a call to a user: whether one of the user's connections that declines does so for all. Default:
    /// no, the others ring on.
    pub decline_ends_all: bool,
}

impl PlaceOptions {
    /// Sets how long it may ring.
    pub fn no_answer_timeout(mut self, timeout: Duration) -> Self {
        self.no_answer_timeout = Some(timeout);
        self
    }

    /// Sets whether one connection of a user that declines does so for all.
    pub fn decline_ends_all(mut self, all: bool) -> Self {
        self.decline_ends_all = all;
        self
    }
}

/// A call could not be placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// The session is closed.
    #[error("the session is closed")]
    Closed,
    /// There is no connection to the service now; wait for [`Event::Connected`](crate::Event::Connected).
    #[error("there is no connection to the service now: wait until it is back")]
    NotConnected,
    /// The id is our own.
    #[error("a connection cannot call itself")]
    ToSelf,
    /// There is a call with this connection already.
    #[error("there is a call with this connection already ({0})")]
    AlreadyInCall(CallId),
    /// As many calls as [`Config::max_calls`](crate::Config::max_calls) allows are going on.
    #[error("{0} calls are going on, which is the limit: end one first")]
    TooManyCalls(usize),
    /// No connection was given to call.
    #[error("the user has no other connection that could be called")]
    NobodyThere,
    /// The service does not say who we are, so it cannot be known which devices are ours.
    #[error("the service does not greet, so that nobody can tell which devices are of this user")]
    NotGreeted,
}

impl Calls {
    pub(crate) fn place(
        &mut self,
        peer: ConnectionId,
        options: &PlaceOptions,
        ctx: &mut Ctx<'_>,
    ) -> Result<CallId, PlaceError> {
        self.check_place(&peer, ctx)?;
        let (id, key) = (self.new_id(), CallKey(ctx.rng.next_u64()));
        let mut call = Call::place(id, key, peer, options, ctx);
        call.waits_for_pickup = self.leftovers.are_there();
        self.insert(call);
        Ok(id)
    }

    /// Whether one more call may be placed, to this peer.
    pub(super) fn check_place(&self, peer: &ConnectionId, ctx: &Ctx<'_>) -> Result<(), PlaceError> {
        if ctx.own.is_some_and(|own| own.cid == *peer) {
            return Err(PlaceError::ToSelf);
        }
        if let Some(call) = self.by_peer.get(peer) {
            return Err(PlaceError::AlreadyInCall(*call));
        }
        if self.calls.len() >= ctx.config.max_calls {
            return Err(PlaceError::TooManyCalls(self.calls.len()));
        }
        Ok(())
    }
}

impl Call {
    fn place(
        id: CallId,
        key: CallKey,
        peer: ConnectionId,
        options: &PlaceOptions,
        ctx: &mut Ctx<'_>,
    ) -> Self {
        let mut call = Self::new(id, Some(key), peer, Role::Caller, Phase::Preparing);
        call.deadline = Some(Self::patience(options, ctx));
        call.open_engine(ctx);
        call.make_offer(ctx);
        call
    }
}
