//! The dev mode: anybody can be anybody.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use skapi_rtc_protocol::{Project, UserId};

use super::{
    AuthError, Authenticator, Identity, JwtAuthenticator, KeyError, ResumeKey, SessionTokens,
    TokenIssuer,
};

/// Checks tokens that it mints itself, for development and tests.
///
/// A server that is built with [`ServerBuilder::dev`](crate::ServerBuilder::dev) also hands them out, at
/// `POST /dev/token` and `POST /dev/session`, to anybody who asks.
///
/// Clones share the secret.
#[derive(Debug, Clone)]
pub struct DevAuthenticator {
    jwt: Arc<JwtAuthenticator>,
    issuer: TokenIssuer,
    resume_key: ResumeKey,
}

impl DevAuthenticator {
    /// A new one with a secret of its own, which ends with it.
    pub fn new() -> Self {
        Self::with_secret(&crate::random::bytes::<32>()).expect("32 bytes are a secret")
    }

    /// One with this secret, so that its tokens outlive a restart.
    ///
    /// # Errors
    /// When the secret is empty.
    pub fn with_secret(secret: &[u8]) -> Result<Self, KeyError> {
        Ok(Self {
            jwt: Arc::new(JwtAuthenticator::hs256(secret)?),
            issuer: TokenIssuer::hs256(secret)?,
            resume_key: ResumeKey::from_secret(secret)?,
        })
    }

    /// A token for a user, valid from now for this long (in whole seconds).
    pub fn mint(&self, user: &UserId, ttl: Duration) -> String {
        self.issuer.issue(user, ttl)
    }

    /// Connections can be resumed as long as tokens are good: over a restart, if the secret is the same.
    pub(crate) fn resume_key(&self) -> &ResumeKey {
        &self.resume_key
    }

    /// The tokens of a page's session, valid from now for this long (in whole seconds). Skapi's client takes
    /// only those of its own project.
    pub fn session(
        &self,
        identity: &Identity,
        project: Option<&Project>,
        ttl: Duration,
    ) -> SessionTokens {
        self.issuer.session(identity, project, ttl)
    }
}

impl Default for DevAuthenticator {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Authenticator for DevAuthenticator {
    async fn authenticate(&self, token: &str) -> Result<Identity, AuthError> {
        self.jwt.check(token)
    }
}
