//! One machine under test with what it drives.

use std::{collections::BTreeMap, fmt};

use skapi_rtc_protocol::{CallKey, ConnectionId, UserId};
use skapi_rtc_signaling::{CallEnd, CallEvent, CallId, Event, Instant, Session};

use super::engine::FakeEngine;

/// A node of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}", self.0)
    }
}

/// A machine, its socket and its engines.
#[derive(Debug)]
pub struct Node {
    /// Who runs it.
    pub user: UserId,
    /// The machine.
    pub session: Session,
    /// What its application was told, and when.
    pub events: Vec<(Instant, Event)>,
    /// The connection it has now.
    pub cid: Option<ConnectionId>,
    /// Which socket it has now, or had last.
    pub(crate) socket: u64,
    /// When its process has died.
    pub died: Option<Instant>,
    pub(crate) engines: BTreeMap<CallId, FakeEngine>,
    /// Under which key each call is known on the wire, as far as seen; a call that gave way under glare
    /// has the winner's.
    pub(crate) keys: BTreeMap<CallId, CallKey>,
}

impl Node {
    pub(crate) fn new(user: UserId, session: Session) -> Self {
        Self {
            user,
            session,
            events: Vec::new(),
            cid: None,
            socket: 0,
            died: None,
            engines: BTreeMap::new(),
            keys: BTreeMap::new(),
        }
    }

    /// Whether this node has, or had, this connection.
    pub fn was_connected_as(&self, cid: &ConnectionId) -> bool {
        self.events.iter().any(|(_, event)| {
            matches!(event, Event::Connected { ready: Some(ready), .. } if ready.cid == *cid)
        })
    }

    /// What this node's application was told about a call.
    pub fn of_call(&self, call: CallId) -> impl Iterator<Item = (Instant, &CallEvent)> {
        self.events.iter().filter_map(move |(at, event)| match event {
            Event::Call { call: of, event } if *of == call => Some((*at, event)),
            _ => None,
        })
    }

    /// How a call ended, every time it was said to have.
    pub fn ends(&self, call: CallId) -> Vec<(Instant, CallEnd)> {
        self.of_call(call)
            .filter_map(|(at, event)| match event {
                CallEvent::Ended(end) => Some((at, end.clone())),
                _ => None,
            })
            .collect()
    }

    /// Whether a call was ever up.
    pub fn was_up(&self, call: CallId) -> bool {
        self.of_call(call).any(|(_, event)| *event == CallEvent::Connected)
    }

    /// How many engines have something open or to do.
    pub fn busy_engines(&self) -> usize {
        self.engines.len()
    }

    /// Calls whose name on the wire is known.
    pub fn keys(&self) -> impl Iterator<Item = (CallId, CallKey)> + '_ {
        self.keys.iter().map(|(call, key)| (*call, *key))
    }
}
