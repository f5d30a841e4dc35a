//! The answers to queries: who is in a group, and which groups there are.
//!
//! Every condition becomes one or two spans of an ordered index, so that a page costs what it holds and
//! not what there is.

use std::ops::Bound::{self, Excluded, Included, Unbounded};

use skapi_rtc_protocol::{
    GroupName,
    http::{
        GroupEntry, GroupFilter, GroupsQuery, Matcher, Page, PageRequest, UserEntry, UsersQuery,
    },
};

use super::{
    page::{After, NameKey, QueryError, SizeKey, UserKey, Window, ordered},
    presence::{Member, Presence},
    spans::{Span, name_spans, size_spans},
};

pub(super) fn users(
    presence: &Presence,
    query: &UsersQuery,
) -> Result<Page<UserEntry>, QueryError> {
    let window = Window::<UserKey>::read(&query.page)?;
    let after = match &window.after {
        After::Start => None,
        After::Key(key) => Some(Member { user: key.user.clone(), cid: key.cid.clone() }),
        After::End => return Ok(empty()),
    };
    let follows = |member: &Member| match &after {
        None => true,
        Some(after) if window.ascending => member > after,
        Some(after) => member < after,
    };
    let key = |entry: &UserEntry| UserKey { user: entry.user.clone(), cid: entry.cid.clone() };
    let entry = |member: Member| UserEntry { user: member.user, cid: member.cid };
    if let Some(user) = &query.user {
        // One user has few connections; the group may have many.
        let in_group = |cid: &_| {
            let connection = presence.get(cid);
            connection.is_some_and(|c| c.group.as_ref() == Some(&query.group))
        };
        let members: Vec<_> = presence
            .connections_of(user)
            .filter(|cid| in_group(*cid))
            .map(|cid| Member { user: user.clone(), cid: cid.clone() })
            .filter(follows)
            .collect();
        let members = ordered(members.into_iter(), window.ascending);
        return Ok(window.page(members.map(entry), key));
    }
    let Some(members) = presence.member_set(&query.group) else {
        return Ok(empty());
    };
    let (mut low, mut high) = (Unbounded, Unbounded);
    match &after {
        Some(after) if window.ascending => low = Excluded(after),
        Some(after) => high = Excluded(after),
        None => {}
    }
    let members = ordered(members.range((low, high)), window.ascending);
    Ok(window.page(members.cloned().map(entry), key))
}

pub(super) fn groups(
    presence: &Presence,
    query: &GroupsQuery,
) -> Result<Page<GroupEntry>, QueryError> {
    match &query.filter {
        GroupFilter::Name(matcher) => by_name(presence, matcher, &query.page),
        GroupFilter::Users(matcher) => by_size(presence, matcher, &query.page),
    }
}

fn by_name(
    presence: &Presence,
    matcher: &Matcher<String>,
    request: &PageRequest,
) -> Result<Page<GroupEntry>, QueryError> {
    let window = Window::<NameKey>::read(request)?;
    let after = match &window.after {
        After::Start => None,
        After::Key(key) => Some(key.group.as_str()),
        After::End => return Ok(empty()),
    };
    let spans = name_spans(matcher);
    let spans = spans
        .iter()
        .map(|(low, high)| (low.as_ref().map(String::as_str), high.as_ref().map(String::as_str)));
    let groups = ordered(spans, window.ascending)
        .filter_map(|span| cut(span, after, window.ascending))
        .flat_map(|span| ordered(presence.by_name().range::<str, _>(span), window.ascending));
    let entries = groups.map(|(group, members)| GroupEntry {
        group: group.clone(),
        connections: members.len() as u64,
    });
    Ok(window.page(entries, |entry| NameKey { group: entry.group.clone() }))
}

fn by_size(
    presence: &Presence,
    matcher: &Matcher<f64>,
    request: &PageRequest,
) -> Result<Page<GroupEntry>, QueryError> {
    let window = Window::<SizeKey>::read(request)?;
    let after = match &window.after {
        After::Start => None,
        After::Key(key) => Some((key.users, key.group.clone())),
        After::End => return Ok(empty()),
    };
    let entries = ordered(size_spans(matcher).into_iter(), window.ascending)
        .flat_map(|(low, high)| sized(presence, low, high, after.as_ref(), window.ascending))
        .map(|(users, group)| GroupEntry { group: group.clone(), connections: *users });
    Ok(window
        .page(entries, |entry| SizeKey { users: entry.connections, group: entry.group.clone() }))
}

/// The groups whose size is in a span, both ends included, from where the page before ended.
fn sized<'a>(
    presence: &'a Presence,
    low: u64,
    high: u64,
    after: Option<&(u64, GroupName)>,
    ascending: bool,
) -> Box<dyn Iterator<Item = &'a (u64, GroupName)> + 'a> {
    let sizes = presence.by_size();
    let in_span = move |entry: &&(u64, GroupName)| (low..=high).contains(&entry.0);
    if ascending {
        let from = match after {
            Some(after) if after.0 >= low => Excluded(after.clone()),
            _ => Included((low, smallest_name())),
        };
        Box::new(sizes.range((from, Unbounded)).take_while(in_span))
    } else {
        let to = match after {
            Some(after) if after.0 <= high => Excluded(after.clone()),
            _ if high == u64::MAX => Unbounded,
            _ => Excluded((high + 1, smallest_name())),
        };
        Box::new(sizes.range((Unbounded, to)).rev().take_while(in_span))
    }
}

/// What is left of a span after the key; `None` when nothing is, as an inverted range would panic.
fn cut<'a>(
    (mut low, mut high): Span<&'a str>,
    after: Option<&'a str>,
    ascending: bool,
) -> Option<Span<&'a str>> {
    if let Some(after) = after {
        let beyond = |bound: &Bound<&str>, past: fn(&str, &str) -> bool| match bound {
            Included(value) | Excluded(value) => past(value, after),
            Unbounded => false,
        };
        if ascending && !beyond(&low, |value, after| value > after) {
            low = Excluded(after);
        } else if !ascending && !beyond(&high, |value, after| value < after) {
            high = Excluded(after);
        }
    }
    let holds_something = match (low, high) {
        (Included(low), Included(high)) => low <= high,
        (Included(low) | Excluded(low), Included(high) | Excluded(high)) => low < high,
        _ => true,
    };
    holds_something.then_some((low, high))
}

/// Control characters are not allowed in names, so that no name is smaller than this one.
fn smallest_name() -> GroupName {
    GroupName::new(" ").expect("a space is a name")
}

fn empty<E>() -> Page<E> {
    Page { list: Vec::new(), start_key: skapi_rtc_protocol::http::StartKey::End, end_of_list: true }
}
