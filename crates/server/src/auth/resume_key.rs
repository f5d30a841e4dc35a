//! Secrets by which clients come back: made and checked without a list of them.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use skapi_rtc_protocol::{ConnectionId, UserId};

use super::KeyError;

/// Signs and checks resume secrets (section 3 of `docs/protocol.md`).
///
/// Servers with the same key honour each other's, and one its own after a restart.
#[derive(Clone)]
pub struct ResumeKey {
    sign: EncodingKey,
    check: DecodingKey,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    cid: ConnectionId,
    sub: UserId,
    /// Which life of the connection; none of them in a secret of an older version.
    #[serde(default)]
    life: u64,
    exp: u64,
}

impl ResumeKey {
    /// The key is derived from the secret, so that the secret by which tokens are signed will do: no
    /// resume secret is a token, and no token a resume secret.
    ///
    /// # Errors
    /// When the secret is empty.
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeyError> {
        const PURPOSE: &[u8] = b"skapi-rtc resume 1";
        if secret.is_empty() {
            return Err(KeyError::EmptySecret);
        }
        let secret = EncodingKey::from_secret(secret);
        let derived = jsonwebtoken::crypto::sign(PURPOSE, &secret, Algorithm::HS256)
            .unwrap_or_else(|error| unreachable!("HS256 signs any bytes: {error}"));
        Ok(Self {
            sign: EncodingKey::from_secret(derived.as_bytes()),
            check: DecodingKey::from_secret(derived.as_bytes()),
        })
    }

    /// A key of its own, which ends with it.
    pub fn random() -> Self {
        Self::from_secret(&crate::random::bytes::<32>())
            .unwrap_or_else(|error| unreachable!("32 bytes are a secret: {error}"))
    }

    /// A secret for this life of a connection of this user's, good for so long.
    pub(crate) fn issue(
        &self,
        cid: &ConnectionId,
        life: u64,
        user: &UserId,
        now: SystemTime,
        good_for: Duration,
    ) -> String {
        let exp = seconds(now).saturating_add(good_for.as_secs());
        let claims = Claims { cid: cid.clone(), sub: user.clone(), life, exp };
        jsonwebtoken::encode(&Header::default(), &claims, &self.sign)
            .unwrap_or_else(|error| unreachable!("HS256 signs any claims: {error}"))
    }

    /// The connection that this user may take up with this secret, and in which life of it the secret was
    /// given.
    pub(crate) fn honour(
        &self,
        secret: &str,
        user: &UserId,
        now: SystemTime,
    ) -> Option<(ConnectionId, u64)> {
        let mut validation = Validation::new(Algorithm::HS256);
        // Below, with a clock that is an argument.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(secret, &self.check, &validation).ok()?.claims;
        (claims.sub == *user && seconds(now) < claims.exp).then_some((claims.cid, claims.life))
    }
}

impl fmt::Debug for ResumeKey {
    /// Leaves the key out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumeKey").finish_non_exhaustive()
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{JwtAuthenticator, TokenIssuer};

    const SECRET: &[u8] = b"a secret of thirty-two bytes, ok";
    const LIFE: Duration = Duration::from_secs(60);

    #[test]
    fn a_secret_is_good_for_its_connection_its_user_its_time_and_its_key() {
        let key = ResumeKey::from_secret(SECRET).unwrap();
        let (alice, bob) = (UserId::new("alice").unwrap(), UserId::new("bob").unwrap());
        let cid = ConnectionId::new("aB3+/=_-").unwrap();
        let now = SystemTime::now();
        let secret = key.issue(&cid, 7, &alice, now, LIFE);
        let again = ResumeKey::from_secret(SECRET).unwrap();
        assert_eq!(again.honour(&secret, &alice, now), Some((cid.clone(), 7)));
        assert_eq!(
            key.honour(&secret, &alice, now + LIFE - Duration::from_secs(1)),
            Some((cid, 7))
        );
        assert_eq!(key.honour(&secret, &alice, now + LIFE), None);
        assert_eq!(key.honour(&secret, &bob, now), None);
        assert_eq!(ResumeKey::random().honour(&secret, &alice, now), None);
        for wrong in ["", "x", "a.b.c", &secret[..secret.len() - 2]] {
            assert_eq!(key.honour(wrong, &alice, now), None, "{wrong}");
        }
        assert_eq!(ResumeKey::from_secret(b"").unwrap_err(), KeyError::EmptySecret);
        assert!(!format!("{key:?}").contains("secret"));
    }

    #[test]
    fn a_resume_secret_is_no_token_and_a_token_no_resume_secret() {
        let key = ResumeKey::from_secret(SECRET).unwrap();
        let alice = UserId::new("alice").unwrap();
        let now = SystemTime::now();
        let secret = key.issue(&ConnectionId::new("a").unwrap(), 1, &alice, now, LIFE);
        assert!(JwtAuthenticator::hs256(SECRET).unwrap().check(&secret).is_err());
        let token = TokenIssuer::hs256(SECRET).unwrap().issue(&alice, LIFE);
        assert_eq!(key.honour(&token, &alice, now), None);
    }
}
