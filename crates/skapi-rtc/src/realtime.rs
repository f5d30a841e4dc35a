//! The session as the application holds it.

use std::sync::{Arc, Weak};

use serde::Serialize;
use skapi_rtc_protocol::{
    ConnectionId, GroupName, Json, Ready, UserId,
    http::{
        Condition, GroupEntry, GroupFilter, GroupQuery, GroupsQuery, Matcher, Page, PageRequest,
        StartKey, UserEntry, UsersQuery,
    },
};
use skapi_rtc_signaling::{PlaceError, Session};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    AskError, ConnectError, ConnectOptions, OutgoingCall, OutgoingUserCall, PlaceUserError,
    PostError, QueryError, RealtimeEvents,
    driver::{Command, Driver, DriverInput, Parts},
    events::EventPort,
    options::CallOptions,
    runtime,
    token::Tokens,
    transport::Transport,
};

/// Wishes and news that wait for the driver.
const MAX_INPUTS: usize = 1024;
/// Entries that [`Realtime::realtime_users`] and [`Realtime::realtime_groups`] gather at most.
const MAX_LISTED: usize = 100_000;
/// Pages that they ask for at most, since pages can be empty.
const MAX_PAGES: usize = 10_000;

/// Connects to a realtime service: `skapi.connectRealtime`. Gives the session and its events.
///
/// From then on the session stays connected: a lost link is tried again with growing waits, the group is
/// joined again, and calls that are up go on meanwhile.
///
/// # Errors
/// When the first attempt fails, unless [`ConnectOptions::retry_first`] is set.
pub async fn connect_realtime(
    options: ConnectOptions,
) -> Result<(Realtime, RealtimeEvents), ConnectError> {
    options.session.validate()?;
    let transport = match &options.transport {
        Some(transport) => transport.clone(),
        None => default_transport()?,
    };
    let backend = options.backend.clone().or_else(default_backend);
    let seed = options.seed.unwrap_or_else(runtime::random_seed);
    let (port, events) = EventPort::new(options.event_capacity);
    let (input_sender, inputs) = mpsc::channel(MAX_INPUTS);
    let (ready_sender, ready) = watch::channel(None);
    let (first, connected) = oneshot::channel();
    let handle = Handle(Arc::new(Hold { inputs: input_sender.clone() }));
    let realtime = Realtime {
        inner: Arc::new(Inner {
            handle: handle.clone(),
            ready,
            endpoint: options.endpoint.clone(),
            tokens: options.tokens.clone(),
            transport: transport.clone(),
            service: options.service,
            owner: options.owner,
        }),
    };
    let driver = Driver::new(Parts {
        session: Session::new(options.session, seed),
        endpoint: options.endpoint,
        tokens: options.tokens,
        transport,
        backend,
        policy: options.transport_policy,
        events: port,
        inputs,
        input_sender,
        handle: handle.downgrade(),
        ready: ready_sender,
        first,
        retry_first: options.retry_first,
    });
    runtime::spawn(driver.run());
    connected.await.unwrap_or(Err(ConnectError::Closed))?;
    Ok((realtime, events))
}

/// A session with a realtime service. Clones are handles of the same session.
///
/// When the last handle goes, and the last of its calls, the session is closed in the background;
/// [`close_realtime`](Self::close_realtime) closes it and waits.
#[derive(Debug, Clone)]
pub struct Realtime {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    handle: Handle,
    ready: watch::Receiver<Option<Ready>>,
    endpoint: crate::Endpoint,
    tokens: Tokens,
    transport: Arc<dyn Transport>,
    service: String,
    owner: String,
}

/// Whom a post is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// Everybody in the joined group, the sender included.
    Group,
    /// Every connection of a user.
    User(UserId),
}

impl From<UserId> for Recipient {
    fn from(user: UserId) -> Self {
        Self::User(user)
    }
}

impl Realtime {
    /// This connection's own id; `None` while there is no connection, and with a service that does not
    /// greet.
    pub fn cid(&self) -> Option<ConnectionId> {
        self.inner.ready.borrow().as_ref().map(|ready| ready.cid.clone())
    }

    /// Who the service says we are; `None` as for [`cid`](Self::cid).
    pub fn user_id(&self) -> Option<UserId> {
        self.inner.ready.borrow().as_ref().map(|ready| ready.user_id.clone())
    }

    /// Joins a group, leaving the one before: `skapi.joinRealtime({group})`. After a reconnect the group
    /// is joined again. While the link is down, this waits until it is back.
    ///
    /// # Errors
    /// When the service refuses, or does not answer.
    pub async fn join_realtime(&self, group: GroupName) -> Result<(), PostError> {
        self.ask(|done| Command::Join { group: Some(group), done }).await
    }

    /// Leaves the group: `skapi.joinRealtime({group: null})`.
    ///
    /// # Errors
    /// When the service does not answer.
    pub async fn leave_realtime(&self) -> Result<(), PostError> {
        self.ask(|done| Command::Join { group: None, done }).await
    }

    /// Posts to the joined group or to a user: `skapi.postRealtime`. Anything that serde can write as
    /// JSON can be posted, up to the service's limit (128 KiB by default).
    ///
    /// # Errors
    /// Without a connection or a group, when the post is too large, or when the service refuses it.
    pub async fn post_realtime(
        &self,
        to: impl Into<Recipient>,
        content: &(impl Serialize + ?Sized),
    ) -> Result<(), PostError> {
        let content =
            Json::from_serialize(content).map_err(|error| PostError::Content(error.to_string()))?;
        match to.into() {
            Recipient::Group => self.ask(|done| Command::PostToGroup { content, done }).await,
            Recipient::User(user) => {
                self.ask(|done| Command::PostToUser { user, content, done }).await
            }
        }
    }

    /// Everybody in a group: `skapi.getRealtimeUsers({group})`, all pages of it, but no further than
    /// 100,000 entries; [`realtime_users_page`](Self::realtime_users_page) has no such end.
    ///
    /// # Errors
    /// When the service cannot be reached or refuses.
    pub async fn realtime_users(&self, group: GroupName) -> Result<Vec<UserEntry>, AskError> {
        self.all_pages(|page| {
            GroupQuery::Users(UsersQuery { group: group.clone(), user: None, page })
        })
        .await
    }

    /// One page of a group's members, maybe of one user's connections only.
    ///
    /// # Errors
    /// When the service cannot be reached or refuses.
    pub async fn realtime_users_page(
        &self,
        query: UsersQuery,
    ) -> Result<Page<UserEntry>, AskError> {
        self.page(GroupQuery::Users(query)).await
    }

    /// All groups: `skapi.getRealtimeGroups()`, all pages of it, but no further than 100,000 entries;
    /// [`realtime_groups_page`](Self::realtime_groups_page) has no such end.
    ///
    /// # Errors
    /// When the service cannot be reached or refuses.
    pub async fn realtime_groups(&self) -> Result<Vec<GroupEntry>, AskError> {
        let filter = GroupFilter::Users(Matcher::Compare(Condition::Gt, 0.0));
        self.all_pages(|page| GroupQuery::Groups(GroupsQuery { filter: filter.clone(), page }))
            .await
    }

    /// One page of the groups that fit a condition.
    ///
    /// # Errors
    /// When the service cannot be reached or refuses.
    pub async fn realtime_groups_page(
        &self,
        query: GroupsQuery,
    ) -> Result<Page<GroupEntry>, AskError> {
        self.page(GroupQuery::Groups(query)).await
    }

    /// Calls a connection: `skapi.connectRTC({cid})`. Await what it gives for the [`Call`](crate::Call).
    ///
    /// # Errors
    /// When there is no connection to the service, or a call with this connection already.
    pub async fn connect_rtc(
        &self,
        to: ConnectionId,
        options: CallOptions,
    ) -> Result<OutgoingCall, PlaceError> {
        let handle = &self.inner.handle;
        let (done, placed) = oneshot::channel();
        handle.send_waiting(Command::Place { to, options, done }).await;
        let lease = placed.await.unwrap_or(Err(PlaceError::Closed))?;
        Ok(OutgoingCall::new(lease))
    }

    /// Calls a user: all of the user's connections in this group ring, and the first that accepts has the
    /// call; the others end as [answered elsewhere](crate::EndReason::AnsweredElsewhere). A user may call
    /// its own other devices. Await what it gives for the [`Call`](crate::Call).
    ///
    /// # Errors
    /// When the user has no connection there, or the service cannot be asked.
    pub async fn connect_rtc_user(
        &self,
        user: UserId,
        group: GroupName,
        options: CallOptions,
    ) -> Result<OutgoingUserCall, PlaceUserError> {
        let entries: Vec<UserEntry> = self
            .all_pages(|page| {
                let (group, user) = (group.clone(), Some(user.clone()));
                GroupQuery::Users(UsersQuery { group, user, page })
            })
            .await?;
        let own = self.cid();
        let connections = entries.into_iter().map(|entry| entry.cid);
        let to: Vec<_> = connections.filter(|cid| Some(cid) != own.as_ref()).collect();
        if to.is_empty() {
            return Err(PlaceUserError::NotThere { user, group });
        }
        let (done, placed) = oneshot::channel();
        self.inner.handle.send_waiting(Command::PlaceUser { to, options, done }).await;
        let placed = placed.await.unwrap_or(Err(PlaceError::Closed))?;
        Ok(OutgoingUserCall::new(user, placed))
    }

    /// Hangs up every call and closes the session: `skapi.closeRealtime()`. Returns when sockets and
    /// tasks are gone.
    pub async fn close_realtime(&self) {
        let (done, closed) = oneshot::channel();
        self.inner.handle.send_waiting(Command::Close { done: Some(done) }).await;
        // An error says that the driver has ended before, which is what was wanted.
        let _ = closed.await;
    }

    async fn ask(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<(), PostError>>) -> Command,
    ) -> Result<(), PostError> {
        let (done, answer) = oneshot::channel();
        self.inner.handle.send_waiting(command(done)).await;
        let closed = || PostError::Command(skapi_rtc_signaling::CommandError::Closed);
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.inner.handle
    }

    pub(crate) async fn all_pages<T: serde::de::DeserializeOwned>(
        &self,
        query: impl Fn(PageRequest) -> GroupQuery,
    ) -> Result<Vec<T>, AskError> {
        let mut list = Vec::new();
        let mut page = PageRequest::default();
        for _ in 0..MAX_PAGES {
            let answer: Page<T> = self.page(query(page)).await?;
            list.extend(answer.list);
            match answer.start_key {
                StartKey::Next(key) if !answer.end_of_list && list.len() < MAX_LISTED => {
                    page = PageRequest { start_key: Some(key), ..PageRequest::default() };
                }
                _ => break,
            }
        }
        Ok(list)
    }

    async fn page<T: serde::de::DeserializeOwned>(
        &self,
        query: GroupQuery,
    ) -> Result<Page<T>, AskError> {
        let inner = &self.inner;
        let token = inner.tokens.get().await?;
        let body = query.encode(&inner.service, &inner.owner);
        let answer = inner.transport.query(&inner.endpoint, &token, "get-ws-group", body).await?;
        serde_json::from_str(&answer)
            .map_err(|error| QueryError::BadAnswer(error.to_string()).into())
    }
}

/// What keeps a session open: held by the session's handles and by those of its calls.
#[derive(Debug, Clone)]
pub(crate) struct Handle(Arc<Hold>);

/// The driver's own handle, which keeps nothing open.
#[derive(Debug)]
pub(crate) struct WeakHandle(Weak<Hold>);

#[derive(Debug)]
struct Hold {
    inputs: mpsc::Sender<DriverInput>,
}

impl Handle {
    /// Sends a command from where nothing can wait.
    pub(crate) fn send(&self, command: Command) {
        send_somehow(&self.0.inputs, command);
    }

    /// Sends a command, waiting for room. A driver that has ended drops it.
    pub(crate) async fn send_waiting(&self, command: Command) {
        let _ = self.0.inputs.send(DriverInput::Command(command)).await;
    }

    fn downgrade(&self) -> WeakHandle {
        WeakHandle(Arc::downgrade(&self.0))
    }
}

impl WeakHandle {
    pub(crate) fn upgrade(&self) -> Option<Handle> {
        self.0.upgrade().map(Handle)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        send_somehow(&self.inputs, Command::Close { done: None });
    }
}

fn send_somehow(inputs: &mpsc::Sender<DriverInput>, command: Command) {
    let full = inputs.try_send(DriverInput::Command(command));
    if let Err(mpsc::error::TrySendError::Full(input)) = full
        && runtime::is_running()
    {
        let inputs = inputs.clone();
        runtime::spawn(async move {
            let _ = inputs.send(input).await;
        });
    }
}

#[cfg(feature = "websocket")]
fn default_transport() -> Result<Arc<dyn Transport>, ConnectError> {
    Ok(Arc::new(crate::transport::WebSocketTransport::new()))
}

#[cfg(not(feature = "websocket"))]
fn default_transport() -> Result<Arc<dyn Transport>, ConnectError> {
    Err(ConnectError::NoTransport)
}

fn default_backend() -> Option<Arc<dyn skapi_rtc_backend::Backend>> {
    #[cfg(all(feature = "webrtc", not(target_arch = "wasm32")))]
    return Some(Arc::new(skapi_rtc_backend_webrtc::WebRtcBackend::default()));
    #[cfg(all(feature = "web", target_arch = "wasm32"))]
    return Some(Arc::new(skapi_rtc_backend_web::WebBackend::default()));
    #[cfg(not(any(
        all(feature = "webrtc", not(target_arch = "wasm32")),
        all(feature = "web", target_arch = "wasm32")
    )))]
    None
}
