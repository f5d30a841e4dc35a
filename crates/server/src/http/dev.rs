//! `POST /dev/token {"user": ".."}`: a token for anybody; in dev mode only.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use skapi_rtc_protocol::UserId;

use super::{ApiError, queries::text};
use crate::shared::Shared;

/// Long enough for a day's work.
const TTL: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Deserialize)]
struct TokenRequest {
    user: UserId,
}

#[derive(Serialize)]
pub(super) struct TokenAnswer {
    token: String,
}

pub(super) async fn token(
    State(shared): State<Arc<Shared>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<TokenAnswer>, ApiError> {
    let request: TokenRequest = serde_json::from_str(&text(body)?).map_err(|error| {
        let message = format!("expected {{\"user\": \"<user id>\"}}: {error}");
        ApiError::bad_request("INVALID_PARAMETER", message)
    })?;
    match &shared.dev {
        Some(dev) => Ok(Json(TokenAnswer { token: dev.mint(&request.user, TTL) })),
        None => {
            Err(ApiError::new(StatusCode::NOT_FOUND, "NOT_FOUND", "the service is not in dev mode"))
        }
    }
}
