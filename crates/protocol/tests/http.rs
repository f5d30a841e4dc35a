//! The bodies of the HTTP queries as they stand on the wire, and what else of them is read.

mod common;

use common::{cid, group, json, user};
use skapi_rtc_protocol::{
    DecodeError,
    http::{
        Condition, ErrorBody, GroupEntry, GroupFilter, GroupQuery, GroupsQuery, Matcher, Page,
        PageRequest, ServiceInfo, StartKey, UserEntry, UsersQuery,
    },
};

fn users(page: PageRequest) -> GroupQuery {
    GroupQuery::Users(UsersQuery { group: group("lobby"), user: None, page })
}

fn groups(filter: GroupFilter) -> GroupQuery {
    GroupQuery::Groups(GroupsQuery { filter, page: PageRequest::default() })
}

fn is_query(body: &str, query: GroupQuery) {
    assert_eq!(query.encode("svc", "own"), body);
    assert_eq!(GroupQuery::decode(body), Ok(query));
}

/// A query in a form that we read but do not write.
fn reads_as(body: &str, filter: GroupFilter) {
    assert_eq!(GroupQuery::decode(body), Ok(groups(filter)));
}

#[test]
fn who_is_in_a_group() {
    is_query(r#"{"service":"svc","owner":"own","group":"lobby"}"#, users(PageRequest::default()));
    is_query(
        r#"{"service":"svc","owner":"own","group":"lobby","user_id":"alice","limit":10,"startKey":{"cid":"a"},"ascending":false}"#,
        GroupQuery::Users(UsersQuery {
            group: group("lobby"),
            user: Some(user("alice")),
            page: PageRequest {
                limit: Some(10),
                start_key: Some(json(r#"{"cid":"a"}"#)),
                ascending: Some(false),
            },
        }),
    );
}

#[test]
fn which_groups_are_there() {
    is_query(
        r#"{"service":"svc","owner":"own","searchFor":"group","value":" ","condition":">"}"#,
        groups(GroupFilter::Name(Matcher::Compare(Condition::Gt, " ".to_owned()))),
    );
    is_query(
        r#"{"service":"svc","owner":"own","searchFor":"group","value":"a","range":"b"}"#,
        groups(GroupFilter::Name(Matcher::Range("a".to_owned(), "b".to_owned()))),
    );
    is_query(
        r#"{"service":"svc","owner":"own","searchFor":"number_of_users","value":2.5,"condition":"<="}"#,
        groups(GroupFilter::Users(Matcher::Compare(Condition::Lte, 2.5))),
    );
}

/// As Skapi's client sends it when it is asked for everything.
#[test]
fn the_defaults_of_skapi() {
    reads_as(
        r#"{"searchFor":"number_of_users","value":0,"condition":">","service":"svc","owner":"own"}"#,
        GroupFilter::Users(Matcher::Compare(Condition::Gt, 0.0)),
    );
}

#[test]
fn both_spellings_of_every_condition() {
    for (spellings, condition) in [
        ([">", "gt"], Condition::Gt),
        ([">=", "gte"], Condition::Gte),
        (["=", "eq"], Condition::Eq),
        (["!=", "ne"], Condition::Ne),
        (["<", "lt"], Condition::Lt),
        (["<=", "lte"], Condition::Lte),
    ] {
        for spelling in spellings {
            reads_as(
                &format!(r#"{{"searchFor":"number_of_users","value":3,"condition":"{spelling}"}}"#),
                GroupFilter::Users(Matcher::Compare(condition, 3.0)),
            );
        }
    }
}

/// A value from a form field is text, even where a number is meant.
#[test]
fn a_number_may_arrive_as_text() {
    reads_as(
        r#"{"searchFor":"number_of_users","value":" 3 ","range":"7"}"#,
        GroupFilter::Users(Matcher::Range(3.0, 7.0)),
    );
    for bad in [r#""""#, r#""three""#, r#""NaN""#, r#""inf""#, "1e999", "true", "[3]"] {
        let body = format!(r#"{{"searchFor":"number_of_users","value":{bad}}}"#);
        assert_eq!(
            GroupQuery::decode(&body),
            Err(DecodeError::Field { field: "value", reason: "it is not a number".to_owned() }),
            "{bad}"
        );
    }
}

/// Skapi's client deletes the condition beside a range, but not beside a range of `0` or `""`.
#[test]
fn a_range_counts_more_than_a_condition() {
    reads_as(
        r#"{"searchFor":"number_of_users","value":-1,"range":0,"condition":"="}"#,
        GroupFilter::Users(Matcher::Range(-1.0, 0.0)),
    );
}

#[test]
fn errors_name_the_field() {
    for (body, message) in [
        ("{}", "the field `group` is missing"),
        (r#"{"group":"a#b"}"#, "the field `group` is invalid: a group name must not contain '#'"),
        (
            r#"{"searchFor":"colour","value":1}"#,
            "the field `searchFor` is invalid: `colour` is neither `group` nor `number_of_users`",
        ),
        (r#"{"searchFor":"group"}"#, "the field `value` is missing"),
        (
            r#"{"searchFor":"group","value":"a","condition":"~"}"#,
            "the field `condition` is invalid: `~` is not a comparison",
        ),
        (r#"{"group":"a","group":"b"}"#, "the field `group` is there more than once"),
    ] {
        let error = GroupQuery::decode(body).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn pages() {
    let page = Page {
        list: vec![UserEntry { user: user("alice"), cid: cid("aB3+/=_-") }],
        start_key: StartKey::Next(json(r#"{"cid":"aB3+/=_-"}"#)),
        end_of_list: false,
    };
    let text = r##"{"list":[{"uid":"self#alice","cid":"aB3+/=_-"}],"startKey":{"cid":"aB3+/=_-"},"endOfList":false}"##;
    assert_eq!(serde_json::to_string(&page).unwrap(), text);
    assert_eq!(serde_json::from_str::<Page<UserEntry>>(text).unwrap(), page);

    let page = Page {
        list: vec![GroupEntry { group: group("lobby"), connections: 2 }],
        start_key: StartKey::End,
        end_of_list: true,
    };
    let text = r##"{"list":[{"rid":"self#lobby","cnt":2}],"startKey":"end","endOfList":true}"##;
    assert_eq!(serde_json::to_string(&page).unwrap(), text);
    assert_eq!(serde_json::from_str::<Page<GroupEntry>>(text).unwrap(), page);
}

#[test]
fn service_and_errors() {
    let info = ServiceInfo {
        ip: "192.0.2.1".to_owned(),
        service_name: "demo".to_owned(),
        group: 3,
        ..ServiceInfo::default()
    };
    let text = r#"{"ip":"192.0.2.1","user_agent":"","locale":"","service_name":"demo","service_description":"","ai_agent":"","group":3}"#;
    assert_eq!(serde_json::to_string(&info).unwrap(), text);
    assert_eq!(serde_json::from_str::<ServiceInfo>(text).unwrap(), info);

    let error = ErrorBody {
        code: "INVALID_PARAMETER".to_owned(),
        message: "the field `group` is missing".to_owned(),
    };
    let text = r#"{"code":"INVALID_PARAMETER","message":"the field `group` is missing"}"#;
    assert_eq!(serde_json::to_string(&error).unwrap(), text);
    assert_eq!(serde_json::from_str::<ErrorBody>(text).unwrap(), error);
}
