//! Paging: limits, and the keys by which the next page is found again.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use skapi_rtc_protocol::{
    ConnectionId, GroupName, Json, UserId,
    http::{Page, PageRequest, StartKey},
};

/// Entries of a page when the request names no limit.
const DEFAULT_LIMIT: u32 = 100;
/// Entries of a page at most; a larger limit counts as this one.
const MAX_LIMIT: u32 = 1000;

/// A query was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// A page without entries was asked for.
    #[error("the field `limit` is invalid: it must be at least 1")]
    Limit,
    /// The key did not come from an answer to this query.
    #[error("the field `startKey` is invalid: it must be the one that the page before gave")]
    StartKey,
}

/// Where a list of users was left.
#[derive(Serialize, Deserialize)]
pub(super) struct UserKey {
    pub(super) user: UserId,
    pub(super) cid: ConnectionId,
}

/// Where a list of groups by name was left.
#[derive(Serialize, Deserialize)]
pub(super) struct NameKey {
    pub(super) group: GroupName,
}

/// Where a list of groups by size was left.
#[derive(Serialize, Deserialize)]
pub(super) struct SizeKey {
    pub(super) users: u64,
    pub(super) group: GroupName,
}

/// A page request, read.
pub(crate) struct Window<K> {
    limit: usize,
    pub(crate) ascending: bool,
    pub(crate) after: After<K>,
}

/// Where a page begins.
pub(crate) enum After<K> {
    Start,
    Key(K),
    /// The client asks for what comes after the end.
    End,
}

impl<K: DeserializeOwned> Window<K> {
    pub(crate) fn read(request: &PageRequest) -> Result<Self, QueryError> {
        let limit = request.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
        if limit == 0 {
            return Err(QueryError::Limit);
        }
        let after = match &request.start_key {
            None => After::Start,
            Some(key) if key.as_str() == r#""end""# => After::End,
            Some(key) => After::Key(key.parse().map_err(|_| QueryError::StartKey)?),
        };
        Ok(Self { limit: limit as usize, ascending: request.ascending.unwrap_or(true), after })
    }
}

impl<K: Serialize> Window<K> {
    /// Takes a page from what follows the start; `key` tells where an entry can be found again.
    pub(crate) fn page<E>(
        &self,
        mut entries: impl Iterator<Item = E>,
        key: impl Fn(&E) -> K,
    ) -> Page<E> {
        let list: Vec<E> = entries.by_ref().take(self.limit).collect();
        let more = entries.next().is_some();
        let start_key = match list.last().filter(|_| more) {
            Some(last) => Json::from_serialize(&key(last)).map_or(StartKey::End, StartKey::Next),
            None => StartKey::End,
        };
        Page { end_of_list: start_key == StartKey::End, start_key, list }
    }
}

/// The entries in the order that was asked for.
pub(crate) fn ordered<'a, E: 'a>(
    entries: impl DoubleEndedIterator<Item = E> + 'a,
    ascending: bool,
) -> Box<dyn Iterator<Item = E> + 'a> {
    if ascending { Box::new(entries) } else { Box::new(entries.rev()) }
}
