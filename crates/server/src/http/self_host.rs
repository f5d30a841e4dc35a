//! `GET /self-host.js`: one script tag that points Skapi's client at this service.
//!
//! The client asks a fixed host for its addresses. The script answers those requests in the page, so it
//! works over plain HTTP and for every form of service id, and the client goes on as it always does.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{RawQuery, State},
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use skapi_rtc_protocol::{AdminEndpoints, Project, RecordEndpoints};

use super::{ApiError, origin::Origin, query_field};
use crate::{accept::Peer, shared::Shared};

const SCRIPT: &str = include_str!("self_host.js");

pub(super) async fn answer(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let address = Origin::of(&shared, &peer, &headers).address(&shared)?;
    let field = |name| query_field(query.as_deref(), name);
    let project = match field("service") {
        Some(service) => Some(Project::new(&service, field("owner").as_deref())?),
        None => None,
    };
    let documents = json!({
        "admin": AdminEndpoints::at(&address.api()),
        "record": RecordEndpoints::at(&address.api(), &address.websocket()),
    });
    let region = project.as_ref().map(Project::region);
    // The region is too short to hold the other place's name.
    let script = SCRIPT.replacen("@region@", &literal(&json!(region)), 1).replacen(
        "@documents@",
        &literal(&documents),
        1,
    );
    if let Some(project) = project {
        shared.introduce(project);
    }
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        // It depends on who asks, and the service may move.
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, script).into_response())
}

/// A value as JavaScript. JSON is a part of that; what a page's HTML or an old parser could take for an end
/// is escaped all the same, as people inline scripts.
fn literal(value: &Value) -> String {
    let mut text = String::new();
    for character in value.to_string().chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                text.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => text.push(character),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_a_literal() {
        let nasty = "\"</script><!--\\\u{2028}\u{2029}&\n'";
        let text = literal(&json!(nasty));
        assert!(!text.contains(['<', '>', '&', '\n', '\u{2028}', '\u{2029}']), "{text}");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), nasty);
    }

    #[test]
    fn the_script_has_one_place_for_each_value() {
        for place in ["@documents@", "@region@"] {
            assert_eq!(SCRIPT.matches(place).count(), 1);
        }
    }
}
