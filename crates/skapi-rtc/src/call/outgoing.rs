//! A call that we place, until it is up.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
};

use skapi_rtc_backend::MaybeSend;
use skapi_rtc_protocol::ConnectionId;
use skapi_rtc_signaling::CallEnd;

use super::{Call, CallEvents, Lease, Stage, connected, ended};
use crate::CallError;

/// A call on its way. Await it for the [`Call`]; drop it to cancel.
#[derive(Debug)]
#[must_use = "dropping an outgoing call cancels it: await it"]
pub struct OutgoingCall {
    lease: Arc<Lease>,
}

impl OutgoingCall {
    pub(crate) fn new(lease: Arc<Lease>) -> Self {
        Self { lease }
    }

    /// The called connection.
    pub fn peer(&self) -> &ConnectionId {
        &self.lease.shared.peer
    }

    /// What happens to the call from its beginning on, also once it is up. Several may listen.
    pub fn events(&self) -> CallEvents {
        self.lease.shared.events.from_the_beginning()
    }

    /// Waits until it rings at the other side, and says whether it did: a call can end, or be answered by
    /// a peer with Skapi's own client, which does not say that it rings, without. Cancel-safe.
    pub async fn ringing(&self) -> bool {
        self.reached(|stage| *stage != Stage::Calling).await;
        self.lease.shared.has_rung()
    }

    /// Waits until the other side has accepted, which is before the connection is up. Cancel-safe.
    ///
    /// # Errors
    /// When the call ends before.
    pub async fn accepted(&self) -> Result<(), CallError> {
        let reached = self.reached(|stage| !matches!(stage, Stage::Calling | Stage::Ringing)).await;
        match reached {
            Some(Stage::Ended(end)) => Err(CallError::Ended(end)),
            Some(_) => Ok(()),
            None => Err(CallError::SessionClosed),
        }
    }

    /// Takes the call back, and waits until it has ended here.
    pub async fn cancel(self) -> CallEnd {
        self.lease.hang_up();
        ended(&self.lease.shared).await
    }

    async fn reached(&self, stage: impl FnMut(&Stage) -> bool) -> Option<Stage> {
        let mut stages = self.lease.shared.stage.subscribe();
        let reached = stages.wait_for(stage).await;
        reached.ok().map(|stage| stage.clone())
    }
}

impl IntoFuture for OutgoingCall {
    type Output = Result<Call, CallError>;
    type IntoFuture = CallFuture;

    fn into_future(self) -> CallFuture {
        CallFuture::new(async move {
            connected(&self.lease.shared).await?;
            Ok(Call::new(self.lease))
        })
    }
}

/// The future of a call that is not up yet. Dropping it ends the call.
#[must_use = "dropping it ends the call: await it"]
pub struct CallFuture(Inner);

#[cfg(not(target_arch = "wasm32"))]
type Inner = Pin<Box<dyn Future<Output = Result<Call, CallError>> + Send>>;
#[cfg(target_arch = "wasm32")]
type Inner = Pin<Box<dyn Future<Output = Result<Call, CallError>>>>;

impl CallFuture {
    pub(super) fn new(
        call: impl Future<Output = Result<Call, CallError>> + MaybeSend + 'static,
    ) -> Self {
        Self(Box::pin(call))
    }
}

impl Future for CallFuture {
    type Output = Result<Call, CallError>;

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl std::fmt::Debug for CallFuture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CallFuture")
    }
}
