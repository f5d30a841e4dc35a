//! The queries: `POST get-ws-group`, who is in a group and which groups there are; `POST get-users`, what
//! users are called.

use std::{sync::Arc, time::Instant};

use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use skapi_rtc_protocol::http::{GroupQuery, Page, Profile, ProfilesQuery};

use super::{ApiError, MAX_BODY_BYTES, authenticate};
use crate::shared::{Shared, lock};

pub(super) async fn get_ws_group(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let body = admitted(&shared, &headers, body).await?;
    let answer = match GroupQuery::decode(&body)? {
        GroupQuery::Users(query) => Json(shared.router.users(&query)?).into_response(),
        GroupQuery::Groups(query) => Json(shared.router.groups(&query)?).into_response(),
    };
    shared.metrics.queries_total.add(1);
    Ok(answer)
}

pub(super) async fn get_users(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Page<Profile>>, ApiError> {
    let body = admitted(&shared, &headers, body).await?;
    let page = lock(&shared.directory).find(&ProfilesQuery::decode(&body)?)?;
    shared.metrics.queries_total.add(1);
    Ok(Json(page))
}

/// The body of a query whose sender may ask.
async fn admitted(
    shared: &Shared,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<String, ApiError> {
    let identity = authenticate(shared, token(headers)).await?;
    let passed = lock(&shared.queries).pass(&identity.user, Instant::now());
    passed.map_err(|wait| {
        let message = "you ask too often; try again after the seconds in `Retry-After`";
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS", message)
            .retry_after(wait.as_secs().saturating_add(1))
    })?;
    text(body)
}

/// The token as Skapi's client sends it, bare, or after `Bearer`, as everybody else does.
fn token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim();
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Some(token.trim()),
        _ => Some(value),
    }
}

/// The body of a request as text.
pub(super) fn text(body: Result<Bytes, BytesRejection>) -> Result<String, ApiError> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "TOO_LARGE",
            format!("the request has more than {MAX_BODY_BYTES} bytes"),
        ),
        _ => ApiError::bad_request("INVALID_REQUEST", "the request could not be read"),
    })?;
    String::from_utf8(body.into())
        .map_err(|_| ApiError::bad_request("INVALID_REQUEST", "the request is not UTF-8"))
}
