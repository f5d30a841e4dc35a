//! Wishes about calls that go on with another device of the same user.

use skapi_rtc_protocol::ConnectionId;

use super::{CommandError, Session};
use crate::{CallId, Instant, PlaceError, PlaceOptions, RequestId, UnknownCall};

impl Session {
    /// Asks which calls these connections of the same user have that could be taken over. Answered by
    /// [`Event::DeviceCalls`](crate::Event::DeviceCalls), after 2 s at most. More than 32 connections are not asked.
    ///
    /// # Errors
    /// Without a connection, and when too much is asked at a time.
    pub fn ask_calls(
        &mut self,
        now: Instant,
        devices: Vec<ConnectionId>,
    ) -> Result<RequestId, CommandError> {
        self.check_connected()?;
        let request = self.requests.new_id();
        let asked = self.with_calls(now, |calls, ctx| calls.ask_calls(request, devices, ctx));
        asked.then_some(request).ok_or(CommandError::TooManyRequests)
    }

    /// Takes a call over that another device of the same user has with this peer, by a call of our own to the
    /// peer. What becomes of it comes as [`Event::Call`](crate::Event::Call).
    ///
    /// # Errors
    /// As for [`place_call`](Self::place_call), and at a service that does not say who we are.
    pub fn pick_up(
        &mut self,
        now: Instant,
        from: ConnectionId,
        peer: ConnectionId,
        options: PlaceOptions,
    ) -> Result<CallId, PlaceError> {
        self.check_can_call()?;
        self.with_calls(now, |calls, ctx| calls.pick_up(from, peer, &options, ctx))
    }

    /// Lets another device of the same user take a call over, or not, that [asked](crate::Event::HandoverAsked);
    /// without effect when it does not wait for an answer (any more).
    ///
    /// # Errors
    /// When the call has ended.
    pub fn answer_handover(
        &mut self,
        now: Instant,
        call: CallId,
        by: &ConnectionId,
        allow: bool,
    ) -> Result<(), UnknownCall> {
        self.with_calls(now, |calls, ctx| calls.answer_handover(call, by, allow, ctx))
    }
}
