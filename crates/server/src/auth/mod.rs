//! Authentication: from a token to a user.

mod dev;
mod issuer;
mod jwt;
mod keys;
mod remote_keys;
mod resume_key;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use skapi_rtc_protocol::{IdError, UserId};

pub use dev::DevAuthenticator;
pub use issuer::{SessionTokens, TokenIssuer};
pub use jwt::JwtAuthenticator;
pub use keys::KeyError;
pub use resume_key::ResumeKey;

/// Decides who a client is.
///
/// Asked once for each WebSocket connection and each HTTP query. An implementation that asks others
/// (a database, another service) should bound how long it takes.
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// Checks a token.
    ///
    /// # Errors
    /// Why the token is refused. The text goes to the client, so it must not hold secrets.
    async fn authenticate(&self, token: &str) -> Result<Identity, AuthError>;
}

#[async_trait]
impl<A: Authenticator + ?Sized> Authenticator for std::sync::Arc<A> {
    async fn authenticate(&self, token: &str) -> Result<Identity, AuthError> {
        (**self).authenticate(token).await
    }
}

/// Who a client is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// The user.
    pub user: UserId,
    /// What the user is called, as `get-users` tells others. Default: unknown.
    pub name: Option<String>,
    /// The address of the user's picture, as `get-users` tells others. Default: unknown.
    pub picture: Option<String>,
}

impl Identity {
    /// A longer name, in bytes, counts as none.
    pub const MAX_NAME_BYTES: usize = 256;
    /// A longer address of a picture, in bytes, counts as none.
    pub const MAX_PICTURE_BYTES: usize = 2048;

    /// This user.
    pub fn new(user: UserId) -> Self {
        Self { user, name: None, picture: None }
    }

    /// Sets the name. An empty one, and one that is too long, counts as none.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = within(name.into(), Self::MAX_NAME_BYTES);
        self
    }

    /// Sets the picture's address. An empty one, and one that is too long, counts as none.
    #[must_use]
    pub fn picture(mut self, picture: impl Into<String>) -> Self {
        self.picture = within(picture.into(), Self::MAX_PICTURE_BYTES);
        self
    }
}

fn within(text: String, max: usize) -> Option<String> {
    (1..=max).contains(&text.len()).then_some(text)
}

/// Why a token was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// There is none.
    #[error(
        "a token is missing; give it as `?token=` to the WebSocket, as `Authorization` to a query"
    )]
    Missing,
    /// It is not a JSON Web Token.
    #[error("the token is malformed: {0}")]
    Malformed(String),
    /// It was signed in another way than the service's key demands, or not at all.
    #[error("the token is not signed with {expected}, which this service demands")]
    WrongAlgorithm {
        /// The algorithm of the service's key, e.g. `HS256`.
        expected: &'static str,
    },
    /// It was changed, or signed with another key.
    #[error("the token's signature is wrong; it was changed, or signed with another key")]
    BadSignature,
    /// Its `exp` has passed.
    #[error("the token has expired; get a new one")]
    Expired,
    /// Its `nbf` has not come.
    #[error("the token is not valid yet; are the clocks right?")]
    NotYetValid,
    /// A claim that has to be there is not.
    #[error("the token has no claim `{0}`")]
    MissingClaim(String),
    /// A claim is of the wrong type.
    #[error("the token's claim `{0}` cannot be read")]
    BadClaim(String),
    /// Its `sub` cannot be a user id.
    #[error("the token's claim `sub` is not a user id: {0}")]
    BadSubject(IdError),
    /// Its `aud` is another service.
    #[error("the token is meant for another audience (`aud`)")]
    WrongAudience,
    /// Its `iss` is not the one that is trusted.
    #[error("the token comes from another issuer (`iss`)")]
    WrongIssuer,
    /// It names a key that the service does not have.
    #[error("the token is signed with a key that this service does not know (`kid`)")]
    UnknownKey,
    /// Its `custom:service` is another service.
    #[error("the token is meant for another service (`custom:service`)")]
    WrongService,
    /// It could not be checked; nothing is known about the token.
    #[error("the token cannot be checked now: {0}")]
    Unavailable(String),
}

impl AuthError {
    /// The same for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "TOKEN_MISSING",
            Self::Malformed(_) => "TOKEN_MALFORMED",
            Self::WrongAlgorithm { .. } => "TOKEN_ALGORITHM",
            Self::BadSignature => "TOKEN_SIGNATURE",
            Self::Expired => "TOKEN_EXPIRED",
            Self::NotYetValid => "TOKEN_NOT_YET_VALID",
            Self::MissingClaim(_) | Self::BadClaim(_) | Self::BadSubject(_) => "TOKEN_CLAIMS",
            Self::WrongAudience => "TOKEN_AUDIENCE",
            Self::WrongIssuer => "TOKEN_ISSUER",
            Self::UnknownKey => "TOKEN_KEY",
            Self::WrongService => "TOKEN_SERVICE",
            Self::Unavailable(_) => "TOKEN_CHECK_UNAVAILABLE",
        }
    }
}
