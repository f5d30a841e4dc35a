//! Making tokens: for development, for tests, and for operators without a backend of their own.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;
use skapi_rtc_protocol::{Project, UserId};

use super::{Identity, KeyError};
use crate::random;

/// Mints HS256 tokens that a [`JwtAuthenticator`](crate::JwtAuthenticator) with the same secret accepts.
#[derive(Clone)]
pub struct TokenIssuer {
    key: EncodingKey,
    audience: Option<String>,
    issuer: Option<String>,
}

/// The three tokens that `skapi.loginWithToken` of Skapi's client takes.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionTokens {
    /// Goes with HTTP queries, and tells the page who its user is.
    pub id_token: String,
    /// Goes with the WebSocket.
    pub access_token: String,
    /// Opens nothing: a service of one's own renews no tokens. The client demands one all the same.
    pub refresh_token: String,
}

impl TokenIssuer {
    /// Signs with this secret.
    ///
    /// # Errors
    /// When the secret is empty.
    pub fn hs256(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.is_empty() {
            return Err(KeyError::EmptySecret);
        }
        Ok(Self { key: EncodingKey::from_secret(secret), audience: None, issuer: None })
    }

    /// Names an audience (`aud`) in every token. Default: none.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Names the issuer (`iss`) in every token. Default: none.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// A token for a user, valid from now for this long (in whole seconds).
    pub fn issue(&self, user: &UserId, ttl: Duration) -> String {
        self.sign(&self.claims(user, ttl))
    }

    /// The tokens of a page's session, valid from now for this long (in whole seconds). Skapi's client takes
    /// only those of its own project.
    pub fn session(
        &self,
        identity: &Identity,
        project: Option<&Project>,
        ttl: Duration,
    ) -> SessionTokens {
        let claims = Claims {
            name: identity.name.as_deref(),
            picture: identity.picture.as_deref(),
            service: project.map(|project| project.service.as_str()),
            owner: project.and_then(|project| project.owner.as_deref()),
            ..self.claims(&identity.user, ttl)
        };
        let id_token = self.sign(&Claims {
            token_use: Some("id"),
            auth_time: Some(claims.iat),
            cognito_username: Some(&identity.user),
            ..claims
        });
        let access_token = self.sign(&Claims { token_use: Some("access"), ..claims });
        let refresh_token = URL_SAFE_NO_PAD.encode(random::bytes::<32>());
        SessionTokens { id_token, access_token, refresh_token }
    }

    fn claims<'a>(&'a self, user: &'a UserId, ttl: Duration) -> Claims<'a> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Claims {
            sub: Some(user),
            iat: now,
            exp: now.saturating_add(ttl.as_secs()),
            aud: self.audience.as_deref(),
            iss: self.issuer.as_deref(),
            ..Claims::default()
        }
    }

    fn sign(&self, claims: &Claims<'_>) -> String {
        jsonwebtoken::encode(&Header::default(), claims, &self.key)
            .unwrap_or_else(|error| unreachable!("HS256 signs any claims: {error}"))
    }
}

impl fmt::Debug for SessionTokens {
    /// Leaves the tokens out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionTokens").finish_non_exhaustive()
    }
}

impl fmt::Debug for TokenIssuer {
    /// Leaves the secret out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenIssuer").finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Default, Serialize)]
struct Claims<'a> {
    sub: Option<&'a UserId>,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_use: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<u64>,
    /// Without it the client forgets the session when the page is loaded again.
    #[serde(rename = "cognito:username", skip_serializing_if = "Option::is_none")]
    cognito_username: Option<&'a UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<&'a str>,
    #[serde(rename = "custom:service", skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    #[serde(rename = "custom:owner", skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
}
