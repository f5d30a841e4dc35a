//! Presence: the connections there are, indexed by user, by group and by the size of groups.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use skapi_rtc_protocol::{ConnectionId, GroupName, UserId};

/// Every index over the same set of connections; only the methods here change them, and always together.
#[derive(Debug, Default)]
pub(super) struct Presence {
    connections: HashMap<ConnectionId, Connection>,
    users: HashMap<UserId, BTreeSet<ConnectionId>>,
    groups: BTreeMap<GroupName, BTreeSet<Member>>,
    /// The groups by size, for queries by number of users.
    sizes: BTreeSet<(u64, GroupName)>,
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) user: UserId,
    pub(super) group: Option<GroupName>,
}

/// One connection in a group, in the order in which lists show them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Member {
    pub(super) user: UserId,
    pub(super) cid: ConnectionId,
}

impl Presence {
    pub(super) fn insert(&mut self, cid: ConnectionId, user: UserId) {
        self.users.entry(user.clone()).or_default().insert(cid.clone());
        self.connections.insert(cid, Connection { user, group: None });
    }

    /// Forgets a connection; returns it as it was, with its group.
    pub(super) fn remove(&mut self, cid: &ConnectionId) -> Option<Connection> {
        let group = self.leave(cid);
        let connection = self.connections.remove(cid)?;
        if let Some(cids) = self.users.get_mut(&connection.user) {
            cids.remove(cid);
            if cids.is_empty() {
                self.users.remove(&connection.user);
            }
        }
        Some(Connection { group, ..connection })
    }

    /// Puts a connection, which is in no group, into one.
    pub(super) fn enter(&mut self, cid: &ConnectionId, group: GroupName) {
        let Some(connection) = self.connections.get_mut(cid) else {
            return;
        };
        debug_assert!(connection.group.is_none(), "one group at a time");
        connection.group = Some(group.clone());
        let member = Member { user: connection.user.clone(), cid: cid.clone() };
        let members = self.groups.entry(group.clone()).or_default();
        let before = members.len() as u64;
        members.insert(member);
        self.resize(group, before, before + 1);
    }

    /// Takes a connection out of its group; returns the group.
    pub(super) fn leave(&mut self, cid: &ConnectionId) -> Option<GroupName> {
        let connection = self.connections.get_mut(cid)?;
        let group = connection.group.take()?;
        let member = Member { user: connection.user.clone(), cid: cid.clone() };
        if let Some(members) = self.groups.get_mut(&group) {
            let before = members.len() as u64;
            members.remove(&member);
            if members.is_empty() {
                self.groups.remove(&group);
            }
            self.resize(group.clone(), before, before - 1);
        }
        Some(group)
    }

    pub(super) fn get(&self, cid: &ConnectionId) -> Option<&Connection> {
        self.connections.get(cid)
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.len()
    }

    pub(super) fn connections_of(&self, user: &UserId) -> impl Iterator<Item = &ConnectionId> {
        self.users.get(user).into_iter().flatten()
    }

    pub(super) fn members(&self, group: &GroupName) -> impl Iterator<Item = &ConnectionId> {
        let members = self.groups.get(group).into_iter().flatten();
        members.map(|member| &member.cid)
    }

    pub(super) fn member_set(&self, group: &GroupName) -> Option<&BTreeSet<Member>> {
        self.groups.get(group)
    }

    pub(super) fn group_size(&self, group: &GroupName) -> usize {
        self.groups.get(group).map_or(0, BTreeSet::len)
    }

    pub(super) fn groups(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn by_name(&self) -> &BTreeMap<GroupName, BTreeSet<Member>> {
        &self.groups
    }

    pub(super) fn by_size(&self) -> &BTreeSet<(u64, GroupName)> {
        &self.sizes
    }

    fn resize(&mut self, group: GroupName, before: u64, after: u64) {
        let mut key = (before, group);
        self.sizes.remove(&key);
        if after > 0 {
            key.0 = after;
            self.sizes.insert(key);
        }
    }
}
