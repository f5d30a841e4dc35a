//! The joined group: what the user wants, what the service has confirmed, and getting from one to the
//! other, also after a reconnect.

use skapi_rtc_protocol::{ClientFrame, GroupName};

use crate::{
    Config, Event, Instant, RequestError, RequestId,
    outbox::Outbox,
    requests::{Purpose, Requests},
};

#[derive(Debug, Default)]
pub(crate) struct Group {
    wanted: Option<GroupName>,
    confirmed: Option<GroupName>,
    /// The application's request that has not been answered.
    waiting: Option<RequestId>,
    /// The service has not been asked for what is wanted, because there was no link.
    unasked: bool,
}

/// What joining needs from its surroundings.
pub(crate) struct JoinCtx<'a> {
    pub(crate) now: Instant,
    pub(crate) config: &'a Config,
    pub(crate) out: &'a mut Outbox,
    pub(crate) requests: &'a mut Requests,
    /// The link is up, and the service has greeted us (so it answers) or not (so it does not).
    pub(crate) link: Option<Answers>,
}

/// Whether the service answers requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    Yes,
    No,
}

impl Group {
    /// Wants a group, or none; the latest wish counts.
    pub(crate) fn want(&mut self, group: Option<GroupName>, request: RequestId, ctx: JoinCtx<'_>) {
        if let Some(earlier) = self.waiting.replace(request) {
            answer(ctx.out, earlier, Err(RequestError::Superseded));
        }
        self.wanted = group;
        self.ask(ctx);
    }

    /// A new link is up: the service has this connection in no group.
    pub(crate) fn on_link_up(&mut self, ctx: JoinCtx<'_>) {
        if self.wanted.is_some() {
            self.ask(ctx);
        } else if self.waiting.is_some() {
            self.confirm(None, true, ctx.out);
        }
    }

    /// The same connection goes on: the service has it in the group that it was asked for last.
    pub(crate) fn on_resumed(&mut self, ctx: JoinCtx<'_>) {
        if self.unasked {
            self.ask(ctx);
        }
    }

    pub(crate) fn on_connection_gone(&mut self) {
        self.confirmed = None;
    }

    pub(crate) fn on_answer(
        &mut self,
        group: Option<GroupName>,
        request: Option<RequestId>,
        result: Result<(), RequestError>,
        out: &mut Outbox,
    ) {
        let current = group == self.wanted && request == self.waiting;
        match result {
            Ok(()) => self.confirm(group, current, out),
            // The next link tries again.
            Err(RequestError::LinkLost) => {}
            Err(error) if current => self.on_failure(error, out),
            // The wish that came later will be answered.
            Err(_) => {}
        }
    }

    fn on_failure(&mut self, error: RequestError, out: &mut Outbox) {
        let refused = matches!(error, RequestError::Refused { .. });
        if refused {
            self.wanted = self.confirmed.clone();
        }
        match (self.waiting.take(), error) {
            (Some(request), error) => answer(out, request, Err(error)),
            // Nobody waits for it after a reconnect, but the application believes to be in the group.
            (None, RequestError::Refused { text, code }) => {
                out.event(Event::ServiceError { text, code });
                out.event(Event::Joined(self.confirmed.clone()));
            }
            (None, _) => {}
        }
    }

    pub(crate) fn close(&mut self, out: &mut Outbox) {
        self.wanted = None;
        self.confirmed = None;
        if let Some(request) = self.waiting.take() {
            answer(out, request, Err(RequestError::Closed));
        }
    }

    /// The group to post to: the one that was asked for last, confirmed or on its way.
    pub(crate) fn current(&self) -> Option<&GroupName> {
        self.wanted.as_ref()
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    fn ask(&mut self, ctx: JoinCtx<'_>) {
        self.unasked = ctx.link.is_none();
        let Some(answers) = ctx.link else { return };
        let group = self.wanted.clone();
        let reference = match answers {
            Answers::Yes => ctx.requests.open(
                Purpose::Join(group.clone(), self.waiting),
                ctx.now,
                ctx.config.request_timeout,
            ),
            Answers::No => None,
        };
        ctx.out.send(ClientFrame::JoinRoom { group: group.clone(), token: None, reference });
        if reference.is_none() {
            self.confirm(group, true, ctx.out);
        }
    }

    /// The service has us in this group; that may be the one before the one that is wanted now.
    fn confirm(&mut self, group: Option<GroupName>, current: bool, out: &mut Outbox) {
        self.confirmed = group.clone();
        out.event(Event::Joined(group));
        if current && let Some(request) = self.waiting.take() {
            answer(out, request, Ok(()));
        }
    }
}

fn answer(out: &mut Outbox, request: RequestId, result: Result<(), RequestError>) {
    out.event(Event::Request { request, result });
}
