//! Keys that tokens are checked with: a secret, a public key in PEM, or a JSON Web Key Set (RFC 7517).

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse},
};
use serde::Deserialize;

/// Keys that a set may have, at most; real ones have two or three.
const MAX_KEYS: usize = 100;

/// One key. Its kind fixes the algorithm, so that a token cannot choose one.
pub(super) struct Key {
    /// A token that names a key (`kid`) is checked with the one of that name, or with one without.
    pub(super) id: Option<String>,
    pub(super) key: DecodingKey,
    pub(super) algorithm: Algorithm,
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
    /// No JSON Web Key Set.
    #[error("this is no JSON Web Key Set (`{{\"keys\": [..]}}`): {0}")]
    NoKeySet(String),
    /// A JSON Web Key Set with nothing in it that could be used.
    #[error("the JSON Web Key Set holds no public key for RS256 or ES256")]
    NoUsableKey,
    /// An address that is none.
    #[error("`{0}` is not the address of a JSON Web Key Set; it begins with https:// or http://")]
    Address(String),
    /// The key set could not be fetched.
    #[error("the JSON Web Key Set could not be fetched: {0}")]
    Fetch(String),
}

impl Key {
    pub(super) fn secret(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.is_empty() {
            return Err(KeyError::EmptySecret);
        }
        let key = DecodingKey::from_secret(secret);
        Ok(Self { id: None, key, algorithm: Algorithm::HS256 })
    }

    pub(super) fn pem(pem: &[u8]) -> Result<Self, KeyError> {
        /// Of an uncompressed point on P-256 (SEC 1 §2.3.3).
        const P256_POINT_BYTES: usize = 65;
        if String::from_utf8_lossy(pem).contains("PRIVATE KEY-----") {
            return Err(KeyError::PrivateKey);
        }
        if let Ok(key) = DecodingKey::from_rsa_pem(pem) {
            return Ok(Self { id: None, key, algorithm: Algorithm::RS256 });
        }
        let key = DecodingKey::from_ec_pem(pem).map_err(|_| KeyError::Unsupported)?;
        match key.try_get_as_bytes() {
            Ok(point) if point.len() == P256_POINT_BYTES => {
                Ok(Self { id: None, key, algorithm: Algorithm::ES256 })
            }
            _ => Err(KeyError::Unsupported),
        }
    }

    /// The usable keys of a set; others, which are for something else, are passed over. A secret is never
    /// usable: sets are public.
    pub(super) fn set(json: &[u8]) -> Result<Vec<Self>, KeyError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<serde_json::Value>,
        }
        let set: Set =
            serde_json::from_slice(json).map_err(|error| KeyError::NoKeySet(error.to_string()))?;
        let jwks = set.keys.into_iter().take(MAX_KEYS);
        let keys: Vec<_> =
            jwks.filter_map(|key| serde_json::from_value(key).ok()).filter_map(usable).collect();
        if keys.is_empty() { Err(KeyError::NoUsableKey) } else { Ok(keys) }
    }
}

fn usable(jwk: Jwk) -> Option<Key> {
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        _ => return None,
    };
    let fits = jwk.common.key_algorithm.as_ref().is_none_or(|name| *name == named)
        && jwk.common.public_key_use.as_ref().is_none_or(|for_| *for_ == PublicKeyUse::Signature);
    let key = DecodingKey::from_jwk(&jwk).ok().filter(|_| fits)?;
    Some(Key { id: jwk.common.key_id, key, algorithm })
}
