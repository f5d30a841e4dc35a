//! By which name two peers know a call. Our extension.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Tells the calls between two connections apart: 64 random bits of the caller's, on the wire 16
/// hexadecimal digits. Our extension.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallKey(pub u64);

impl fmt::Display for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallKey({self})")
    }
}

impl FromStr for CallKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        match u64::from_str_radix(text, 16) {
            Ok(key) if digits => Ok(Self(key)),
            _ => Err("a call key has 16 hexadecimal digits".to_owned()),
        }
    }
}

impl TryFrom<String> for CallKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<CallKey> for String {
    fn from(key: CallKey) -> String {
        key.to_string()
    }
}
