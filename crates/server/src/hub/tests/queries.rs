//! Every condition of the queries, both orders, and paging.

use skapi_rtc_protocol::http::{
    Condition::{self, *},
    GroupFilter, GroupsQuery, Matcher, PageRequest, StartKey, UsersQuery,
};

use super::*;

/// Groups with these numbers of connections.
fn room(groups: &[(&str, usize)]) -> Room {
    let mut room = Room::new();
    for (index, (name, size)) in groups.iter().enumerate() {
        for n in 0..*size {
            room.member(&format!("u{}x{n}", char::from(b'a' + index as u8)), name);
        }
    }
    room
}

fn fruit() -> Room {
    room(&[("apple", 1), ("apricot", 3), ("banana", 2), ("cherry", 3), ("date", 5)])
}

fn by_name(condition: Condition, value: &str) -> GroupFilter {
    GroupFilter::Name(Matcher::Compare(condition, value.to_owned()))
}

fn by_size(condition: Condition, value: f64) -> GroupFilter {
    GroupFilter::Users(Matcher::Compare(condition, value))
}

fn query(filter: GroupFilter, page: PageRequest) -> GroupsQuery {
    GroupsQuery { filter, page }
}

fn descending() -> PageRequest {
    PageRequest { ascending: Some(false), ..PageRequest::default() }
}

fn found(room: &Room, filter: GroupFilter) -> String {
    let names = |page| {
        let page = room.hub.groups(&query(filter.clone(), page)).unwrap();
        let names: Vec<_> = page.list.iter().map(|entry| entry.group.to_string()).collect();
        names
    };
    let forwards = names(PageRequest::default());
    let mut backwards = names(descending());
    backwards.reverse();
    assert_eq!(forwards, backwards, "the same in both orders");
    forwards.join(" ")
}

#[test]
fn groups_by_name() {
    let room = fruit();
    let found = |condition, value| found(&room, by_name(condition, value));
    // What Skapi's client sends when it is asked for all.
    assert_eq!(found(Gt, " "), "apple apricot banana cherry date");
    assert_eq!(found(Gt, "banana"), "cherry date");
    assert_eq!(found(Gte, "ap"), "apple apricot");
    assert_eq!(found(Gte, "banana"), "banana");
    assert_eq!(found(Gte, ""), "apple apricot banana cherry date");
    assert_eq!(found(Gte, "z"), "");
    assert_eq!(found(Eq, "banana"), "banana");
    assert_eq!(found(Eq, "ban"), "");
    assert_eq!(found(Ne, "banana"), "apple apricot cherry date");
    assert_eq!(found(Ne, "x"), "apple apricot banana cherry date");
    assert_eq!(found(Lt, "banana"), "apple apricot");
    assert_eq!(found(Lte, "banana"), "apple apricot banana");
    assert_eq!(found(Lt, ""), "");
}

#[test]
fn groups_by_a_range_of_names() {
    let room = fruit();
    let found = |a: &str, b: &str| {
        found(&room, GroupFilter::Name(Matcher::Range(a.to_owned(), b.to_owned())))
    };
    assert_eq!(found("apricot", "cherry"), "apricot banana cherry");
    assert_eq!(found("cherry", "apricot"), "apricot banana cherry");
    assert_eq!(found("b", "c"), "banana");
    assert_eq!(found("x", "z"), "");
}

#[test]
fn groups_whose_names_begin_at_the_edges_of_unicode() {
    let room = room(&[("\u{d7ff}a", 1), ("\u{e000}", 1), ("\u{10ffff}", 1), ("é", 1), ("ê", 1)]);
    let count = |prefix: &str| {
        let found = found(&room, by_name(Gte, prefix));
        found.split_whitespace().count()
    };
    assert_eq!(count("\u{d7ff}"), 1);
    assert_eq!(count("\u{10ffff}"), 1);
    assert_eq!(count("é"), 1);
    assert_eq!(count(""), 5);
}

#[test]
fn groups_by_size() {
    let room = fruit();
    let found = |condition, value| found(&room, by_size(condition, value));
    // By size, and by name where the size is the same.
    assert_eq!(found(Gt, 0.0), "apple banana apricot cherry date");
    assert_eq!(found(Gt, 2.0), "apricot cherry date");
    assert_eq!(found(Gt, 2.5), "apricot cherry date");
    assert_eq!(found(Gt, -3.0), "apple banana apricot cherry date");
    assert_eq!(found(Gte, 3.0), "apricot cherry date");
    assert_eq!(found(Gte, 5.1), "");
    assert_eq!(found(Eq, 3.0), "apricot cherry");
    assert_eq!(found(Eq, 3.5), "");
    assert_eq!(found(Eq, -1.0), "");
    assert_eq!(found(Ne, 3.0), "apple banana date");
    assert_eq!(found(Ne, 3.5), "apple banana apricot cherry date");
    assert_eq!(found(Ne, -1.0), "apple banana apricot cherry date");
    assert_eq!(found(Lt, 3.0), "apple banana");
    assert_eq!(found(Lt, 2.5), "apple banana");
    assert_eq!(found(Lt, 0.0), "");
    assert_eq!(found(Lte, 3.0), "apple banana apricot cherry");
    assert_eq!(found(Lte, -1.0), "");
    assert_eq!(found(Lt, 1e300), "apple banana apricot cherry date");
    assert_eq!(found(Gt, 1e300), "");
}

#[test]
fn groups_by_a_range_of_sizes() {
    let room = fruit();
    let found = |a, b| found(&room, GroupFilter::Users(Matcher::Range(a, b)));
    assert_eq!(found(2.0, 3.0), "banana apricot cherry");
    assert_eq!(found(3.0, 2.0), "banana apricot cherry");
    assert_eq!(found(1.5, 2.5), "banana");
    assert_eq!(found(-5.0, 0.5), "");
    assert_eq!(found(-5.0, -1.0), "");
    assert_eq!(found(0.0, 1e300), "apple banana apricot cherry date");
}

#[test]
fn sizes_follow_who_comes_and_goes() {
    let mut room = fruit();
    room.disconnect("uex0");
    room.join("uex1", Some("banana"));
    assert_eq!(found(&room, by_size(Eq, 3.0)), "apricot banana cherry date");
    for n in 1..5 {
        room.disconnect(&format!("uex{n}"));
    }
    assert_eq!(found(&room, by_size(Gt, 0.0)), "apple banana apricot cherry");
}

/// Every page of a query, with pages of this size.
fn pages<E>(limit: u32, ascending: bool, ask: impl Fn(PageRequest) -> Page<E>) -> Vec<E> {
    let mut entries = Vec::new();
    let mut request =
        PageRequest { limit: Some(limit), start_key: None, ascending: Some(ascending) };
    loop {
        let page = ask(request.clone());
        assert!(page.list.len() <= limit as usize);
        assert_eq!(page.end_of_list, page.start_key == StartKey::End);
        entries.extend(page.list);
        match page.start_key {
            StartKey::End => return entries,
            StartKey::Next(key) => {
                assert!(key.as_str().starts_with('{'), "the client wants an object");
                request.start_key = Some(key);
            }
        }
    }
}

#[test]
fn pages_neither_repeat_nor_lose_anything() {
    let room = fruit();
    let filters = [
        by_name(Gt, " "),
        by_name(Gte, "a"),
        by_name(Ne, "banana"),
        by_name(Lte, "cherry"),
        GroupFilter::Name(Matcher::Range("apricot".into(), "cherry".into())),
        by_size(Gt, 0.0),
        by_size(Ne, 3.0),
        by_size(Ne, 2.0),
        by_size(Lte, 3.0),
        GroupFilter::Users(Matcher::Range(2.0, 3.0)),
    ];
    for filter in filters {
        for ascending in [true, false] {
            let ask = |page| room.hub.groups(&query(filter.clone(), page)).unwrap();
            let all = pages(1000, ascending, ask);
            for limit in 1..=6 {
                assert_eq!(pages(limit, ascending, ask), all, "{filter:?} by {limit}");
            }
        }
    }
}

#[test]
fn users_of_a_group_in_pages_and_of_one_user() {
    let mut room = Room::new();
    for connection in ["bob1", "alice1", "carol1", "bob2", "bob3"] {
        room.member(connection, "G");
    }
    room.member("bob4", "H");
    room.connect("bob5");
    let ask = |user: Option<&str>, page| {
        let query = UsersQuery { group: group("G"), user: user.map(user_of), page };
        room.hub.users(&query).unwrap()
    };
    let cids = |entries: Vec<UserEntry>| -> Vec<String> {
        entries.iter().map(|entry| entry.cid.as_str().to_owned()).collect()
    };
    for limit in 1..=6 {
        let all = pages(limit, true, |page| ask(None, page));
        assert_eq!(cids(all), ["alice1", "bob1", "bob2", "bob3", "carol1"]);
        let all = pages(limit, false, |page| ask(None, page));
        assert_eq!(cids(all), ["carol1", "bob3", "bob2", "bob1", "alice1"]);
        let bobs = pages(limit, true, |page| ask(Some("bob"), page));
        assert_eq!(cids(bobs), ["bob1", "bob2", "bob3"]);
        let bobs = pages(limit, false, |page| ask(Some("bob"), page));
        assert_eq!(cids(bobs), ["bob3", "bob2", "bob1"]);
    }
    assert!(ask(Some("dave"), PageRequest::default()).list.is_empty());
    let nowhere = UsersQuery { group: group("nowhere"), user: None, page: PageRequest::default() };
    let page = room.hub.users(&nowhere).unwrap();
    assert!(page.list.is_empty() && page.end_of_list);
}

#[test]
fn a_page_goes_on_where_it_was_even_when_that_entry_has_gone() {
    let mut room = fruit();
    let mut request = PageRequest { limit: Some(2), ..PageRequest::default() };
    let first = room.hub.groups(&query(by_name(Gt, " "), request.clone())).unwrap();
    let StartKey::Next(key) = first.start_key else { panic!("there is more") };
    for n in 0..3 {
        room.disconnect(&format!("ubx{n}"));
    }
    request.start_key = Some(key);
    let second = room.hub.groups(&query(by_name(Gt, " "), request)).unwrap();
    assert_eq!(second.list[0].group.as_str(), "banana");
}

#[test]
fn limits_have_a_default_a_maximum_and_a_minimum() {
    let mut room = Room::with(HubLimits { max_connections_per_user: 2000, ..HubLimits::default() });
    for n in 0..1100 {
        room.member(&format!("u{n}"), "G");
    }
    let ask = |limit| {
        room.hub.users(&UsersQuery {
            group: group("G"),
            user: None,
            page: PageRequest { limit, ..PageRequest::default() },
        })
    };
    assert_eq!(ask(None).unwrap().list.len(), 100);
    assert_eq!(ask(Some(1000)).unwrap().list.len(), 1000);
    assert_eq!(ask(Some(u32::MAX)).unwrap().list.len(), 1000);
    assert_eq!(ask(Some(0)), Err(QueryError::Limit));
}

#[test]
fn a_start_key_has_to_be_one_of_ours() {
    let room = fruit();
    let ask = |key: &str| {
        let page =
            PageRequest { start_key: Some(Json::new(key).unwrap()), ..PageRequest::default() };
        room.hub.groups(&query(by_name(Gt, " "), page))
    };
    for bad in ["{}", "7", r#"{"group":7}"#, "[]", r#""x""#] {
        assert_eq!(ask(bad), Err(QueryError::StartKey), "{bad}");
    }
    assert!(ask(r#""end""#).unwrap().end_of_list);
    // A forged key before the span changes nothing; one after it finds nothing.
    assert_eq!(ask(r#"{"group":"a"}"#).unwrap().list.len(), 5);
    assert_eq!(ask(r#"{"group":"z"}"#).unwrap().list.len(), 0);
}
