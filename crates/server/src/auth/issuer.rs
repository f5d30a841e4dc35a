//! Making tokens: for development, for tests, and for operators without a backend of their own.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;
use skapi_rtc_protocol::UserId;

use super::KeyError;

/// Mints HS256 tokens that a [`JwtAuthenticator`](crate::JwtAuthenticator) with the same secret accepts.
#[derive(Clone)]
pub struct TokenIssuer {
    key: EncodingKey,
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
        Ok(Self { key: EncodingKey::from_secret(secret) })
    }

    /// A token for a user, valid from now for this long (in whole seconds).
    pub fn issue(&self, user: &UserId, ttl: Duration) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let claims = Claims { sub: user, iat: now, exp: now.saturating_add(ttl.as_secs()) };
        jsonwebtoken::encode(&Header::default(), &claims, &self.key)
            .unwrap_or_else(|error| unreachable!("HS256 signs any claims: {error}"))
    }
}

impl fmt::Debug for TokenIssuer {
    /// Leaves the secret out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenIssuer").finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a UserId,
    iat: u64,
    exp: u64,
}
