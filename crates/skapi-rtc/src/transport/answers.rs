//! What services say over HTTP: how much of it is read, and why something was refused.

use std::time::Duration;

use serde_json::Value;

/// The largest answer to a query.
pub(super) const MAX_ANSWER: usize = 8 * 1024 * 1024;
/// How long a query may take.
pub(super) const QUERY_TIMEOUT: Duration = Duration::from_secs(15);
/// The longest time a service can ask us to stay away, so that a slip of its own does not last for ever.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// What the service says in the body of a refusal: the `message` of an error body, or the text itself.
pub(super) fn said(body: &[u8]) -> String {
    const SHOWN: usize = 300;
    let message = serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|body| body.get("message")?.as_str().map(str::to_owned));
    message.unwrap_or_else(|| String::from_utf8_lossy(body).chars().take(SHOWN).collect())
}

/// When to come back, by the header `Retry-After` in seconds.
#[cfg_attr(target_arch = "wasm32", expect(dead_code, reason = "a page does not see it"))]
pub(super) fn retry_after(value: &str) -> Option<Duration> {
    Some(Duration::from_secs(value.parse().ok()?).min(MAX_RETRY_AFTER))
}
