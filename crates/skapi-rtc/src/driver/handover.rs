//! Calls that go on with another device: of our user, or of the peer's.

use std::sync::Arc;

use skapi_rtc_protocol::{ConnectionId, UserId};
use skapi_rtc_signaling::{CallId, CommandError, DeviceCall};
use tokio::sync::oneshot;

use super::{Driver, input::Placed, place::place_options};
use crate::{
    HandoverRequest, RealtimeEvent,
    call::{CallShared, Lease},
    options::CallOptions,
};

/// Who waits to know which calls the other devices have.
pub(crate) type Told = oneshot::Sender<Result<Vec<DeviceCall>, CommandError>>;

impl Driver {
    pub(super) fn ask_calls(&mut self, devices: Vec<ConnectionId>, done: Told) {
        match self.session.ask_calls(self.clock.now(), devices) {
            Ok(request) => {
                self.asks.push((request, done));
            }
            Err(error) => drop(done.send(Err(error))),
        }
    }

    pub(super) fn pick_up(&mut self, call: DeviceCall, options: CallOptions) -> Placed {
        let handle = self.caller()?;
        let (now, peer) = (self.clock.now(), call.peer.clone());
        let id = self.session.pick_up(now, call.device, call.peer, place_options(&options))?;
        Ok(self.lease(id, peer, options, handle))
    }

    pub(super) fn on_handover_asked(&mut self, call: CallId, by: ConnectionId, granted: bool) {
        let Some(info) = self.session.call(call) else { return };
        match self.handle.upgrade() {
            Some(handle) if !self.events.is_closed() => {
                let (peer, user) = (info.peer, info.user);
                let request = HandoverRequest { handle, call, by, peer, user, granted };
                self.events.control(RealtimeEvent::Handover(request));
            }
            // Nobody is there to answer.
            _ => {
                let _ = self.session.answer_handover(self.clock.now(), call, &by, false);
            }
        }
    }

    /// The peer's other device has called, and was accepted: with what the old call was made of.
    pub(super) fn on_successor(
        &mut self,
        call: CallId,
        of: CallId,
        from: ConnectionId,
        user: UserId,
    ) {
        let (Some(old), Some(handle)) = (self.calls.shared(of), self.handle.upgrade()) else {
            let _ = self.session.hang_up(self.clock.now(), call);
            return;
        };
        let shared = Arc::new(CallShared::new(call, from, Some(user), old.options()));
        self.calls.insert(shared.clone());
        old.set_successor(Lease::new(shared, handle));
    }
}
