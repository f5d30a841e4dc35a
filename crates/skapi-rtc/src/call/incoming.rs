//! A call that rings here.

use std::sync::Arc;

use skapi_rtc_protocol::{ConnectionId, UserId};
use skapi_rtc_signaling::{CallEnd, EndReason};

use super::{Call, CallEvents, Lease, connected, ended};
use crate::{CallError, driver::Command, options::CallOptions};

/// A call that rings here: `rtc:incoming`. Accept it with [`connect_rtc`](Self::connect_rtc); dropping it
/// declines.
#[derive(Debug)]
#[must_use = "dropping an incoming call declines it"]
pub struct IncomingCall {
    lease: Arc<Lease>,
    user: UserId,
}

impl IncomingCall {
    pub(crate) fn new(lease: Arc<Lease>, user: UserId) -> Self {
        Self { lease, user }
    }

    /// The caller's connection.
    pub fn peer(&self) -> &ConnectionId {
        &self.lease.shared.peer
    }

    /// The caller.
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// What happens to the call from its beginning on, also once it is up. Several may listen.
    pub fn events(&self) -> CallEvents {
        self.lease.shared.events.from_the_beginning()
    }

    /// Accepts, and waits until the call is up.
    ///
    /// # Errors
    /// When the caller has hung up, or the connection cannot be made.
    pub async fn connect_rtc(self, options: CallOptions) -> Result<Call, CallError> {
        let shared = &self.lease.shared;
        shared.set_options(options);
        self.lease.handle.send(Command::Accept { call: shared.id });
        connected(shared).await?;
        Ok(Call::new(self.lease))
    }

    /// Declines, and waits until the call has ended here.
    pub async fn decline(self) -> CallEnd {
        self.decline_as(EndReason::Declined).await
    }

    /// Declines because another call goes on.
    pub async fn decline_busy(self) -> CallEnd {
        self.decline_as(EndReason::Busy).await
    }

    /// Waits until the call ends without having been accepted: the caller gave up, or it rang too long.
    /// Cancel-safe.
    pub async fn cancelled(&self) -> CallEnd {
        ended(&self.lease.shared).await
    }

    async fn decline_as(self, reason: EndReason) -> CallEnd {
        self.lease.handle.send(Command::Decline { call: self.lease.shared.id, reason });
        ended(&self.lease.shared).await
    }
}
