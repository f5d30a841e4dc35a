//! JSON Web Tokens: HS256 with a shared secret, RS256 or ES256 with a public key.

use std::time::Duration;

use async_trait::async_trait;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, errors::ErrorKind};
use serde::Deserialize;
use skapi_rtc_protocol::UserId;

use super::{AuthError, Authenticator, Identity};

/// Checks JSON Web Tokens (RFC 7519).
///
/// The key's type fixes the algorithm, so a token cannot choose one: neither `none`, nor HS256 with the
/// public key for a secret. `sub` is the user's id; `sub` and `exp` must be there.
pub struct JwtAuthenticator {
    key: DecodingKey,
    algorithm: Algorithm,
    validation: Validation,
}

/// A key cannot be used to check tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The secret is empty.
    #[error("the secret is empty; make one with `openssl rand -base64 32`")]
    EmptySecret,
    /// A private key where the public one belongs.
    #[error(
        "this is a private key; the service needs the public one only (`openssl pkey -in KEY -pubout`)"
    )]
    PrivateKey,
    /// Nothing that we know.
    #[error("this is neither an RSA nor a P-256 public key in PEM (`-----BEGIN PUBLIC KEY-----`)")]
    Unsupported,
}

impl JwtAuthenticator {
    /// The default of [`leeway`](Self::leeway).
    pub const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);

    /// Checks HS256 tokens with a shared secret. It should hold at least 32 random bytes.
    ///
    /// # Errors
    /// When the secret is empty.
    pub fn hs256(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.is_empty() {
            return Err(KeyError::EmptySecret);
        }
        Ok(Self::new(DecodingKey::from_secret(secret), Algorithm::HS256))
    }

    /// Checks RS256 tokens with an RSA public key, or ES256 tokens with a P-256 public key, in PEM.
    ///
    /// # Errors
    /// When the text is not such a key.
    pub fn public_key_pem(pem: &[u8]) -> Result<Self, KeyError> {
        /// Of an uncompressed point on P-256 (SEC 1 §2.3.3).
        const P256_POINT_BYTES: usize = 65;
        if String::from_utf8_lossy(pem).contains("PRIVATE KEY-----") {
            return Err(KeyError::PrivateKey);
        }
        if let Ok(key) = DecodingKey::from_rsa_pem(pem) {
            return Ok(Self::new(key, Algorithm::RS256));
        }
        let key = DecodingKey::from_ec_pem(pem).map_err(|_| KeyError::Unsupported)?;
        match key.try_get_as_bytes() {
            Ok(point) if point.len() == P256_POINT_BYTES => Ok(Self::new(key, Algorithm::ES256)),
            _ => Err(KeyError::Unsupported),
        }
    }

    /// Sets by how much clocks may differ. Default: 30 s.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.validation.leeway = leeway.as_secs();
        self
    }

    /// Demands an `aud` that is or holds this. Default: any or none.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.validation.validate_aud = true;
        self.validation.set_audience(&[audience.into()]);
        self.validation.required_spec_claims.insert("aud".to_owned());
        self
    }

    /// Demands this `iss`. Default: any or none.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.validation.set_issuer(&[issuer.into()]);
        self.validation.required_spec_claims.insert("iss".to_owned());
        self
    }

    fn new(key: DecodingKey, algorithm: Algorithm) -> Self {
        let mut validation = Validation::new(algorithm);
        validation.leeway = Self::DEFAULT_LEEWAY.as_secs();
        validation.validate_nbf = true;
        // Without an expected audience there is nothing to compare a token's with.
        validation.validate_aud = false;
        Self { key, algorithm, validation }
    }

    /// Checks a token without waiting for anything.
    pub(super) fn check(&self, token: &str) -> Result<Identity, AuthError> {
        if token.is_empty() {
            return Err(AuthError::Missing);
        }
        let claims = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation)
            .map_err(|error| self.refusal(token, error.kind()))?
            .claims;
        let sub = match claims.sub {
            Some(serde_json::Value::String(sub)) => sub,
            Some(_) => return Err(AuthError::BadClaim("sub".to_owned())),
            None => return Err(AuthError::MissingClaim("sub".to_owned())),
        };
        let user = UserId::new(sub).map_err(AuthError::BadSubject)?;
        let text = |claim: Option<serde_json::Value>| match claim {
            Some(serde_json::Value::String(text)) => text,
            // It is for show only, so whatever else stands there does no harm.
            _ => String::new(),
        };
        Ok(Identity::new(user).name(text(claims.name)).picture(text(claims.picture)))
    }

    fn refusal(&self, token: &str, kind: &ErrorKind) -> AuthError {
        match kind {
            ErrorKind::InvalidSignature => AuthError::BadSignature,
            ErrorKind::ExpiredSignature => AuthError::Expired,
            ErrorKind::ImmatureSignature => AuthError::NotYetValid,
            ErrorKind::InvalidAudience => AuthError::WrongAudience,
            ErrorKind::InvalidIssuer => AuthError::WrongIssuer,
            ErrorKind::MissingRequiredClaim(claim) => AuthError::MissingClaim(claim.clone()),
            ErrorKind::InvalidClaimFormat(claim) => AuthError::BadClaim(claim.clone()),
            ErrorKind::InvalidAlgorithm => self.wrong_algorithm(),
            // The library cannot even name `none`, so it takes such a header for a broken one.
            _ if names_an_algorithm(token) && jsonwebtoken::decode_header(token).is_err() => {
                self.wrong_algorithm()
            }
            _ => AuthError::Malformed("it is not a JSON Web Token".to_owned()),
        }
    }

    fn wrong_algorithm(&self) -> AuthError {
        AuthError::WrongAlgorithm {
            expected: match self.algorithm {
                Algorithm::RS256 => "RS256",
                Algorithm::ES256 => "ES256",
                _ => "HS256",
            },
        }
    }
}

#[async_trait]
impl Authenticator for JwtAuthenticator {
    async fn authenticate(&self, token: &str) -> Result<Identity, AuthError> {
        self.check(token)
    }
}

impl std::fmt::Debug for JwtAuthenticator {
    /// Leaves the key out: it may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JwtAuthenticator")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Claims {
    sub: Option<serde_json::Value>,
    name: Option<serde_json::Value>,
    picture: Option<serde_json::Value>,
}

/// Whether the token has a header that is one but for its algorithm.
fn names_an_algorithm(token: &str) -> bool {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    #[derive(Deserialize)]
    struct Header {
        #[serde(rename = "alg")]
        _alg: String,
    }
    let header = token.split('.').next().unwrap_or_default();
    let json = URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
    serde_json::from_slice::<Header>(&json).is_ok()
}
