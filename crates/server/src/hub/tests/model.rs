//! Random operations on the hub, next to a model that is too simple to be wrong: a list of connections.

use proptest::prelude::*;
use skapi_rtc_protocol::http::{
    Condition, GroupFilter, GroupsQuery, Matcher, PageRequest, UsersQuery,
};

use super::*;

const CONNECTIONS: [&str; 7] = ["a1", "a2", "a3", "b1", "b2", "c1", "d1"];
const GROUPS: [&str; 4] = ["G", "H", "I", "100%"];
const MAX_OF_USER: usize = 2;
const MAX_GROUPS: usize = 3;
const MAX_GROUP_SIZE: usize = 3;

#[derive(Debug, Clone)]
enum Op {
    Connect(usize),
    Disconnect(usize),
    Join(usize, Option<usize>),
    Broadcast(usize, usize),
    Private(usize, usize),
    Rtc(usize, usize),
}

fn op() -> impl Strategy<Value = Op> {
    let who = || 0..CONNECTIONS.len();
    let group = || 0..GROUPS.len();
    prop_oneof![
        3 => who().prop_map(Op::Connect),
        1 => who().prop_map(Op::Disconnect),
        4 => (who(), proptest::option::weighted(0.8, group())).prop_map(|(c, g)| Op::Join(c, g)),
        3 => (who(), group()).prop_map(|(c, g)| Op::Broadcast(c, g)),
        2 => (who(), who()).prop_map(|(a, b)| Op::Private(a, b)),
        2 => (who(), who()).prop_map(|(a, b)| Op::Rtc(a, b)),
    ]
}

/// Who is connected, and in which group.
#[derive(Default)]
struct Model(Vec<(&'static str, Option<&'static str>)>);

impl Model {
    fn group_of(&self, who: &str) -> Option<&'static str> {
        self.0.iter().find(|(c, _)| *c == who)?.1
    }

    fn connected(&self, who: &str) -> bool {
        self.0.iter().any(|(c, _)| *c == who)
    }

    fn of_user(&self, user: &UserId) -> Vec<&'static str> {
        let of_user = self.0.iter().filter(|(c, _)| user_of(c) == *user);
        of_user.map(|(c, _)| *c).collect()
    }

    fn members(&self, group: &str) -> Vec<&'static str> {
        let members = self.0.iter().filter(|(_, g)| *g == Some(group));
        members.map(|(c, _)| *c).collect()
    }

    fn groups(&self) -> Vec<(&'static str, u64)> {
        let size = |group: &&'static str| (*group, self.members(group).len() as u64);
        GROUPS.iter().map(size).filter(|(_, n)| *n > 0).collect()
    }

    fn set(&mut self, who: &str, group: Option<&'static str>) {
        for (connection, current) in &mut self.0 {
            if *connection == who {
                *current = group;
            }
        }
    }

    /// Does it; returns what is heard.
    fn apply(&mut self, op: &Op) -> Vec<String> {
        let mut heard = match *op {
            Op::Connect(who) => {
                let who = CONNECTIONS[who];
                if !self.connected(who) && self.of_user(&user_of(who)).len() < MAX_OF_USER {
                    self.0.push((who, None));
                }
                Vec::new()
            }
            Op::Disconnect(who) => {
                let who = CONNECTIONS[who];
                let group = self.group_of(who);
                self.0.retain(|(c, _)| *c != who);
                self.notices("USER_DISCONNECTED", who, group)
            }
            Op::Join(who, _) | Op::Broadcast(who, _) | Op::Private(who, _) | Op::Rtc(who, _)
                if !self.connected(CONNECTIONS[who]) =>
            {
                Vec::new()
            }
            Op::Join(who, group) => self.join(CONNECTIONS[who], group.map(|g| GROUPS[g])),
            Op::Broadcast(who, group) => {
                let (who, group) = (CONNECTIONS[who], GROUPS[group]);
                if self.group_of(who) == Some(group) {
                    let line = |c| format!("{c}: \"5%\" of {} {who} in {group}", user_of(who));
                    let mut heard: Vec<_> = self.members(group).into_iter().map(line).collect();
                    heard.push(format!("{who}: done 1"));
                    heard
                } else {
                    vec![format!("{who}: NOT_IN_GROUP Some(1)")]
                }
            }
            Op::Private(who, to) => {
                let who = CONNECTIONS[who];
                let to = self.of_user(&user_of(CONNECTIONS[to]));
                let what = format!("private \"5%\" of {} {who}", user_of(who));
                direct(who, &to, &what, "USER_OFFLINE")
            }
            Op::Rtc(who, to) => {
                let (who, to) = (CONNECTIONS[who], CONNECTIONS[to]);
                let to: Vec<_> = self.connected(to).then_some(to).into_iter().collect();
                let what = format!("rtc \"5%\" of {} {who}", user_of(who));
                direct(who, &to, &what, "UNKNOWN_CONNECTION")
            }
        };
        heard.sort();
        heard
    }

    fn join(&mut self, who: &'static str, group: Option<&'static str>) -> Vec<String> {
        let old = self.group_of(who);
        let mut heard = Vec::new();
        if old != group {
            self.set(who, None);
            if let Some(group) = group {
                let full = if self.members(group).len() >= MAX_GROUP_SIZE {
                    Some("GROUP_FULL")
                } else if self.members(group).is_empty() && self.groups().len() >= MAX_GROUPS {
                    Some("TOO_MANY_GROUPS")
                } else {
                    None
                };
                if let Some(code) = full {
                    self.set(who, old);
                    return vec![format!("{who}: {code} Some(1)")];
                }
            }
            heard.extend(self.notices("USER_LEFT", who, old));
            heard.extend(self.notices("USER_JOINED", who, group));
            self.set(who, group);
        }
        heard.push(format!("{who}: done 1"));
        heard
    }

    fn notices(&self, code: &str, who: &str, group: Option<&str>) -> Vec<String> {
        let Some(group) = group else {
            return Vec::new();
        };
        let line = |c| format!("{c}: {code} {who} {group}");
        self.members(group).into_iter().map(line).collect()
    }
}

fn direct(who: &str, to: &[&str], what: &str, otherwise: &str) -> Vec<String> {
    if to.is_empty() {
        return vec![format!("{who}: {otherwise} Some(1)")];
    }
    let mut heard: Vec<_> = to.iter().map(|c| format!("{c}: {what}")).collect();
    heard.push(format!("{who}: done 1"));
    heard
}

fn apply(room: &mut Room, op: &Op) -> Vec<String> {
    match *op {
        Op::Connect(who) => drop(room.try_connect(CONNECTIONS[who])),
        Op::Disconnect(who) => room.disconnect(CONNECTIONS[who]),
        Op::Join(who, group) => {
            room.frame(CONNECTIONS[who], join(group.map(|g| GROUPS[g]), Some(1)));
        }
        Op::Broadcast(who, group) => {
            room.frame(CONNECTIONS[who], broadcast(GROUPS[group], "5%", Some(1)));
        }
        Op::Private(who, to) => {
            let user = user_of(CONNECTIONS[to]);
            room.frame(CONNECTIONS[who], private(user.as_str(), "5%", Some(1)));
        }
        Op::Rtc(who, to) => room.frame(CONNECTIONS[who], rtc(CONNECTIONS[to], "5%", Some(1))),
    }
    room.heard()
}

/// What the queries answer is what the model knows.
fn check_lists(room: &Room, model: &Model) {
    let mut groups = model.groups();
    groups.sort();
    let all = |filter| {
        let query = GroupsQuery { filter, page: PageRequest::default() };
        let page = room.hub.groups(&query).unwrap();
        let entries = page.list.into_iter();
        let entries: Vec<_> = entries.map(|e| (e.group.to_string(), e.connections)).collect();
        entries
    };
    let owned = |list: &[(&str, u64)]| -> Vec<(String, u64)> {
        list.iter().map(|(g, n)| ((*g).to_owned(), *n)).collect()
    };
    let every_name = Matcher::Compare(Condition::Gt, " ".to_owned());
    assert_eq!(all(GroupFilter::Name(every_name)), owned(&groups));
    groups.sort_by_key(|(name, size)| (*size, *name));
    let every_size = Matcher::Compare(Condition::Gt, 0.0);
    assert_eq!(all(GroupFilter::Users(every_size)), owned(&groups));

    for name in GROUPS {
        let page = room.hub.users(&UsersQuery {
            group: group(name),
            user: None,
            page: PageRequest::default(),
        });
        let page = page.unwrap();
        let cids: Vec<_> = page.list.iter().map(|e| e.cid.as_str()).collect();
        let mut members = model.members(name);
        members.sort_unstable();
        assert_eq!(cids, members);
    }
    assert_eq!(room.hub.connection_count(), model.0.len());
    assert_eq!(room.hub.group_count(), groups.len());
}

proptest! {
    #[test]
    fn the_hub_does_what_the_model_does(ops in proptest::collection::vec(op(), 1..80)) {
        let mut room = Room::with(HubLimits {
            max_connections_per_user: MAX_OF_USER,
            max_groups: MAX_GROUPS,
            max_group_size: MAX_GROUP_SIZE,
            ..HubLimits::default()
        });
        let mut model = Model::default();
        for op in &ops {
            prop_assert_eq!(apply(&mut room, op), model.apply(op), "{:?}", op);
            check_lists(&room, &model);
        }
    }

    #[test]
    fn any_key_and_any_span_are_survived(
        names in proptest::collection::vec("[a-c]{1,3}", 0..12),
        a in ".{0,3}",
        b in ".{0,3}",
        key in "[a-c]{1,3}",
        condition in 0..7_usize,
        ascending: bool,
    ) {
        let mut room = Room::new();
        for (n, name) in names.iter().enumerate() {
            room.member(&format!("u{n}"), name);
        }
        let condition = [
            Condition::Gt, Condition::Gte, Condition::Eq,
            Condition::Ne, Condition::Lt, Condition::Lte,
        ].get(condition).copied();
        let matcher = match condition {
            Some(condition) => Matcher::Compare(condition, a.clone()),
            None => Matcher::Range(a.clone(), b.clone()),
        };
        let page = PageRequest {
            limit: Some(1000),
            start_key: Some(Json::from(serde_json::json!({ "group": key.clone() }))),
            ascending: Some(ascending),
        };
        let query = GroupsQuery { filter: GroupFilter::Name(matcher), page };
        let found: Vec<_> = room.hub.groups(&query).unwrap().list;
        let holds = |name: &str| match condition {
            Some(Condition::Gt) => name > a.as_str(),
            Some(Condition::Gte) => name.starts_with(&a),
            Some(Condition::Eq) => name == a,
            Some(Condition::Ne) => name != a,
            Some(Condition::Lt) => name < a.as_str(),
            Some(Condition::Lte) => name <= a.as_str(),
            _ => (a.as_str().min(&b)..=a.as_str().max(&b)).contains(&name),
        };
        let mut expected: Vec<_> = names
            .iter()
            .filter(|name| holds(name))
            .filter(|name| if ascending { **name > key } else { **name < key })
            .collect();
        expected.sort();
        expected.dedup();
        if !ascending {
            expected.reverse();
        }
        let found: Vec<_> = found.iter().map(|entry| entry.group.as_str()).collect();
        prop_assert_eq!(found, expected);
    }
}
