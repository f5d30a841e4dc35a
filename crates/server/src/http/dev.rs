//! What only the dev mode has: tokens for anybody who asks.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use skapi_rtc_protocol::{Project, UserId};
use uuid::Uuid;

use super::{ApiError, queries::text};
use crate::{
    auth::{DevAuthenticator, Identity},
    random,
    shared::{Shared, lock},
};

/// Long enough for a day's work.
const TOKEN_TTL: Duration = Duration::from_secs(24 * 60 * 60);
/// Skapi's client cannot renew a token here, so that it has to last.
const SESSION_TTL: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The name space (RFC 9562 §5.5) in which a user's name becomes an id.
const NAME_SPACE: Uuid = Uuid::from_u128(0x6b1f_0d2e_5c43_4e0c_9a7d_3f52_8e61_b0a4);
/// The longest user's name, in bytes.
const MAX_USER_BYTES: usize = Identity::MAX_NAME_BYTES;

#[derive(Deserialize)]
struct TokenRequest {
    user: UserId,
}

#[derive(Serialize)]
pub(super) struct TokenAnswer {
    token: String,
}

/// `POST /dev/token {"user": ".."}`: one token, with the user's id as it is.
pub(super) async fn token(
    State(shared): State<Arc<Shared>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<TokenAnswer>, ApiError> {
    let request: TokenRequest = read(&text(body)?, r#"{"user": "<user id>"}"#)?;
    let identity = Identity::new(request.user.clone()).name(request.user.as_str());
    let token = dev(&shared)?.session(&identity, None, TOKEN_TTL).access_token;
    Ok(Json(TokenAnswer { token }))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SessionRequest {
    /// A user id of Skapi's form, or any name, which always gets the same id. Default: a new user.
    user: Option<String>,
    /// Default: `user`, unless it is an id.
    name: Option<String>,
    picture: Option<String>,
    /// What the page gives to `new Skapi(service, owner)`. Default: the configured project, or the one that
    /// a page named last.
    service: Option<String>,
    owner: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionAnswer {
    id_token: String,
    access_token: String,
    refresh_token: String,
    #[serde(rename = "user_id")]
    user: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(rename = "expires_in")]
    expires_in: u64,
}

/// `POST /dev/session {user?, name?, ..}`: the three tokens that `skapi.loginWithToken` takes.
pub(super) async fn session(
    State(shared): State<Arc<Shared>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<SessionAnswer>, ApiError> {
    let body = text(body)?;
    let request: SessionRequest = match body.trim() {
        "" => SessionRequest::default(),
        body => read(body, r#"{"user": "<id or name>", "name": "<name>", "service": "<id>"}"#)?,
    };
    let project = match &request.service {
        Some(service) => Some(Project::new(service, request.owner.as_deref())?),
        None => shared.config.project.clone().or_else(|| lock(&shared.last_project).clone()),
    };
    let user = request.user.filter(|user| !user.is_empty());
    if user.as_ref().is_some_and(|user| user.len() > MAX_USER_BYTES) {
        let message = format!("the field `user` has more than {MAX_USER_BYTES} bytes");
        return Err(ApiError::bad_request("INVALID_PARAMETER", message));
    }
    let (id, called) = user_id(user.as_deref());
    let identity = Identity::new(id)
        .name(request.name.as_deref().or(called).unwrap_or_default())
        .picture(request.picture.unwrap_or_default());
    let tokens = dev(&shared)?.session(&identity, project.as_ref(), SESSION_TTL);
    Ok(Json(SessionAnswer {
        id_token: tokens.id_token,
        access_token: tokens.access_token,
        refresh_token: tokens.refresh_token,
        user: identity.user,
        name: identity.name,
        service: project.map(|project| project.service),
        expires_in: SESSION_TTL.as_secs(),
    }))
}

/// A user id of Skapi's form, which is a UUID, and the name where one was given instead: pages take anything
/// else for the name of a group.
fn user_id(user: Option<&str>) -> (UserId, Option<&str>) {
    let (uuid, name) = match user {
        None => (uuid::Builder::from_random_bytes(random::bytes()).into_uuid(), None),
        Some(user) => match Uuid::try_parse(user) {
            // In braces or without dashes, the client would not take it for an id.
            Ok(uuid) if uuid.hyphenated().to_string() == user.to_ascii_lowercase() => (uuid, None),
            _ => (Uuid::new_v5(&NAME_SPACE, user.as_bytes()), Some(user)),
        },
    };
    let id = UserId::new(uuid.hyphenated().to_string()).expect("a UUID is a user id");
    (id, name)
}

fn dev(shared: &Shared) -> Result<&DevAuthenticator, ApiError> {
    shared.dev.as_ref().ok_or_else(ApiError::not_found)
}

fn read<T: DeserializeOwned>(body: &str, expected: &str) -> Result<T, ApiError> {
    serde_json::from_str(body).map_err(|error| {
        ApiError::bad_request("INVALID_PARAMETER", format!("expected {expected}: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_always_becomes_the_same_id() {
        let (alice, name) = user_id(Some("alice"));
        assert_eq!(name, Some("alice"));
        assert_eq!(user_id(Some("alice")).0, alice);
        assert_ne!(user_id(Some("bob")).0, alice);
        assert_ne!(user_id(None), user_id(None));
        for odd in ["Zoë <b>", "{f2b4c1a0-1111-4222-8333-444455556666}", "cid:x"] {
            assert_eq!(user_id(Some(odd)).1, Some(odd));
        }
    }

    #[test]
    fn an_id_stays_itself() {
        let id = "F2B4C1A0-1111-4222-8333-444455556666";
        let (user, name) = user_id(Some(id));
        assert_eq!((user.as_str(), name), (id.to_ascii_lowercase().as_str(), None));
    }
}
