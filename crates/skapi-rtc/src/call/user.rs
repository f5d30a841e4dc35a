//! A call to a user that we place, until one of the user's devices has it.

use std::{future::IntoFuture, sync::Arc};

use skapi_rtc_backend::MaybeSend;
use skapi_rtc_protocol::{ConnectionId, UserId};
use skapi_rtc_signaling::{CallEnd, CallId};
use tokio::sync::watch;

use super::{Call, CallFuture, Lease, OutgoingCall};
use crate::CallError;

/// How far a call to a user has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UserStage {
    Calling,
    Ringing,
    Answered(CallId),
    Ended(CallEnd),
}

/// A call to a user that was placed: the calls to the single connections, and how far the whole has come.
#[derive(Debug)]
pub(crate) struct PlacedUser {
    pub(crate) legs: Vec<Arc<Lease>>,
    pub(crate) stage: watch::Receiver<UserStage>,
}

/// A call to a user on its way: all of the user's connections in the group ring, and the first that accepts
/// has the call. Await it for the [`Call`]; drop it to cancel.
#[derive(Debug)]
#[must_use = "dropping an outgoing call cancels it: await it"]
pub struct OutgoingUserCall {
    user: UserId,
    placed: PlacedUser,
}

impl OutgoingUserCall {
    pub(crate) fn new(user: UserId, placed: PlacedUser) -> Self {
        Self { user, placed }
    }

    /// The called user.
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// The connections that are called.
    pub fn connections(&self) -> impl Iterator<Item = &ConnectionId> {
        self.placed.legs.iter().map(|leg| &leg.shared.peer)
    }

    /// Waits until it rings at one of them, and says whether it did. Cancel-safe.
    pub async fn ringing(&self) -> bool {
        let _ = self.reached(|stage| *stage != UserStage::Calling).await;
        self.placed.legs.iter().any(|leg| leg.shared.has_rung())
    }

    /// Waits until one of them has accepted, which is before the connection is up, and gives the call to it. The
    /// others have stopped ringing then.
    ///
    /// # Errors
    /// When all have declined or could not be reached: with the reason that says most about the user.
    pub async fn answered(self) -> Result<OutgoingCall, CallError> {
        let over =
            |stage: &UserStage| matches!(stage, UserStage::Answered(_) | UserStage::Ended(_));
        match self.reached(over).await {
            Some(UserStage::Answered(id)) => {
                let leg = self.placed.legs.iter().find(|leg| leg.shared.id == id);
                leg.cloned().map(OutgoingCall::new).ok_or(CallError::NotConnected)
            }
            Some(UserStage::Ended(end)) => Err(CallError::Ended(end)),
            _ => Err(CallError::SessionClosed),
        }
    }

    /// Waits until nobody can accept any more, and says why; `None` once somebody has. Does not hold the call: it is
    /// cancelled when this value is dropped, and that is told.
    pub fn ended(&self) -> impl Future<Output = Option<CallEnd>> + MaybeSend + use<> {
        let mut stages = self.placed.stage.clone();
        async move {
            let over =
                |stage: &UserStage| matches!(stage, UserStage::Answered(_) | UserStage::Ended(_));
            match stages.wait_for(over).await.as_deref() {
                Ok(UserStage::Ended(end)) => Some(end.clone()),
                _ => None,
            }
        }
    }

    /// Takes the call back, and waits until it has ended here. `None` when it was answered just before (it is
    /// hung up then), or the session was closed.
    pub async fn cancel(self) -> Option<CallEnd> {
        for leg in &self.placed.legs {
            leg.hang_up();
        }
        match self.reached(|stage| matches!(stage, UserStage::Ended(_))).await {
            Some(UserStage::Ended(end)) => Some(end),
            _ => None,
        }
    }

    /// The driver lets go of the stage with the last one, which can be seen all the same.
    async fn reached(&self, stage: impl FnMut(&UserStage) -> bool) -> Option<UserStage> {
        let mut stages = self.placed.stage.clone();
        stages.wait_for(stage).await.ok().map(|stage| stage.clone())
    }
}

impl IntoFuture for OutgoingUserCall {
    type Output = Result<Call, CallError>;
    type IntoFuture = CallFuture;

    fn into_future(self) -> CallFuture {
        CallFuture::new(async move { self.answered().await?.await })
    }
}
