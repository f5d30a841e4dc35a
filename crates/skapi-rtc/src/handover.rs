//! Calls that go on with another device of the same user.

use skapi_rtc_protocol::{
    ConnectionId, GroupName, UserId,
    http::{GroupQuery, UserEntry, UsersQuery},
};
use skapi_rtc_signaling::{CallId, CommandError, DeviceCall, PlaceError};
use tokio::sync::oneshot;

use crate::{
    CallOptions, DeviceCallsError, OutgoingCall, Realtime, driver::Command, realtime::Handle,
};

impl Realtime {
    /// The calls that this user's other devices in a group have, and that could be [picked up](Self::pick_up)
    /// here: those that are up, with a peer that can follow. Devices have 2 s to answer; pages with Skapi's own
    /// client never do.
    ///
    /// # Errors
    /// Without a connection to a service that says who we are, and when the service cannot be asked who is in
    /// the group.
    pub async fn calls_of_my_devices(
        &self,
        group: GroupName,
    ) -> Result<Vec<DeviceCall>, DeviceCallsError> {
        let user = Some(self.user_id().ok_or(CommandError::NotConnected)?);
        let entries: Vec<UserEntry> = self
            .all_pages(|page| {
                let (group, user) = (group.clone(), user.clone());
                GroupQuery::Users(UsersQuery { group, user, page })
            })
            .await?;
        let devices = entries.into_iter().map(|entry| entry.cid).collect();
        let (done, told) = oneshot::channel();
        self.handle().send_waiting(Command::AskCalls { devices, done }).await;
        Ok(told.await.unwrap_or(Err(CommandError::Closed))?)
    }

    /// Goes on here with a call of another device of this user. Await what it gives for the
    /// [`Call`](crate::Call): a new one with the same peer, with the channels and tracks of these options, since
    /// those of the old call cannot be taken along.
    ///
    /// The old call goes on until the new one is up at both ends; then it ends on the other device as
    /// [`Moved`](crate::EndReason::Moved). When it cannot be taken over this ends as
    /// [`NotHandedOver`](crate::EndReason::NotHandedOver), and nothing has happened to the old one.
    ///
    /// # Errors
    /// As for [`connect_rtc`](Self::connect_rtc), and at a service that does not say who we are.
    pub async fn pick_up(
        &self,
        call: &DeviceCall,
        options: CallOptions,
    ) -> Result<OutgoingCall, PlaceError> {
        let (done, placed) = oneshot::channel();
        let call = call.clone();
        self.handle().send_waiting(Command::PickUp { call, options, done }).await;
        let lease = placed.await.unwrap_or(Err(PlaceError::Closed))?;
        Ok(OutgoingCall::new(lease))
    }
}

/// Another device of this user takes a call over, or wants to.
///
/// With [`HandoverPolicy::Ask`](crate::HandoverPolicy) it waits for an answer: dropping the request refuses.
#[derive(Debug)]
pub struct HandoverRequest {
    pub(crate) handle: Handle,
    pub(crate) call: CallId,
    pub(crate) by: ConnectionId,
    pub(crate) peer: ConnectionId,
    pub(crate) user: Option<UserId>,
    pub(crate) granted: bool,
}

impl HandoverRequest {
    /// The connection of the device that takes the call over.
    pub fn by(&self) -> &ConnectionId {
        &self.by
    }

    /// The connection at the call's other end.
    pub fn peer(&self) -> &ConnectionId {
        &self.peer
    }

    /// Whose that is.
    pub fn user(&self) -> Option<&UserId> {
        self.user.as_ref()
    }

    /// Whether the device may have the call already, by the policy or because you have allowed it.
    pub fn is_granted(&self) -> bool {
        self.granted
    }

    /// Lets the device have the call, if it still wants it.
    pub fn allow(mut self) {
        if !self.granted {
            self.granted = true;
            self.answer(true);
        }
    }

    /// Keeps the call here; without effect on what was granted.
    pub fn refuse(self) {
        drop(self);
    }

    fn answer(&self, allow: bool) {
        let (call, by) = (self.call, self.by.clone());
        self.handle.send(Command::AnswerHandover { call, by, allow });
    }
}

impl Drop for HandoverRequest {
    fn drop(&mut self) {
        if !self.granted {
            self.answer(false);
        }
    }
}
