//! What happened outside, taken in: frames, the link, and time.

use skapi_rtc_protocol::{Notice, NoticeCode, ServerFrame};

use super::Session;
use crate::{
    CloseReason, Event, Instant, LinkLoss, Post, RequestError,
    group::Group,
    link::{Lost, Silence},
    requests::Purpose,
    resume::Continuity,
};

impl Session {
    pub(super) fn on_frame(&mut self, now: Instant, frame: ServerFrame) {
        if !self.out.socket_is_open() {
            return; // of a socket that is gone
        }
        if let ServerFrame::Ready(ready) = frame {
            if self.link.on_frame() {
                let continuity = self.out.resume.on_ready(&ready);
                self.own = Some(ready);
                self.on_greeted(now, continuity);
            } else {
                self.out.resume.on_late_ready(&ready);
                self.own = Some(ready);
            }
            return;
        }
        if self.link.on_frame() {
            self.out.resume.forget();
            self.on_greeted(now, Continuity::Broken);
        }
        self.count_frame();
        match frame {
            ServerFrame::Message { content, user, from, group } => {
                self.out.event(Event::Message { post: Post { content, user, from }, group });
            }
            ServerFrame::Private { content, user, from } => {
                self.out.event(Event::Private(Post { content, user, from }));
            }
            ServerFrame::Rtc { content, user, from } => {
                self.with_calls(now, |calls, ctx| calls.on_rtc_frame(&content, user, from, ctx));
            }
            ServerFrame::Notice(notice) => {
                self.out.event(Event::Notice(notice.clone()));
                let Notice { code, user, from, .. } = notice;
                self.with_calls(now, |calls, ctx| match code {
                    NoticeCode::UserDisconnected => calls.on_peer_disconnected(&from, ctx),
                    NoticeCode::UserJoined => calls.on_joined(&user, &from, ctx),
                    _ => {}
                });
            }
            ServerFrame::Link { state, of } => {
                self.with_calls(now, |calls, ctx| calls.on_peer_link(&of, &state, ctx));
            }
            ServerFrame::Done { reference } => self.on_answer(now, reference, Ok(())),
            ServerFrame::GoingAway(going_away) => {
                self.link.on_going_away(now + going_away.retry_after());
            }
            ServerFrame::Error { text, code, reference: Some(reference) } => {
                self.on_answer(now, reference, Err(RequestError::Refused { text, code }));
            }
            ServerFrame::Error { text, code, reference: None } => {
                self.out.event(Event::ServiceError { text, code });
            }
            _ => {}
        }
    }

    pub(super) fn count_frame(&mut self) {
        if self.out.resume.on_received() {
            self.out.keep_alive();
        }
    }

    /// The service has greeted, or has shown that it does not.
    fn on_greeted(&mut self, now: Instant, continuity: Continuity) {
        self.out.on_greeted();
        if continuity == Continuity::Broken {
            self.on_connection_gone(now);
        }
        let again = self.link.came_again();
        self.out.event(Event::Connected { ready: self.own.clone(), again });
        match continuity {
            Continuity::Seamless => {
                self.out.send_rest();
                self.with_group(now, Group::on_resumed);
            }
            Continuity::Broken => {
                self.with_group(now, Group::on_link_up);
                self.with_calls(now, |calls, ctx| calls.on_link_up(ctx));
            }
        }
        self.out.flush_backlog();
    }

    /// The connection that was is over: no answers come any more, and calls that need it end.
    fn on_connection_gone(&mut self, now: Instant) {
        self.group.on_connection_gone();
        self.settle_all(now, &RequestError::LinkLost);
        self.with_calls(now, |calls, ctx| calls.on_connection_gone(ctx));
    }

    pub(super) fn on_link_down(&mut self, now: Instant, loss: LinkLoss) {
        // A refusal ends the session, but not calls that do not need the service: they go on, and so do
        // the attempts to come back, until the last of them has ended.
        let loss = match loss {
            LinkLoss::Refused { reason } if self.calls.any_is_up() => LinkLoss::lost(reason),
            loss => loss,
        };
        let lost = self.link.on_down(now, loss, &self.config, &mut self.out, &mut self.rng);
        match lost {
            Lost::Nothing => {}
            Lost::Refused(reason) => self.end(now, CloseReason::Refused(reason)),
            Lost::Retry { reason, retry_in } => {
                self.own = None;
                self.out.event(Event::Disconnected { reason, retry_in });
                if !self.out.resume.is_possible() {
                    self.on_connection_gone(now);
                }
            }
        }
    }

    pub(super) fn on_timeout(&mut self, now: Instant) {
        match self.link.on_timeout(now, &self.config, &mut self.out) {
            Silence::None => {}
            Silence::DoesNotGreet => self.on_greeted(now, Continuity::Broken),
            Silence::Dead => {
                // Something is wrong there with the connection that was.
                self.out.resume.forget();
                self.on_link_down(now, LinkLoss::lost("the service did not greet"));
            }
        }
        for purpose in self.requests.take_expired(now) {
            self.settle(now, purpose, Err(RequestError::NoAnswer));
        }
        self.with_calls(now, |calls, ctx| calls.on_timeout(ctx));
    }

    fn on_answer(&mut self, now: Instant, reference: u32, result: Result<(), RequestError>) {
        self.out.resume.on_answered(reference);
        if let Some(purpose) = self.requests.take(reference) {
            self.settle(now, purpose, result);
        }
    }

    fn settle(&mut self, now: Instant, purpose: Purpose, result: Result<(), RequestError>) {
        match purpose {
            Purpose::Join(group, request) => {
                self.group.on_answer(group, request, result, &mut self.out);
            }
            Purpose::Post(request) => self.out.event(Event::Request { request, result }),
            Purpose::Reach(call) => {
                self.with_calls(now, |calls, ctx| calls.on_reached(call, result, ctx));
            }
        }
    }

    fn settle_all(&mut self, now: Instant, error: &RequestError) {
        for purpose in self.requests.take_all() {
            self.settle(now, purpose, Err(error.clone()));
        }
    }

    pub(super) fn end(&mut self, now: Instant, reason: CloseReason) {
        if self.link.is_closed() && matches!(reason, CloseReason::Closed) {
            return;
        }
        self.with_calls(now, |calls, ctx| calls.close(ctx));
        self.settle_all(now, &RequestError::Closed);
        self.group.close(&mut self.out);
        if self.out.socket_is_open() {
            self.out.flush_backlog();
        }
        self.out.drop_backlog();
        self.link.close(&mut self.out);
        self.out.event(Event::Closed(reason));
    }
}
