//! Calls that the application places: to a connection, and to all connections of a user.

use std::sync::Arc;

use skapi_rtc_protocol::ConnectionId;
use skapi_rtc_signaling::{CallId, PlaceError, PlaceOptions, UserCallEvent, UserCallId};
use tokio::sync::watch;

use super::{Driver, input::Placed};
use crate::{
    call::{CallShared, Lease, PlacedUser, UserStage},
    options::CallOptions,
    realtime::Handle,
};

impl Driver {
    pub(super) fn place(&mut self, to: ConnectionId, options: CallOptions) -> Placed {
        let handle = self.caller()?;
        let now = self.clock.now();
        let id = self.session.place_call(now, to.clone(), place_options(&options))?;
        Ok(self.lease(id, to, options, handle))
    }

    pub(super) fn place_user(
        &mut self,
        to: Vec<ConnectionId>,
        options: &CallOptions,
    ) -> Result<PlacedUser, PlaceError> {
        let handle = self.caller()?;
        let now = self.clock.now();
        let placed = self.session.place_user_call(now, to, place_options(options))?;
        let mut legs = Vec::new();
        for leg in placed.legs {
            if let Some(info) = self.session.call(leg) {
                legs.push(self.lease(leg, info.peer, options.clone(), handle.clone()));
            }
        }
        let (sender, stage) = watch::channel(UserStage::Calling);
        self.user_calls.insert(placed.call, sender);
        Ok(PlacedUser { legs, stage })
    }

    pub(super) fn on_user_call_event(&mut self, call: UserCallId, event: UserCallEvent) {
        let stage = match event {
            UserCallEvent::Ringing { .. } => UserStage::Ringing,
            UserCallEvent::Answered { leg } => UserStage::Answered(leg),
            UserCallEvent::Ended(end) => UserStage::Ended(end),
            _ => return,
        };
        let last = stage != UserStage::Ringing;
        if let Some(stages) = self.user_calls.get(&call) {
            stages.send_replace(stage);
        }
        if last {
            self.user_calls.remove(&call);
        }
    }

    /// Whoever asks is gone if this fails, and the session is about to close.
    pub(super) fn caller(&self) -> Result<Handle, PlaceError> {
        self.handle.upgrade().ok_or(PlaceError::Closed)
    }

    pub(super) fn lease(
        &mut self,
        id: CallId,
        to: ConnectionId,
        options: CallOptions,
        handle: Handle,
    ) -> Arc<Lease> {
        let shared = Arc::new(CallShared::new(id, to, None, options));
        self.calls.insert(shared.clone());
        Lease::new(shared, handle)
    }
}

pub(super) fn place_options(options: &CallOptions) -> PlaceOptions {
    let mut place = PlaceOptions::default().decline_ends_all(options.decline_ends_all);
    place.no_answer_timeout = options.no_answer_timeout;
    place
}
