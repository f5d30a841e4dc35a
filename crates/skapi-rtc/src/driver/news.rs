//! What the session tells, handed on: as events, as answers to requests, as stages of calls.

use std::sync::Arc;

use skapi_rtc_protocol::{ConnectionId, UserId};
use skapi_rtc_signaling::{self as signaling, CallId, CloseReason, Event};

use super::Driver;
use crate::{
    CallEvent, ConnectError, IncomingCall, PostError, RealtimeEvent,
    call::{CallShared, Lease},
    options::CallOptions,
};

impl Driver {
    pub(super) fn on_event(&mut self, event: Event) {
        let event = match event {
            Event::Connected { ready, again } => {
                self.ready.send_replace(ready.clone());
                if let Some(first) = self.first.take() {
                    let _ = first.send(Ok(()));
                }
                RealtimeEvent::Connected { ready, again }
            }
            Event::Disconnected { reason, retry_in } => {
                self.ready.send_replace(None);
                RealtimeEvent::Disconnected { reason, retry_in }
            }
            Event::Closed(reason) => return self.on_closed(reason),
            Event::Joined(group) => RealtimeEvent::Joined(group),
            Event::Request { request, result } => {
                if let Some(done) = self.requests.remove(&request) {
                    let _ = done.send(result.map_err(PostError::from));
                }
                return;
            }
            Event::Message { post, group } => {
                return self.events.data(RealtimeEvent::Message { post, group });
            }
            Event::Private(post) => return self.events.data(RealtimeEvent::Private(post)),
            Event::Notice(notice) => RealtimeEvent::Notice(notice),
            Event::ServiceError { text, code } => {
                return self.events.data(RealtimeEvent::ServiceError { text, code });
            }
            Event::BadContent { from, error } => {
                let from = Some(from);
                return self.events.data(RealtimeEvent::Unreadable { from, error });
            }
            Event::Incoming { call, from, user } => return self.on_incoming(call, from, user),
            Event::HandoverAsked { call, by, granted } => {
                return self.on_handover_asked(call, by, granted);
            }
            Event::Successor { call, of, from, user } => {
                return self.on_successor(call, of, from, user);
            }
            Event::DeviceCalls { request, calls } => {
                if let Some(at) = self.asks.iter().position(|(of, _)| *of == request) {
                    let (_, done) = self.asks.swap_remove(at);
                    let _ = done.send(Ok(calls));
                }
                return;
            }
            Event::Call { call, event } => return self.on_call_event(call, event),
            Event::UserCall { call, event } => return self.on_user_call_event(call, event),
            _ => return,
        };
        self.events.control(event);
    }

    fn on_incoming(&mut self, call: CallId, from: ConnectionId, user: UserId) {
        let options = CallOptions::default();
        let shared = Arc::new(CallShared::new(call, from, Some(user.clone()), options));
        self.calls.insert(shared.clone());
        match self.handle.upgrade() {
            Some(handle) if !self.events.is_closed() => {
                let incoming = IncomingCall::new(Lease::new(shared, handle), user);
                self.events.control(RealtimeEvent::Incoming(incoming));
            }
            // Nobody is there to answer.
            _ => drop(self.session.hang_up(self.clock.now(), call)),
        }
    }

    fn on_call_event(&mut self, call: CallId, event: signaling::CallEvent) {
        let user = self.session.call(call).and_then(|info| info.user);
        let event = match event {
            signaling::CallEvent::Ringing => CallEvent::Ringing,
            signaling::CallEvent::Accepted => CallEvent::Accepted,
            signaling::CallEvent::Connected => CallEvent::Connected,
            signaling::CallEvent::Reconnecting => CallEvent::Reconnecting,
            signaling::CallEvent::Reconnected => CallEvent::Reconnected,
            signaling::CallEvent::ChangeFailed(error) => CallEvent::ChangeFailed(error),
            signaling::CallEvent::Ended(end) => CallEvent::Ended(end),
            _ => return,
        };
        self.calls.tell(call, event, user);
    }

    fn on_closed(&mut self, reason: CloseReason) {
        self.ready.send_replace(None);
        self.link = None;
        if let Some(first) = self.first.take() {
            let error = self.first_error.take().unwrap_or(ConnectError::Closed);
            let _ = first.send(Err(error));
        }
        self.events.control(RealtimeEvent::Closed(reason));
        self.finished = true;
    }
}
