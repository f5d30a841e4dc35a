//! Bodies of the HTTP queries: `get-ws-group`, `get-users`, `service`, and errors.

mod profiles;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    ConnectionId, GroupName, IdError, Json, UserId,
    codec::{DecodeError, Fields, invalid},
};

pub use profiles::{Profile, ProfileFilter, ProfilesQuery};

/// `POST get-ws-group`: one of its two questions.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupQuery {
    /// Who is in a group?
    Users(UsersQuery),
    /// Which groups are there?
    Groups(GroupsQuery),
}

/// Who is in a group?
#[derive(Debug, Clone, PartialEq)]
pub struct UsersQuery {
    /// The group.
    pub group: GroupName,
    /// Only the connections of this user.
    pub user: Option<UserId>,
    /// Which part of the answer.
    pub page: PageRequest,
}

/// Which groups are there?
#[derive(Debug, Clone, PartialEq)]
pub struct GroupsQuery {
    /// What is compared.
    pub filter: GroupFilter,
    /// Which part of the answer.
    pub page: PageRequest,
}

/// Which part of a list, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// At most this many entries; the service has a limit of its own.
    pub limit: Option<u32>,
    /// Where the page before ended: its [`StartKey::Next`].
    pub start_key: Option<Json>,
    /// Ascending (`None` and `Some(true)`) or descending.
    pub ascending: Option<bool>,
}

/// A condition on groups: by name, or by number of connections.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupFilter {
    /// `searchFor: "group"`.
    Name(Matcher<String>),
    /// `searchFor: "number_of_users"`.
    Users(Matcher<f64>),
}

/// A comparison with a value, or a range.
#[derive(Debug, Clone, PartialEq)]
pub enum Matcher<T> {
    /// Compares with the value. On names, [`Condition::Gte`] means "starts with".
    Compare(Condition, T),
    /// Between the two, both included.
    Range(T, T),
}

/// A comparison; each arrives in two spellings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Condition {
    /// `>` or `gt`
    Gt,
    /// `>=` or `gte`
    Gte,
    /// `=` or `eq`
    Eq,
    /// `!=` or `ne`
    Ne,
    /// `<` or `lt`
    Lt,
    /// `<=` or `lte`
    Lte,
}

impl Condition {
    fn read(text: &str) -> Option<Self> {
        Some(match text {
            ">" | "gt" => Self::Gt,
            ">=" | "gte" => Self::Gte,
            "=" | "eq" => Self::Eq,
            "!=" | "ne" => Self::Ne,
            "<" | "lt" => Self::Lt,
            "<=" | "lte" => Self::Lte,
            _ => return None,
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Gt => ">",
            Self::Gte => ">=",
            Self::Eq => "=",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Lte => "<=",
        }
    }
}

impl GroupQuery {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// Names the field that is missing or cannot be used.
    pub fn decode(body: &str) -> Result<Self, DecodeError> {
        let raw: RawQuery<'_> = Fields::object(body)?;
        let page = raw.page()?;
        let Some(search_for) = Fields::optional::<String>("searchFor", raw.search_for)? else {
            let group = Fields::required("group", raw.group)?;
            let user = Fields::optional("user_id", raw.user_id)?;
            return Ok(Self::Users(UsersQuery { group, user, page }));
        };
        let filter = match search_for.as_str() {
            "group" => GroupFilter::Name(raw.matcher(">", Fields::read)?),
            "number_of_users" => GroupFilter::Users(raw.matcher(">", number)?),
            other => {
                let reason = format_args!("`{other}` is neither `group` nor `number_of_users`");
                return Err(invalid("searchFor", reason));
            }
        };
        Ok(Self::Groups(GroupsQuery { filter, page }))
    }

    /// Writes the body of a request to this service.
    pub fn encode(&self, service: &str, owner: &str) -> String {
        let mut out = QueryOut { service, owner, ..QueryOut::default() };
        let page = match self {
            Self::Users(query) => {
                out.group = Some(&query.group);
                out.user_id = query.user.as_ref();
                &query.page
            }
            Self::Groups(query) => {
                let (search_for, [value, range], condition) = match &query.filter {
                    GroupFilter::Name(name) => ("group", name.values(), name.condition()),
                    GroupFilter::Users(count) => {
                        ("number_of_users", count.values(), count.condition())
                    }
                };
                out.search_for = Some(search_for);
                out.value = value;
                out.range = range;
                out.condition = condition;
                &query.page
            }
        };
        out.limit = page.limit;
        out.start_key = page.start_key.as_ref();
        out.ascending = page.ascending;
        serde_json::to_string(&out)
            .unwrap_or_else(|error| unreachable!("a query always has a form in JSON: {error}"))
    }
}

impl<T: Clone + Into<serde_json::Value>> Matcher<T> {
    fn values(&self) -> [Option<serde_json::Value>; 2] {
        match self {
            Self::Compare(_, value) => [Some(value.clone().into()), None],
            Self::Range(from, to) => [Some(from.clone().into()), Some(to.clone().into())],
        }
    }

    fn condition(&self) -> Option<&'static str> {
        match self {
            Self::Compare(condition, _) => Some(condition.as_str()),
            Self::Range(..) => None,
        }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The entries.
    pub list: Vec<T>,
    /// Where the next page begins.
    pub start_key: StartKey,
    /// Whether this was the last page.
    pub end_of_list: bool,
}

/// Where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartKey {
    /// `"end"`: nowhere.
    End,
    /// A key to send back, known to the service alone.
    Next(Json),
}

impl Serialize for StartKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::End => serializer.serialize_str("end"),
            Self::Next(key) => key.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for StartKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = Json::deserialize(deserializer)?;
        Ok(if key.as_str() == r#""end""# { Self::End } else { Self::Next(key) })
    }
}

/// One connection in a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "UserEntryWire", into = "UserEntryWire")]
pub struct UserEntry {
    /// The user.
    pub user: UserId,
    /// The connection.
    pub cid: ConnectionId,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "GroupEntryWire", into = "GroupEntryWire")]
pub struct GroupEntry {
    /// Its name.
    pub group: GroupName,
    /// How many connections are in it.
    pub connections: u64,
}

/// `GET service`. Skapi's client takes any object; these are the keys it uses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceInfo {
    /// The client's address, as the service sees it.
    pub ip: String,
    /// The client's `User-Agent`.
    pub user_agent: String,
    /// A country code, where one is known.
    pub locale: String,
    /// The service's name.
    pub service_name: String,
    /// What it is for.
    pub service_description: String,
    /// Unused by a self-hosted service.
    pub ai_agent: String,
    /// The service's plan; from 3 on the client prints no banner.
    pub group: u32,
}

/// The body of an answer with a status of 400 or above.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// For programs, e.g. `INVALID_PARAMETER`.
    pub code: String,
    /// What is wrong, in plain words.
    pub message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawQuery<'a> {
    #[serde(borrow)]
    group: Option<&'a RawValue>,
    #[serde(borrow, rename = "user_id")]
    user_id: Option<&'a RawValue>,
    #[serde(borrow)]
    search_for: Option<&'a RawValue>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    #[serde(borrow)]
    condition: Option<&'a RawValue>,
    #[serde(borrow)]
    range: Option<&'a RawValue>,
    #[serde(borrow)]
    limit: Option<&'a RawValue>,
    #[serde(borrow)]
    start_key: Option<&'a RawValue>,
    #[serde(borrow)]
    ascending: Option<&'a RawValue>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct QueryOut<'a> {
    service: &'a str,
    owner: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a GroupName>,
    #[serde(rename = "user_id", skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    search_for: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_key: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ascending: Option<bool>,
}

impl RawQuery<'_> {
    fn page(&self) -> Result<PageRequest, DecodeError> {
        Ok(PageRequest {
            limit: Fields::optional("limit", self.limit)?,
            start_key: Fields::optional("startKey", self.start_key)?,
            ascending: Fields::optional("ascending", self.ascending)?,
        })
    }

    /// The comparison with values of one kind; `unnamed` is the condition when none is named.
    fn matcher<T>(
        &self,
        unnamed: &str,
        read: impl Fn(&'static str, &RawValue) -> Result<T, DecodeError>,
    ) -> Result<Matcher<T>, DecodeError> {
        let value = self.value.ok_or(DecodeError::Missing("value"))?;
        let value = read("value", value)?;
        // A range makes the condition pointless, and Skapi's client deletes it; but it leaves it in beside
        // a range of `0` or `""`.
        if let Some(end) = self.range {
            return Ok(Matcher::Range(value, read("range", end)?));
        }
        let condition: Option<String> = Fields::optional("condition", self.condition)?;
        let condition = condition.as_deref().unwrap_or(unnamed);
        match Condition::read(condition) {
            Some(condition) => Ok(Matcher::Compare(condition, value)),
            None => Err(invalid("condition", format_args!("`{condition}` is not a comparison"))),
        }
    }
}

/// A number, or a text that holds one: what comes from a form field is text.
fn number(field: &'static str, raw: &RawValue) -> Result<f64, DecodeError> {
    let text: String = serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned());
    // Read by std, which rounds to the nearest `f64`; serde_json may be one bit off.
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(invalid(field, "it is not a number")),
    }
}

/// Before the `#` of a `uid` or `rid` stands something of the service's own; the client cuts it off.
const OWN_PART: &str = "self";

#[derive(Serialize, Deserialize)]
struct UserEntryWire {
    uid: String,
    cid: ConnectionId,
}

impl TryFrom<UserEntryWire> for UserEntry {
    type Error = IdError;

    fn try_from(wire: UserEntryWire) -> Result<Self, IdError> {
        Ok(Self { user: UserId::new(after_hash(&wire.uid))?, cid: wire.cid })
    }
}

impl From<UserEntry> for UserEntryWire {
    fn from(entry: UserEntry) -> Self {
        Self { uid: format!("{OWN_PART}#{}", entry.user), cid: entry.cid }
    }
}

#[derive(Serialize, Deserialize)]
struct GroupEntryWire {
    rid: String,
    cnt: u64,
}

impl TryFrom<GroupEntryWire> for GroupEntry {
    type Error = IdError;

    fn try_from(wire: GroupEntryWire) -> Result<Self, IdError> {
        Ok(Self { group: GroupName::new(after_hash(&wire.rid))?, connections: wire.cnt })
    }
}

impl From<GroupEntry> for GroupEntryWire {
    fn from(entry: GroupEntry) -> Self {
        Self { rid: format!("{OWN_PART}#{}", entry.group), cnt: entry.connections }
    }
}

fn after_hash(text: &str) -> &str {
    text.split_once('#').map_or(text, |(_, rest)| rest)
}
