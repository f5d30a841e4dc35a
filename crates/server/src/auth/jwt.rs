//! JSON Web Tokens: HS256 with a shared secret, RS256 or ES256 with public keys.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jsonwebtoken::{Algorithm, Validation, errors::ErrorKind};
use serde::Deserialize;
use serde_json::Value;
use skapi_rtc_protocol::UserId;

use super::{
    AuthError, Authenticator, Identity,
    keys::{Key, KeyError},
    remote_keys::RemoteKeys,
};

/// Checks JSON Web Tokens (RFC 7519).
///
/// A key's kind fixes the algorithm, so a token cannot choose one: neither `none`, nor HS256 with the
/// public key for a secret. `sub` is the user's id; `sub` and `exp` must be there. `name` and `picture` are
/// what others are told of the user.
pub struct JwtAuthenticator {
    keys: Keys,
    validation: Validation,
    service: Option<String>,
}

enum Keys {
    Given(Vec<Key>),
    Remote(Arc<RemoteKeys>),
}

impl JwtAuthenticator {
    /// The default of [`leeway`](Self::leeway).
    pub const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);

    /// Checks HS256 tokens with a shared secret. It should hold at least 32 random bytes.
    ///
    /// # Errors
    /// When the secret is empty.
    pub fn hs256(secret: &[u8]) -> Result<Self, KeyError> {
        Ok(Self::new(Keys::Given(vec![Key::secret(secret)?])))
    }

    /// Checks RS256 tokens with an RSA public key, or ES256 tokens with a P-256 public key, in PEM.
    ///
    /// # Errors
    /// When the text is not such a key.
    pub fn public_key_pem(pem: &[u8]) -> Result<Self, KeyError> {
        Ok(Self::new(Keys::Given(vec![Key::pem(pem)?])))
    }

    /// Checks RS256 and ES256 tokens with the keys of a JSON Web Key Set (RFC 7517).
    ///
    /// # Errors
    /// When the text is not such a set, or has no key that can be used.
    pub fn jwks(json: &[u8]) -> Result<Self, KeyError> {
        Ok(Self::new(Keys::Given(Key::set(json)?)))
    }

    /// Checks RS256 and ES256 tokens with the keys of a JSON Web Key Set at an address, which is asked when
    /// the first token comes, after an hour, and when a token names a key that is not in the set. A set that
    /// was fetched stays in use when the address does not answer.
    ///
    /// # Errors
    /// When the address is none.
    pub fn jwks_url(url: &str) -> Result<Self, KeyError> {
        Ok(Self::new(Keys::Remote(Arc::new(RemoteKeys::at(url)?))))
    }

    /// Fetches the keys now, where they have an address; so that a wrong one shows before the first token.
    ///
    /// # Errors
    /// When they cannot be had. The authenticator can be used all the same, and tries again.
    pub async fn load_keys(&self) -> Result<(), KeyError> {
        match &self.keys {
            Keys::Given(_) => Ok(()),
            Keys::Remote(remote) => remote.keys().await.map(|_| ()),
        }
    }

    /// Sets how long to wait at least before the address of the keys is asked again. Default: 10 s.
    pub fn refresh_pause(mut self, pause: Duration) -> Self {
        if let Keys::Remote(remote) = &mut self.keys
            && let Some(remote) = Arc::get_mut(remote)
        {
            remote.pause(pause);
        }
        self
    }

    /// Demands tokens for this service (`custom:service`). Default: any or none.
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.service = Some(service.into());
        self
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

    fn new(keys: Keys) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = Self::DEFAULT_LEEWAY.as_secs();
        validation.validate_nbf = true;
        // Without an expected audience there is nothing to compare a token's with.
        validation.validate_aud = false;
        Self { keys, validation, service: None }
    }

    /// Checks a token with keys that were given, without waiting for anything.
    pub(super) fn check(&self, token: &str) -> Result<Identity, AuthError> {
        match &self.keys {
            Keys::Given(keys) => self.check_with(keys, token),
            Keys::Remote(_) => Err(AuthError::Unavailable("the keys are not here".to_owned())),
        }
    }

    fn check_with(&self, keys: &[Key], token: &str) -> Result<Identity, AuthError> {
        if token.is_empty() {
            return Err(AuthError::Missing);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| {
            // The library cannot even name `none`, so it takes such a header for a broken one.
            if names_an_algorithm(token) { wrong_algorithm(keys) } else { malformed() }
        })?;
        let mut fitting = keys.iter().filter(|key| key.algorithm == header.alg).peekable();
        if fitting.peek().is_none() {
            return Err(wrong_algorithm(keys));
        }
        let named = |key: &&Key| key.id.is_none() || header.kid.is_none() || key.id == header.kid;
        // Without a name, any of several keys may be the one.
        let mut refusal = AuthError::UnknownKey;
        for key in fitting.filter(named) {
            match self.claims(key, token) {
                Err(AuthError::BadSignature) => refusal = AuthError::BadSignature,
                result => return result.and_then(|claims| self.identity(claims)),
            }
        }
        Err(refusal)
    }

    fn claims(&self, key: &Key, token: &str) -> Result<Claims, AuthError> {
        let mut validation = self.validation.clone();
        validation.algorithms = vec![key.algorithm];
        let decoded = jsonwebtoken::decode::<Claims>(token, &key.key, &validation);
        decoded.map(|token| token.claims).map_err(|error| refusal(error.kind()))
    }

    fn identity(&self, claims: Claims) -> Result<Identity, AuthError> {
        if let Some(service) = &self.service {
            match claims.service {
                Some(Value::String(claimed)) if claimed == *service => {}
                None => return Err(AuthError::MissingClaim("custom:service".to_owned())),
                Some(_) => return Err(AuthError::WrongService),
            }
        }
        let sub = match claims.sub {
            Some(Value::String(sub)) => sub,
            Some(_) => return Err(AuthError::BadClaim("sub".to_owned())),
            None => return Err(AuthError::MissingClaim("sub".to_owned())),
        };
        let user = UserId::new(sub).map_err(AuthError::BadSubject)?;
        let text = |claim: Option<Value>| match claim {
            Some(Value::String(text)) => text,
            // It is for show only, so whatever else stands there does no harm.
            _ => String::new(),
        };
        Ok(Identity::new(user).name(text(claims.name)).picture(text(claims.picture)))
    }
}

#[async_trait]
impl Authenticator for JwtAuthenticator {
    async fn authenticate(&self, token: &str) -> Result<Identity, AuthError> {
        let Keys::Remote(remote) = &self.keys else {
            return self.check(token);
        };
        let unavailable = |error: KeyError| AuthError::Unavailable(error.to_string());
        let loaded = remote.keys().await.map_err(unavailable)?;
        match self.check_with(&loaded.keys, token) {
            Err(AuthError::UnknownKey) => {
                let newer = remote.newer_than(Some(&loaded)).await.map_err(unavailable)?;
                self.check_with(&newer.keys, token)
            }
            result => result,
        }
    }
}

impl std::fmt::Debug for JwtAuthenticator {
    /// Leaves the keys out: one may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JwtAuthenticator").field("service", &self.service).finish_non_exhaustive()
    }
}

fn refusal(kind: &ErrorKind) -> AuthError {
    match kind {
        ErrorKind::InvalidSignature => AuthError::BadSignature,
        ErrorKind::ExpiredSignature => AuthError::Expired,
        ErrorKind::ImmatureSignature => AuthError::NotYetValid,
        ErrorKind::InvalidAudience => AuthError::WrongAudience,
        ErrorKind::InvalidIssuer => AuthError::WrongIssuer,
        ErrorKind::MissingRequiredClaim(claim) => AuthError::MissingClaim(claim.clone()),
        ErrorKind::InvalidClaimFormat(claim) => AuthError::BadClaim(claim.clone()),
        _ => malformed(),
    }
}

fn malformed() -> AuthError {
    AuthError::Malformed("it is not a JSON Web Token".to_owned())
}

fn wrong_algorithm(keys: &[Key]) -> AuthError {
    let has = |algorithm| keys.iter().any(|key| key.algorithm == algorithm);
    let expected = match (has(Algorithm::RS256), has(Algorithm::ES256)) {
        (true, true) => "RS256 or ES256",
        (true, false) => "RS256",
        (false, true) => "ES256",
        (false, false) => "HS256",
    };
    AuthError::WrongAlgorithm { expected }
}

#[derive(Deserialize)]
struct Claims {
    sub: Option<Value>,
    name: Option<Value>,
    picture: Option<Value>,
    #[serde(rename = "custom:service")]
    service: Option<Value>,
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
