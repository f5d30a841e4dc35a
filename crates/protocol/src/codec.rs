//! Text to frame and back, with limits and with errors that name the field.

use std::borrow::Cow;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{ClientFrame, ConnectionId, IdError, Json, ServerFrame};

/// The default of [`Limits::max_frame_bytes`]: 128 KiB, what the hosted service allows.
pub const DEFAULT_MAX_FRAME_BYTES: usize = 128 * 1024;

/// What a decoder accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest frame, in bytes of UTF-8. Default: [`DEFAULT_MAX_FRAME_BYTES`].
    pub max_frame_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_frame_bytes: DEFAULT_MAX_FRAME_BYTES }
    }
}

impl Limits {
    /// Sets the largest frame, in bytes of UTF-8.
    pub fn max_frame_bytes(mut self, bytes: usize) -> Self {
        self.max_frame_bytes = bytes;
        self
    }
}

/// A frame could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The frame is larger than the limit.
    #[error("the frame has {len} bytes, at most {max} are allowed")]
    TooLarge {
        /// Its size in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The frame is not JSON.
    #[error("the frame is not valid JSON: {0}")]
    Syntax(String),
    /// The frame is JSON, but not an object.
    #[error("the frame is not a JSON object")]
    NotAnObject,
    /// A field is there twice, so readers could disagree on which one counts.
    #[error("the field `{0}` is there more than once")]
    Repeated(String),
    /// A field is missing.
    #[error("the field `{0}` is missing")]
    Missing(&'static str),
    /// A field is there but cannot be used.
    #[error("the field `{field}` is invalid: {reason}")]
    Field {
        /// The field's name on the wire.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// Reads a frame from a client.
///
/// # Errors
/// Says what is wrong and with which field. An unknown action is not an error.
pub fn decode_client(text: &str, limits: &Limits) -> Result<ClientFrame, DecodeError> {
    check_size(text, limits)?;
    ClientFrame::decode(text)
}

/// Reads a frame from the service.
///
/// # Errors
/// Says what is wrong and with which field. A frame without a known key is not an error.
pub fn decode_server(text: &str, limits: &Limits) -> Result<ServerFrame, DecodeError> {
    check_size(text, limits)?;
    ServerFrame::decode(text)
}

/// Writes a frame of a client.
pub fn encode_client(frame: &ClientFrame) -> String {
    written(frame.encode())
}

/// Writes a frame of the service, so that it survives `JSON.parse(decodeURI(text))`, which is what
/// Skapi's client does with it: every `%` is written as `\u0025`.
pub fn encode_server(frame: &ServerFrame) -> String {
    protect_percent(written(frame.encode()))
}

fn check_size(text: &str, limits: &Limits) -> Result<(), DecodeError> {
    let (len, max) = (text.len(), limits.max_frame_bytes);
    if len > max { Err(DecodeError::TooLarge { len, max }) } else { Ok(()) }
}

/// Frames hold text, numbers and checked JSON, all of which have a form in JSON.
fn written(text: Result<String, serde_json::Error>) -> String {
    text.unwrap_or_else(|error| unreachable!("a frame always has a form in JSON: {error}"))
}

/// `%` can stand only inside strings of a JSON text, so it can be escaped without parsing.
fn protect_percent(text: String) -> String {
    if text.contains('%') { text.replace('%', r"\u0025") } else { text }
}

/// Takes the protection back, so that a content arrives as it was written.
fn unprotect_percent(text: &str) -> Cow<'_, str> {
    const PROTECTED: &str = "u0025";
    if !text.contains(r"\u0025") {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        if let Some(after) = escape[1..].strip_prefix(PROTECTED) {
            out.push('%');
            rest = after;
        } else {
            // A backslash and what it escapes go together: `\\u0025` is a backslash and plain text.
            let end = escape.char_indices().nth(2).map_or(escape.len(), |(end, _)| end);
            out.push_str(&escape[..end]);
            rest = &escape[end..];
        }
    }
    out.push_str(rest);
    out.into()
}

/// Reading of single fields, so that an error names the field it is about.
pub(crate) struct Fields;

impl Fields {
    /// Splits a JSON object into its raw fields.
    pub(crate) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, DecodeError> {
        // serde would take an array for a struct, field by field.
        if !text.trim_start().starts_with('{') {
            return Err(match serde_json::from_str::<&RawValue>(text) {
                Ok(_) => DecodeError::NotAnObject,
                Err(error) => DecodeError::Syntax(error.to_string()),
            });
        }
        serde_json::from_str(text).map_err(|error| {
            let message = error.to_string();
            // The fields are taken raw, so the one thing wrong with an object's data is a repeated field.
            match message.split('`').nth(1) {
                Some(field) if error.is_data() => DecodeError::Repeated(field.to_owned()),
                _ => DecodeError::Syntax(message),
            }
        })
    }

    /// A field that must be there.
    pub(crate) fn required<T: DeserializeOwned>(
        field: &'static str,
        raw: Option<&RawValue>,
    ) -> Result<T, DecodeError> {
        Self::read(field, raw.ok_or(DecodeError::Missing(field))?)
    }

    /// A field that may be missing or `null`.
    pub(crate) fn optional<T: DeserializeOwned>(
        field: &'static str,
        raw: Option<&RawValue>,
    ) -> Result<Option<T>, DecodeError> {
        raw.map_or(Ok(None), |raw| Self::read(field, raw))
    }

    /// A field that may be missing, kept as it came, `null` included.
    pub(crate) fn present(
        field: &'static str,
        raw: Option<&RawValue>,
    ) -> Result<Option<Json>, DecodeError> {
        raw.map(|raw| Self::read(field, raw)).transpose()
    }

    /// A field that holds an object. serde would take an array for one, field by field.
    pub(crate) fn record<T: DeserializeOwned>(
        field: &'static str,
        raw: Option<&RawValue>,
    ) -> Result<T, DecodeError> {
        let raw = raw.ok_or(DecodeError::Missing(field))?;
        if raw.get().starts_with('{') {
            Self::read(field, raw)
        } else {
            Err(invalid(field, "it is not an object"))
        }
    }

    /// A content of the service, with the protection of `%` taken back.
    pub(crate) fn content(
        field: &'static str,
        raw: Option<&RawValue>,
    ) -> Result<Json, DecodeError> {
        let raw = raw.ok_or(DecodeError::Missing(field))?;
        Json::new(unprotect_percent(raw.get())).map_err(|error| invalid(field, error))
    }

    /// A frame of a client as a whole.
    pub(crate) fn whole(text: &str) -> Result<Json, DecodeError> {
        Json::new(text).map_err(|error| DecodeError::Syntax(error.to_string()))
    }

    /// A frame of the service as a whole, with the protection of `%` taken back.
    pub(crate) fn whole_unprotected(text: &str) -> Result<Json, DecodeError> {
        Self::whole(&unprotect_percent(text))
    }

    /// A field's value.
    pub(crate) fn read<T: DeserializeOwned>(
        field: &'static str,
        raw: &RawValue,
    ) -> Result<T, DecodeError> {
        serde_json::from_str(raw.get()).map_err(|error| invalid(field, error))
    }
}

/// A connection id in the `cid:` form in which it stands in a client's frames.
pub(crate) fn edge_cid(
    field: &'static str,
    raw: Option<&RawValue>,
) -> Result<ConnectionId, DecodeError> {
    let text: String = Fields::required(field, raw)?;
    ConnectionId::new(text).map_err(|error: IdError| invalid(field, error))
}

pub(crate) fn invalid(field: &'static str, error: impl std::fmt::Display) -> DecodeError {
    DecodeError::Field { field, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_is_protected_and_comes_back() {
        let frame =
            ServerFrame::Error { text: r"100% of \u0025".to_owned(), code: None, reference: None };
        let text = encode_server(&frame);
        assert!(!text.contains('%'));
        assert_eq!(decode_server(&text, &Limits::default()).unwrap(), frame);
    }

    #[test]
    fn only_the_escape_itself_is_unprotected() {
        for (written, read) in [
            (r#""\u0025""#, r#""%""#),
            (r#""\\u0025""#, r#""\\u0025""#),
            (r#""\\\u0025""#, r#""\\%""#),
            (r#""\u0025\u0025é\n""#, r#""%%é\n""#),
        ] {
            assert_eq!(unprotect_percent(written), read);
        }
    }

    #[test]
    fn oversize_frames_are_refused_before_they_are_read() {
        let limits = Limits::default().max_frame_bytes(10);
        assert_eq!(
            decode_client("{not json at all", &limits),
            Err(DecodeError::TooLarge { len: 16, max: 10 })
        );
    }

    #[test]
    fn an_empty_group_leaves_as_null_does() {
        for rid in [r#""""#, "null"] {
            let frame = format!(r#"{{"action":"joinRoom","rid":{rid}}}"#);
            let frame = decode_client(&frame, &Limits::default()).unwrap();
            assert!(matches!(frame, ClientFrame::JoinRoom { group: None, .. }), "{frame:?}");
        }
    }

    #[test]
    fn errors_name_the_field() {
        let limits = Limits::default();
        let error = |text| decode_client(text, &limits).unwrap_err().to_string();
        assert_eq!(error(r#"{"rid":"G"}"#), "the field `action` is missing");
        assert_eq!(error(r#"{"action":"broadcast","rid":"G"}"#), "the field `content` is missing");
        assert!(
            error(r#"{"action":"joinRoom","rid":7}"#).starts_with("the field `rid` is invalid")
        );
        assert!(error(r##"{"action":"joinRoom","rid":"a#b"}"##).contains("`rid`"));
        assert!(error(r#"{"action":"rtc","uid":"cid:<b>","content":1}"#).contains("`uid`"));
        assert_eq!(error(r#"["keepAlive"]"#), "the frame is not a JSON object");
        assert!(error("{").starts_with("the frame is not valid JSON"));
        assert_eq!(
            error(r#"{"action":"joinRoom","rid":"a","rid":"b"}"#),
            "the field `rid` is there more than once"
        );
    }
}
