//! What is known about users: what their tokens said. Bounded; whoever was not seen for the longest time
//! is forgotten first.

use std::{
    collections::{BTreeSet, HashMap},
    ops::RangeBounds as _,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use skapi_rtc_protocol::{
    UserId,
    http::{Page, PageRequest, Profile, ProfileFilter, ProfilesQuery, StartKey},
};

use crate::{
    auth::Identity,
    hub::{After, QueryError, Window, name_spans, ordered, size_spans},
};

/// The users that were seen, with an index for each way to ask.
#[derive(Debug)]
pub(crate) struct Directory {
    max: usize,
    users: HashMap<UserId, Known>,
    /// By the order in which they were seen last.
    by_age: BTreeSet<(u64, UserId)>,
    by_name: BTreeSet<(String, UserId)>,
    by_time: BTreeSet<(u64, UserId)>,
    sightings: u64,
}

#[derive(Debug)]
struct Known {
    profile: Profile,
    sighting: u64,
}

/// Where a page ended.
#[derive(Serialize, Deserialize)]
struct Key<T> {
    value: T,
    user: UserId,
}

impl Directory {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            users: HashMap::new(),
            by_age: BTreeSet::new(),
            by_name: BTreeSet::new(),
            by_time: BTreeSet::new(),
            sightings: 0,
        }
    }

    /// A token was shown at this time, in milliseconds since 1970. What it does not say is kept: an access
    /// token may know less than an id token.
    pub(crate) fn seen(&mut self, identity: &Identity, now: u64) {
        self.sightings += 1;
        let user = &identity.user;
        let mut profile = match self.forget(user) {
            Some(profile) => profile,
            None => {
                Profile { user_id: user.clone(), name: None, picture: None, timestamp: now, log: 0 }
            }
        };
        profile.log = now / 1000;
        profile.name = identity.name.clone().or(profile.name);
        profile.picture = identity.picture.clone().or(profile.picture);
        if self.users.len() >= self.max
            && let Some((_, oldest)) = self.by_age.first().cloned()
        {
            self.forget(&oldest);
        }
        self.by_age.insert((self.sightings, user.clone()));
        self.by_time.insert((profile.timestamp, user.clone()));
        if let Some(name) = &profile.name {
            self.by_name.insert((name.clone(), user.clone()));
        }
        self.users.insert(user.clone(), Known { profile, sighting: self.sightings });
    }

    pub(crate) fn find(&self, query: &ProfilesQuery) -> Result<Page<Profile>, QueryError> {
        match &query.filter {
            ProfileFilter::Ids(ids) => {
                let known = ids.iter().filter(|id| self.users.contains_key(*id));
                let found: BTreeSet<_> = known.map(|id| ((), id.clone())).collect();
                self.page(&found, |()| true, &query.page)
            }
            ProfileFilter::Name(matcher) => {
                let spans = name_spans(matcher);
                let holds = |name: &String| spans.iter().any(|span| span.contains(name));
                self.page(&self.by_name, holds, &query.page)
            }
            ProfileFilter::Timestamp(matcher) => {
                let spans = size_spans(matcher);
                let holds =
                    |time: &u64| spans.iter().any(|(low, high)| (low..=high).contains(&time));
                self.page(&self.by_time, holds, &query.page)
            }
        }
    }

    fn page<T: Clone + Ord + Serialize + DeserializeOwned>(
        &self,
        index: &BTreeSet<(T, UserId)>,
        holds: impl Fn(&T) -> bool,
        request: &PageRequest,
    ) -> Result<Page<Profile>, QueryError> {
        let window = Window::<Key<T>>::read(request)?;
        let after = match &window.after {
            After::Start => None,
            After::Key(key) => Some((key.value.clone(), key.user.clone())),
            After::End => {
                return Ok(Page { list: Vec::new(), start_key: StartKey::End, end_of_list: true });
            }
        };
        let follows = |entry: &&(T, UserId)| match &after {
            None => true,
            Some(after) if window.ascending => *entry > after,
            Some(after) => *entry < after,
        };
        let entries = ordered(index.iter(), window.ascending)
            .filter(follows)
            .filter(|(value, _)| holds(value));
        let page =
            window.page(entries, |(value, user)| Key { value: value.clone(), user: user.clone() });
        let profile = |(_, user): &(T, UserId)| self.users.get(user).map(|u| u.profile.clone());
        Ok(Page {
            list: page.list.into_iter().filter_map(profile).collect(),
            start_key: page.start_key,
            end_of_list: page.end_of_list,
        })
    }

    fn forget(&mut self, user: &UserId) -> Option<Profile> {
        let Known { profile, sighting } = self.users.remove(user)?;
        self.by_age.remove(&(sighting, user.clone()));
        self.by_time.remove(&(profile.timestamp, user.clone()));
        if let Some(name) = &profile.name {
            self.by_name.remove(&(name.clone(), user.clone()));
        }
        Some(profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(user: &str, name: &str) -> Identity {
        Identity::new(UserId::new(user).unwrap()).name(name)
    }

    fn directory() -> Directory {
        let mut directory = Directory::new(3);
        directory.seen(&identity("a", "Alice"), 1000);
        directory.seen(&identity("b", "Bob"), 2000);
        directory.seen(&identity("c", "Alina"), 3000);
        directory
    }

    fn find(directory: &Directory, body: &str) -> Page<Profile> {
        directory.find(&ProfilesQuery::decode(body).unwrap()).unwrap()
    }

    #[track_caller]
    fn assert_found(directory: &Directory, body: &str, users: &[&str]) {
        let page = find(directory, body);
        let found: Vec<_> = page.list.iter().map(|profile| profile.user_id.as_str()).collect();
        assert_eq!(found, users, "{body}");
    }

    #[test]
    fn users_are_found_by_id_name_and_time() {
        let directory = directory();
        assert_found(&directory, r#"{"searchFor":"user_id","value":"b"}"#, &["b"]);
        assert_found(
            &directory,
            r#"{"searchFor":"user_id","value":["c","x","a","a"]}"#,
            &["a", "c"],
        );
        assert_found(&directory, r#"{"searchFor":"name","value":"Bob"}"#, &["b"]);
        let starts = r#"{"searchFor":"name","value":"Al","condition":">="}"#;
        assert_found(&directory, starts, &["a", "c"]);
        let latest =
            r#"{"searchFor":"timestamp","value":0,"condition":">","ascending":false,"limit":2}"#;
        assert_found(&directory, latest, &["c", "b"]);
        assert_found(
            &directory,
            r#"{"searchFor":"timestamp","value":1000,"range":2000}"#,
            &["a", "b"],
        );
    }

    #[test]
    fn pages_follow_one_another_to_the_end() {
        let directory = directory();
        for search in [
            r#""searchFor":"user_id","value":["a","b","c"]"#,
            r#""searchFor":"name","value":" ","condition":">""#,
        ] {
            let mut found = Vec::new();
            let mut start = String::new();
            loop {
                let page = find(&directory, &format!("{{{search},\"limit\":1{start}}}"));
                found.extend(page.list.iter().map(|profile| profile.user_id.to_string()));
                assert_eq!(page.end_of_list, page.start_key == StartKey::End);
                match page.start_key {
                    StartKey::Next(key) => start = format!(",\"startKey\":{key}"),
                    StartKey::End => break,
                }
            }
            found.sort();
            assert_eq!(found, ["a", "b", "c"], "{search}");
        }
        let past_the_end = r#"{"searchFor":"name","value":"Bob","startKey":"end"}"#;
        assert_found(&directory, past_the_end, &[]);
    }

    #[test]
    fn who_was_not_seen_for_long_is_forgotten_first() {
        let mut directory = directory();
        directory.seen(&identity("a", ""), 4000);
        directory.seen(&identity("d", "Dora"), 5000);
        assert_eq!(directory.users.len(), 3);
        let all = r#"{"searchFor":"timestamp","value":0,"condition":">"}"#;
        assert_found(&directory, all, &["a", "c", "d"]);
        let page = find(&directory, r#"{"searchFor":"user_id","value":"a"}"#);
        let alice = &page.list[0];
        assert_eq!((alice.timestamp, alice.log), (1000, 4), "first and last sight");
        assert_eq!(alice.name.as_deref(), Some("Alice"), "a token without a name takes none away");
        assert_eq!(directory.by_age.len(), 3);
        assert_eq!(directory.by_name.len(), 3);
        assert_eq!(directory.by_time.len(), 3);
    }
}
