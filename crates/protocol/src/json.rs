//! JSON that passes through unread.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::value::RawValue;

/// A JSON text, checked for syntax and kept as it was written.
///
/// What users post to each other is theirs: numbers keep their digits, objects the order of their keys,
/// and nesting costs no stack. Two texts are equal when they are equal to the letter.
#[derive(Clone)]
pub struct Json(Box<RawValue>);

/// A JSON text or value could not be converted.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(#[from] serde_json::Error);

impl Json {
    /// Checks and takes a JSON text.
    ///
    /// # Errors
    /// When the text is not exactly one JSON value.
    pub fn new(text: impl Into<String>) -> Result<Self, JsonError> {
        Ok(Self(RawValue::from_string(text.into())?))
    }

    /// Writes a value as JSON.
    ///
    /// # Errors
    /// When the value has no form in JSON, such as a map whose keys are not text.
    pub fn from_serialize(value: &(impl Serialize + ?Sized)) -> Result<Self, JsonError> {
        Ok(Self(serde_json::value::to_raw_value(value)?))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Reads the text as a value of some type.
    ///
    /// # Errors
    /// When the text does not fit the type.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        Ok(serde_json::from_str(self.0.get())?)
    }

    /// `null`.
    pub fn null() -> Self {
        Self(RawValue::NULL.to_owned())
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        // A `Value` always has a form in JSON; its `Display` is that form.
        Self::new(value.to_string()).unwrap_or_else(|_| Self::null())
    }
}

impl From<&str> for Json {
    /// A JSON string with this text.
    fn from(text: &str) -> Self {
        Self::from(serde_json::Value::from(text))
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Json {}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Json {
    /// The beginning of the text only: contents belong to users and may be long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 200;
        let text = self.as_str();
        match text.char_indices().nth(SHOWN) {
            None => write!(f, "Json({text})"),
            Some((end, _)) => write!(f, "Json({}… {} bytes)", &text[..end], text.len()),
        }
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_kept_to_the_letter() {
        let text = r#"{"b": 1.10, "a":[12345678901234567890123, "\ud800"]}"#;
        let json = Json::new(text).unwrap();
        assert_eq!(json.as_str(), text);
        assert_eq!(serde_json::to_string(&json).unwrap(), text);
    }

    #[test]
    fn deep_nesting_costs_no_stack() {
        let deep = format!("{}{}", "[".repeat(60_000), "]".repeat(60_000));
        assert!(Json::new(deep).is_ok());
    }

    #[test]
    fn what_is_not_one_value_is_refused() {
        for bad in ["", "{", "1 2", "nul"] {
            assert!(Json::new(bad).is_err(), "{bad:?}");
        }
    }
}
