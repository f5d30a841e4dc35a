//! Who we are to a TURN server: the long-term credential mechanism of STUN (RFC 8489 §9.2).

use md5::{Digest, Md5};
use str0m::{crypto, ice::StunMessage};

use super::message::Request;

const SIGNATURE: usize = 20;

/// A user name and its password, and what the server wants to see with them.
pub(super) struct Access {
    username: String,
    password: String,
    challenge: Option<Challenge>,
}

/// What a server says before it believes anybody.
struct Challenge {
    realm: String,
    nonce: String,
    key: [u8; 16],
}

impl Access {
    pub(super) fn new(username: String, password: String) -> Self {
        Self { username, password, challenge: None }
    }

    /// Whether requests are signed by now.
    pub(super) fn is_challenged(&self) -> bool {
        self.challenge.is_some()
    }

    /// Takes what a server turned a request away with; whether there is something to try again with.
    pub(super) fn take_challenge(&mut self, refusal: &StunMessage<'_>) -> bool {
        let Some(nonce) = refusal.nonce() else { return false };
        let known = self.challenge.as_ref().map(|challenge| challenge.realm.as_str());
        let Some(realm) = refusal.realm().or(known).map(str::to_owned) else { return false };
        let key = key(&self.username, &realm, &self.password);
        self.challenge = Some(Challenge { realm, nonce: nonce.to_owned(), key });
        true
    }

    /// Finishes a request: signed, once the server has said with what.
    pub(super) fn sign(&self, request: Request) -> Vec<u8> {
        match &self.challenge {
            None => request.unsigned(),
            Some(Challenge { realm, nonce, key }) => {
                request.signed(&self.username, realm, nonce, |message| sign(key, &[message]))
            }
        }
    }

    /// Whether a message comes from somebody who knows the password.
    pub(super) fn has_signed(&self, message: &StunMessage<'_>) -> bool {
        self.challenge.as_ref().is_some_and(|challenge| message.verify(&challenge.key, sign))
    }
}

/// The key that a password becomes (RFC 8489 §9.2.2).
pub(super) fn key(username: &str, realm: &str, password: &str) -> [u8; 16] {
    Md5::digest(format!("{username}:{realm}:{password}")).into()
}

/// HMAC-SHA1, by the engine's cryptography.
pub(super) fn sign(key: &[u8], parts: &[&[u8]]) -> [u8; SIGNATURE] {
    crypto::from_feature_flags().sha1_hmac_provider.sha1_hmac(key, parts)
}
