//! `POST get-users`: what the service knows about users.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Matcher, PageRequest, RawQuery, number};
use crate::{
    UserId,
    codec::{DecodeError, Fields, invalid},
};

/// Which users are there, and what are they called?
#[derive(Debug, Clone, PartialEq)]
pub struct ProfilesQuery {
    /// What is compared.
    pub filter: ProfileFilter,
    /// Which part of the answer.
    pub page: PageRequest,
}

/// A condition on users.
#[derive(Debug, Clone, PartialEq)]
pub enum ProfileFilter {
    /// `searchFor: "user_id"`: these users.
    Ids(Vec<UserId>),
    /// `searchFor: "name"`.
    Name(Matcher<String>),
    /// `searchFor: "timestamp"`: by the time at which the service first saw them, in milliseconds.
    Timestamp(Matcher<f64>),
}

/// What the service knows about a user, from the tokens that the user showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The user.
    pub user_id: UserId,
    /// What the user is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The address of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// When the service first saw the user, in milliseconds since 1970.
    pub timestamp: u64,
    /// When it last did, in seconds since 1970.
    pub log: u64,
}

impl ProfilesQuery {
    /// Users that can be asked for at once by their ids.
    pub const MAX_IDS: usize = 1000;

    /// Reads the body of a request.
    ///
    /// # Errors
    /// Names the field that is missing or cannot be used.
    pub fn decode(body: &str) -> Result<Self, DecodeError> {
        let raw: RawQuery<'_> = Fields::object(body)?;
        let page = raw.page()?;
        let search_for: String = Fields::required("searchFor", raw.search_for)?;
        let filter = match search_for.as_str() {
            "user_id" => {
                ProfileFilter::Ids(ids(raw.value.ok_or(DecodeError::Missing("value"))?)?)
            }
            "name" => ProfileFilter::Name(raw.matcher("=", Fields::read)?),
            "timestamp" => ProfileFilter::Timestamp(raw.matcher("=", number)?),
            other => {
                let reason = format_args!(
                    "a service of one's own knows users by `user_id`, `name` and `timestamp`, not by \
                     `{other}`"
                );
                return Err(invalid("searchFor", reason));
            }
        };
        Ok(Self { filter, page })
    }
}

/// One id, or a list of them.
fn ids(value: &RawValue) -> Result<Vec<UserId>, DecodeError> {
    if !value.get().starts_with('[') {
        return Ok(vec![Fields::read("value", value)?]);
    }
    let ids: Vec<UserId> = Fields::read("value", value)?;
    if ids.len() > ProfilesQuery::MAX_IDS {
        let reason = format_args!("at most {} users at once", ProfilesQuery::MAX_IDS);
        return Err(invalid("value", reason));
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Condition;

    fn read(body: &str) -> Result<ProfileFilter, String> {
        ProfilesQuery::decode(body).map(|query| query.filter).map_err(|error| error.to_string())
    }

    #[test]
    fn users_are_asked_for_as_the_client_does() {
        let ids = |ids: &[&str]| {
            Ok(ProfileFilter::Ids(ids.iter().map(|id| UserId::new(id).unwrap()).collect()))
        };
        assert_eq!(read(r#"{"searchFor":"user_id","value":"a","condition":"="}"#), ids(&["a"]));
        assert_eq!(read(r#"{"searchFor":"user_id","value":["a","b"]}"#), ids(&["a", "b"]));
        assert_eq!(
            read(r#"{"searchFor":"name","value":"Al","condition":"gte"}"#),
            Ok(ProfileFilter::Name(Matcher::Compare(Condition::Gte, "Al".to_owned())))
        );
        assert_eq!(
            read(r#"{"searchFor":"name","value":"Al"}"#),
            Ok(ProfileFilter::Name(Matcher::Compare(Condition::Eq, "Al".to_owned())))
        );
        assert_eq!(
            read(r#"{"searchFor":"timestamp","value":0,"range":9}"#),
            Ok(ProfileFilter::Timestamp(Matcher::Range(0.0, 9.0)))
        );
    }

    #[test]
    fn what_cannot_be_asked_is_named() {
        let error = |body: &str| read(body).unwrap_err();
        assert!(error(r#"{"value":"a"}"#).contains("`searchFor` is missing"));
        assert!(error(r#"{"searchFor":"user_id"}"#).contains("`value` is missing"));
        assert!(error(r#"{"searchFor":"email","value":"a"}"#).contains("`email`"));
        assert!(error(r#"{"searchFor":"user_id","value":["a b"]}"#).contains("`value`"));
        let many = vec!["\"a\""; ProfilesQuery::MAX_IDS + 1].join(",");
        let body = format!(r#"{{"searchFor":"user_id","value":[{many}]}}"#);
        assert!(error(&body).contains("at most 1000"));
    }
}
