//! The hub: who is connected, who is in which group, and who gets what.
//!
//! A value without I/O, clock or randomness; time is an argument. Frames go in with the id of the connection
//! they came from; out come [`Delivery`]s, to be [carried out](Hub::deliver) in order.

mod delivery;
mod frames;
mod page;
mod peers;
mod presence;
mod queries;
mod resume;
mod retained;
mod spans;
#[cfg(test)]
mod tests;

use skapi_rtc_protocol::{
    ConnectionId, LinkState, Notice, NoticeCode, UserId,
    http::{GroupEntry, GroupsQuery, Page, UserEntry, UsersQuery},
};

pub use delivery::{Address, Delivery, Receipt};
pub use page::QueryError;
pub(crate) use page::{After, Window, ordered};
use peers::Peers;
use presence::Presence;
use resume::Resumable;
pub use resume::{ResumeLimits, Resumption};
pub(crate) use spans::{name_spans, size_spans};

/// Routes frames between connections.
///
/// ```
/// use skapi_rtc_protocol::{ClientFrame, ConnectionId, UserId};
/// use skapi_rtc_server::{Hub, HubLimits};
///
/// let mut hub = Hub::new(HubLimits::default());
/// let (a, b) = (ConnectionId::new("a")?, ConnectionId::new("b")?);
/// hub.connect(a.clone(), UserId::new("alice")?)?;
/// hub.connect(b.clone(), UserId::new("bob")?)?;
/// let join = ClientFrame::JoinRoom { group: Some("G".parse()?), token: None, reference: None };
/// hub.handle_frame(&a, join.clone());
/// let deliveries = hub.handle_frame(&b, join);
/// let told: Vec<_> = hub.recipients(&deliveries[0].to).collect();
/// assert_eq!(told, [&a]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Hub {
    presence: Presence,
    resumable: Resumable,
    peers: Peers,
    limits: HubLimits,
}

/// How much a hub holds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HubLimits {
    /// Connections in all. Default: 100,000.
    pub max_connections: usize,
    /// Connections of one user. Default: 32.
    pub max_connections_per_user: usize,
    /// Groups that exist at a time. Default: 100,000.
    pub max_groups: usize,
    /// Connections in one group. Default: 10,000.
    pub max_group_size: usize,
    /// What is kept for clients whose socket is lost. Defaults: see [`ResumeLimits`].
    pub resume: ResumeLimits,
}

impl Default for HubLimits {
    fn default() -> Self {
        Self {
            max_connections: 100_000,
            max_connections_per_user: 32,
            max_groups: 100_000,
            max_group_size: 10_000,
            resume: ResumeLimits::default(),
        }
    }
}

/// A connection was not taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The service is full.
    #[error("the service has reached its limit of {max} connections; try again later")]
    ServiceFull {
        /// The limit.
        max: usize,
    },
    /// The user has too many connections.
    #[error("user \"{user}\" has reached the limit of {max} connections; close one first")]
    TooManyOfUser {
        /// The user.
        user: UserId,
        /// The limit.
        max: usize,
    },
    /// There is a connection with this id.
    #[error("the connection id is taken")]
    IdTaken,
}

impl Hub {
    /// A hub with nobody in it.
    pub fn new(limits: HubLimits) -> Self {
        Self {
            presence: Presence::default(),
            resumable: Resumable::default(),
            peers: Peers::default(),
            limits,
        }
    }

    /// Takes a connection in. It is in no group yet.
    ///
    /// # Errors
    /// When a limit is reached or the id is taken.
    pub fn connect(&mut self, cid: ConnectionId, user: UserId) -> Result<(), ConnectError> {
        let limits = &self.limits;
        if self.presence.connections() >= limits.max_connections {
            let max = limits.max_connections;
            return Err(ConnectError::ServiceFull { max });
        }
        if self.presence.connections_of(&user).count() >= limits.max_connections_per_user {
            let max = limits.max_connections_per_user;
            return Err(ConnectError::TooManyOfUser { user, max });
        }
        if self.presence.get(&cid).is_some() {
            return Err(ConnectError::IdTaken);
        }
        self.presence.insert(cid, user);
        Ok(())
    }

    /// Forgets a connection, whether it could be resumed or not, and tells its group and its peers. An
    /// unknown id is ignored.
    pub fn disconnect(&mut self, cid: &ConnectionId) -> Vec<Delivery> {
        let mut deliveries: Vec<_> = self.leave(cid).into_iter().collect();
        deliveries.extend(self.tell_peers(cid, LinkState::Gone));
        self.peers.remove(cid);
        deliveries
    }

    /// Ends a connection, and tells its group.
    fn leave(&mut self, cid: &ConnectionId) -> Option<Delivery> {
        self.resumable.remove(cid);
        let connection = self.presence.remove(cid)?;
        Some(Delivery::notice(Notice {
            code: NoticeCode::UserDisconnected,
            user: connection.user,
            from: cid.clone(),
            group: connection.group?,
        }))
    }

    /// The connections at an address, now. Those of a group come in a fixed order.
    pub fn recipients<'a>(
        &'a self,
        address: &'a Address,
    ) -> Box<dyn Iterator<Item = &'a ConnectionId> + 'a> {
        recipients(&self.presence, address)
    }

    /// Who is in a group, ordered by user and connection.
    ///
    /// # Errors
    /// When the page that is asked for does not exist.
    pub fn users(&self, query: &UsersQuery) -> Result<Page<UserEntry>, QueryError> {
        queries::users(&self.presence, query)
    }

    /// Which groups there are, ordered by what the query compares.
    ///
    /// # Errors
    /// When the page that is asked for does not exist.
    pub fn groups(&self, query: &GroupsQuery) -> Result<Page<GroupEntry>, QueryError> {
        queries::groups(&self.presence, query)
    }

    /// How many connections there are, those without a socket included.
    pub fn connection_count(&self) -> usize {
        self.presence.connections()
    }

    /// How many groups there are.
    pub fn group_count(&self) -> usize {
        self.presence.groups()
    }
}

fn recipients<'a>(
    presence: &'a Presence,
    address: &'a Address,
) -> Box<dyn Iterator<Item = &'a ConnectionId> + 'a> {
    match address {
        Address::Connection(cid) => {
            let known = presence.get(cid).is_some();
            Box::new(known.then_some(cid).into_iter())
        }
        Address::User(user) => Box::new(presence.connections_of(user)),
        Address::Group { name, except } => {
            Box::new(presence.members(name).filter(move |cid| Some(*cid) != except.as_ref()))
        }
    }
}
