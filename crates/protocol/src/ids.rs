//! Validated ids: a user, a connection, a group.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// An id was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// Nothing is left of it.
    #[error("a {what} must not be empty")]
    Empty {
        /// Which kind of id.
        what: &'static str,
    },
    /// It is too long.
    #[error("a {what} has at most {max} bytes, this one has {len}")]
    TooLong {
        /// Which kind of id.
        what: &'static str,
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// It holds a character that may not be there.
    #[error("a {what} must not contain {character:?}")]
    Character {
        /// Which kind of id.
        what: &'static str,
        /// The first offending character.
        character: char,
    },
    /// A connection id where a user id belongs.
    #[error("this is a connection id (`cid:`), not a user id")]
    IsConnectionId,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and takes an id.
            ///
            /// # Errors
            /// Says which rule the text breaks.
            pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
                $check(text.as_ref()).map(|text| Self(text.into()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

id! {
    /// A user: the `sub` of the token, a UUID at Skapi, any id of the operator's at a self-hosted service.
    ///
    /// 1 to 128 visible ASCII characters without ``" # % & ' < > \ ` `` (they would need escaping in
    /// notices, queries or the pages that show them), and not of the `cid:` form.
    UserId, check_user
}

id! {
    /// One connection of a user.
    ///
    /// 1 to 128 characters of `A-Z a-z 0-9 + / = _ -`: pages put it unescaped into HTML. Held bare;
    /// [`new`](Self::new) accepts the `cid:` form that Skapi's client shows, and
    /// [`Display`](fmt::Display) writes it.
    ConnectionId, check_connection
}

id! {
    /// A group's name.
    ///
    /// 1 to 256 bytes of text without control characters and without `#`, at which Skapi's client cuts
    /// names off.
    GroupName, check_group
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{CID_PREFIX}{}", self.0)
    }
}

impl ConnectionId {
    /// Whether the text is of the `cid:` form, and so cannot be a user id.
    pub fn has_prefix(text: &str) -> bool {
        text.starts_with(CID_PREFIX)
    }
}

const CID_PREFIX: &str = "cid:";
pub(crate) const MAX_ID_BYTES: usize = 128;
pub(crate) const MAX_GROUP_BYTES: usize = 256;

fn check_user(text: &str) -> Result<&str, IdError> {
    if ConnectionId::has_prefix(text) {
        return Err(IdError::IsConnectionId);
    }
    let allowed = |c: char| c.is_ascii_graphic() && !r##""#%&'<>\`"##.contains(c);
    check("user id", text, MAX_ID_BYTES, allowed)
}

fn check_connection(text: &str) -> Result<&str, IdError> {
    let bare = text.strip_prefix(CID_PREFIX).unwrap_or(text);
    let allowed = |c: char| c.is_ascii_alphanumeric() || "+/=_-".contains(c);
    check("connection id", bare, MAX_ID_BYTES, allowed)
}

fn check_group(text: &str) -> Result<&str, IdError> {
    check("group name", text, MAX_GROUP_BYTES, |c| c != '#' && !c.is_control())
}

fn check<'a>(
    what: &'static str,
    text: &'a str,
    max: usize,
    allowed: impl Fn(char) -> bool,
) -> Result<&'a str, IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { what });
    }
    if text.len() > max {
        return Err(IdError::TooLong { what, len: text.len(), max });
    }
    match text.chars().find(|c| !allowed(*c)) {
        Some(character) => Err(IdError::Character { what, character }),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_id_is_bare_inside_and_prefixed_at_the_edge() {
        let cid = ConnectionId::new("cid:aB3+/=_-").unwrap();
        assert_eq!(cid.as_str(), "aB3+/=_-");
        assert_eq!(cid.to_string(), "cid:aB3+/=_-");
        assert_eq!(cid, ConnectionId::new("aB3+/=_-").unwrap());
        assert_eq!(serde_json::to_string(&cid).unwrap(), r#""aB3+/=_-""#);
    }

    #[test]
    fn a_connection_id_is_safe_in_html() {
        for bad in ["a<b", "a b", "a\"b", "é", "a:b"] {
            assert!(matches!(ConnectionId::new(bad), Err(IdError::Character { .. })), "{bad}");
        }
        assert_eq!(ConnectionId::new("cid:"), Err(IdError::Empty { what: "connection id" }));
    }

    #[test]
    fn user_ids_of_common_issuers_are_accepted() {
        for good in [
            "f2b4c1a0-1111-4222-8333-444455556666",
            "auth0|62c",
            "us-east-1:7f",
            "alice@example.com",
        ] {
            assert_eq!(UserId::new(good).unwrap().as_str(), good);
        }
        assert_eq!(UserId::new("cid:abc"), Err(IdError::IsConnectionId));
        assert!(UserId::new("a b").is_err());
        assert!(UserId::new("x".repeat(129)).is_err());
    }

    #[test]
    fn group_names_are_text_without_hash_or_control_characters() {
        assert!(GroupName::new("ünï côdé 100% <ok>").is_ok());
        assert!(GroupName::new("a#b").is_err());
        assert!(GroupName::new("a\u{0}b").is_err());
        assert!(GroupName::new("").is_err());
    }
}
