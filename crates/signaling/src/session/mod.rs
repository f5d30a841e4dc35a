//! The whole session: inputs and wishes in, outputs out, link, group and calls in between.

mod handover;
mod news;

use skapi_rtc_protocol::{
    ClientFrame, ClientMessage, ConnectionId, DEFAULT_MAX_FRAME_BYTES, GroupName, Json, Ready,
    UserId, encode_client,
};

use crate::{
    CallId, CallInfo, CloseReason, Config, EndReason, Event, Input, Instant, Output, PlaceError,
    PlaceOptions, PlacedUserCall, RequestId, UnknownCall, UserCallId,
    calls::{Calls, Ctx},
    group::{Answers, Group, JoinCtx},
    link::Link,
    outbox::Outbox,
    requests::{Purpose, Requests},
    rng::Rng,
};

/// A wish could not even be tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The session is closed.
    #[error("the session is closed")]
    Closed,
    /// There is no connection to the service now; wait for [`Event::Connected`].
    #[error("there is no connection to the service now: wait until it is back")]
    NotConnected,
    /// No group is joined to post to.
    #[error("no group is joined: join one before posting to it")]
    NotInGroup,
    /// The post is larger than the service takes.
    #[error("the post has {len} bytes with its envelope, the service takes at most {max}")]
    TooLarge {
        /// Its size in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The service has not answered too many requests before.
    #[error("too many requests are unanswered: the service does not keep up")]
    TooManyRequests,
}

/// How much a session holds; all zero when nothing goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Usage {
    /// Calls.
    pub calls: usize,
    /// Entries in the tables that lead to calls.
    pub index: usize,
    /// Requests without an answer.
    pub requests: usize,
    /// Frames that wait for the link.
    pub backlog: usize,
    /// What was said in calls and may have to be said again.
    pub unacknowledged: usize,
}

/// One session with a realtime service.
#[derive(Debug)]
pub struct Session {
    config: Config,
    rng: Rng,
    out: Outbox,
    requests: Requests,
    link: Link,
    own: Option<Ready>,
    group: Group,
    calls: Calls,
}

impl Session {
    /// A session that has not connected yet. The seed decides about jitter and the names of calls: take a
    /// random one, or two sessions may choose alike.
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            config,
            rng: Rng::new(seed),
            out: Outbox::default(),
            requests: Requests::default(),
            link: Link::new(),
            own: None,
            group: Group::default(),
            calls: Calls::default(),
        }
    }

    /// Connects, and from then on stays connected until [`close`](Self::close).
    pub fn connect(&mut self, _now: Instant) {
        self.link.connect(&mut self.out);
    }

    /// Tries a lost link now instead of after the rest of its wait, and gives one that seems alive something to
    /// carry, which shows whether it is. For a driver that learns that the network has come back.
    pub fn try_link_now(&mut self, now: Instant) {
        self.link.try_now(now, &self.config, &mut self.out);
    }

    /// Takes in what happened outside. Never fails: a peer's fault becomes an output.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::LinkUp => self.link.on_up(now, &self.config, &mut self.out),
            Input::LinkDown(loss) => self.on_link_down(now, loss),
            Input::Frame(frame) => self.on_frame(now, frame),
            Input::UnreadableFrame => self.count_frame(),
            Input::RtcDone { op, result } => {
                self.with_calls(now, |calls, ctx| calls.on_rtc_done(op, result, ctx));
            }
            Input::RtcEvent { call, generation, event } => {
                self.with_calls(now, |calls, ctx| calls.on_rtc_event(call, generation, event, ctx));
            }
            Input::Timeout => self.on_timeout(now),
        }
    }

    /// What to do next. Only takes from the queue that the calls before have filled.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop()
    }

    /// When to hand in [`Input::Timeout`], unless something else happens before.
    pub fn next_deadline(&self) -> Option<Instant> {
        [self.link.next_deadline(), self.requests.next_deadline(), self.calls.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Joins a group, leaving the one before; `None` leaves. The wish outlives the link: after a
    /// reconnect the group is joined again. Answered by [`Event::Request`].
    ///
    /// # Errors
    /// When the session is closed.
    pub fn join(
        &mut self,
        now: Instant,
        group: Option<GroupName>,
    ) -> Result<RequestId, CommandError> {
        self.check_open()?;
        let request = self.requests.new_id();
        self.with_group(now, |wanted, ctx| wanted.want(group, request, ctx));
        Ok(request)
    }

    /// Posts to the joined group. Answered by [`Event::Request`].
    ///
    /// # Errors
    /// Without a connection or a group, and when the post is too large.
    pub fn post_to_group(
        &mut self,
        now: Instant,
        content: Json,
    ) -> Result<RequestId, CommandError> {
        self.check_connected()?;
        let group = self.group.current().cloned().ok_or(CommandError::NotInGroup)?;
        self.post(now, content, |message| ClientFrame::Broadcast { group, message })
    }

    /// Posts to every connection of a user. Answered by [`Event::Request`].
    ///
    /// # Errors
    /// Without a connection, and when the post is too large.
    pub fn post_to_user(
        &mut self,
        now: Instant,
        user: UserId,
        content: Json,
    ) -> Result<RequestId, CommandError> {
        self.check_connected()?;
        self.post(now, content, |message| ClientFrame::SendMessage { user, message })
    }

    /// Calls a connection. What becomes of it comes as [`Event::Call`].
    ///
    /// # Errors
    /// When there is no connection to the service, or a call with this connection already.
    pub fn place_call(
        &mut self,
        now: Instant,
        to: ConnectionId,
        options: PlaceOptions,
    ) -> Result<CallId, PlaceError> {
        self.check_can_call()?;
        self.with_calls(now, |calls, ctx| calls.place(to, &options, ctx))
    }

    /// Calls a user: all of these connections ring, and the first that accepts has the call. What becomes of
    /// it comes as [`Event::UserCall`], and what becomes of each leg as [`Event::Call`]. More than 32
    /// connections are not called.
    ///
    /// # Errors
    /// When there is no connection to the service, or none of the user's could be called.
    pub fn place_user_call(
        &mut self,
        now: Instant,
        to: Vec<ConnectionId>,
        options: PlaceOptions,
    ) -> Result<PlacedUserCall, PlaceError> {
        self.check_can_call()?;
        self.with_calls(now, |calls, ctx| calls.place_user_call(to, &options, ctx))
    }

    /// Takes a call to a user back; without effect once it was answered or has ended.
    pub fn cancel_user_call(&mut self, now: Instant, call: UserCallId) {
        self.with_calls(now, |calls, ctx| calls.cancel_user_call(call, ctx));
    }

    /// Accepts a call that rings; without effect on one that was accepted before.
    ///
    /// # Errors
    /// When the call has ended.
    pub fn accept(&mut self, now: Instant, call: CallId) -> Result<(), UnknownCall> {
        self.with_calls(now, |calls, ctx| calls.accept(call, ctx))
    }

    /// Declines a call that rings, as unwanted or as [busy](EndReason::Busy). One that was accepted
    /// before is hung up.
    ///
    /// # Errors
    /// When the call has ended.
    pub fn decline(
        &mut self,
        now: Instant,
        call: CallId,
        reason: EndReason,
    ) -> Result<(), UnknownCall> {
        self.with_calls(now, |calls, ctx| calls.hang_up(call, Some(reason), ctx))
    }

    /// Ends a call: cancels, declines or hangs up, as its phase demands.
    ///
    /// # Errors
    /// When the call has ended.
    pub fn hang_up(&mut self, now: Instant, call: CallId) -> Result<(), UnknownCall> {
        self.with_calls(now, |calls, ctx| calls.hang_up(call, None, ctx))
    }

    /// Ends every call and the link. [`Event::Closed`] is the last event.
    pub fn close(&mut self, now: Instant) {
        self.end(now, CloseReason::Closed);
    }

    /// What the service said about this connection; `None` while there is none, and with a service that
    /// does not greet.
    pub fn own(&self) -> Option<&Ready> {
        self.own.as_ref()
    }

    /// The group that was asked for last.
    pub fn group(&self) -> Option<&GroupName> {
        self.group.current()
    }

    /// What is known about a call that goes on.
    pub fn call(&self, call: CallId) -> Option<CallInfo> {
        self.calls.info(call)
    }

    /// All calls that go on.
    pub fn calls(&self) -> impl Iterator<Item = CallInfo> + '_ {
        self.calls.infos()
    }

    /// How much the session holds.
    pub fn usage(&self) -> Usage {
        let (calls, index) = self.calls.len();
        let requests = self.requests.len() + usize::from(self.group.is_waiting());
        let unacknowledged = self.calls.unacknowledged();
        Usage { calls, index, requests, backlog: self.out.backlog_len(), unacknowledged }
    }

    fn post(
        &mut self,
        now: Instant,
        content: Json,
        frame: impl FnOnce(ClientMessage) -> ClientFrame,
    ) -> Result<RequestId, CommandError> {
        if self.requests.is_full() {
            return Err(CommandError::TooManyRequests);
        }
        let request = self.requests.new_id();
        let reference = if self.own.is_some() {
            self.requests.open(Purpose::Post(request), now, self.config.request_timeout)
        } else {
            None
        };
        let mut message = ClientMessage::new(content);
        message.reference = reference;
        let frame = frame(message);
        if let Err(error) = self.check_size(&frame) {
            reference.and_then(|reference| self.requests.take(reference));
            return Err(error);
        }
        self.out.send(frame);
        if reference.is_none() {
            // The service does not answer: sent is all that can be known.
            self.out.event(Event::Request { request, result: Ok(()) });
        }
        Ok(request)
    }

    fn check_size(&self, frame: &ClientFrame) -> Result<(), CommandError> {
        let max =
            self.own.as_ref().map_or(DEFAULT_MAX_FRAME_BYTES, |own| own.limits.max_frame_bytes);
        let len = encode_client(frame).len();
        if len > max { Err(CommandError::TooLarge { len, max }) } else { Ok(()) }
    }

    fn check_can_call(&self) -> Result<(), PlaceError> {
        if self.link.is_closed() {
            return Err(PlaceError::Closed);
        }
        if self.link.is_up() { Ok(()) } else { Err(PlaceError::NotConnected) }
    }

    fn check_open(&self) -> Result<(), CommandError> {
        if self.link.is_closed() { Err(CommandError::Closed) } else { Ok(()) }
    }

    fn check_connected(&self) -> Result<(), CommandError> {
        self.check_open()?;
        if self.link.is_up() { Ok(()) } else { Err(CommandError::NotConnected) }
    }

    fn with_calls<T>(&mut self, now: Instant, f: impl FnOnce(&mut Calls, &mut Ctx<'_>) -> T) -> T {
        let mut ctx = Ctx {
            now,
            config: &self.config,
            out: &mut self.out,
            requests: &mut self.requests,
            rng: &mut self.rng,
            own: self.own.as_ref(),
            answers: self.own.is_some() && self.link.is_up(),
            link_lost_for: self.link.lost_for(now),
        };
        f(&mut self.calls, &mut ctx)
    }

    fn with_group(&mut self, now: Instant, f: impl FnOnce(&mut Group, JoinCtx<'_>)) {
        let answers = if self.own.is_some() { Answers::Yes } else { Answers::No };
        let ctx = JoinCtx {
            now,
            config: &self.config,
            out: &mut self.out,
            requests: &mut self.requests,
            link: self.link.is_up().then_some(answers),
        };
        f(&mut self.group, ctx);
    }
}
