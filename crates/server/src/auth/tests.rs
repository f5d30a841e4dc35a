//! Tokens that are good, and every way in which they are not.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;

mod sets;

const SECRET: &[u8] = b"a secret of thirty-two bytes, ok";

/// Keys that exist for these tests alone.
const RSA_PRIVATE: &[u8] = include_bytes!("../../tests/keys/rsa.pem");
const RSA_PUBLIC: &[u8] = include_bytes!("../../tests/keys/rsa.pub.pem");
const EC_PRIVATE: &[u8] = include_bytes!("../../tests/keys/p256.pem");
const EC_PUBLIC: &[u8] = include_bytes!("../../tests/keys/p256.pub.pem");
const P384_PUBLIC: &[u8] = include_bytes!("../../tests/keys/p384.pub.pem");

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("a clock after 1970").as_secs()
}

fn good() -> Value {
    json!({ "sub": "alice", "exp": now() + 600 })
}

fn with(key: &str, value: Value) -> Value {
    let mut claims = good();
    claims[key] = value;
    claims
}

fn without(key: &str) -> Value {
    let mut claims = good();
    claims.as_object_mut().unwrap().remove(key);
    claims
}

fn sign(algorithm: Algorithm, claims: &Value, key: &EncodingKey) -> String {
    encode(&Header::new(algorithm), claims, key).unwrap()
}

fn hs256(claims: &Value) -> String {
    sign(Algorithm::HS256, claims, &EncodingKey::from_secret(SECRET))
}

fn authenticator() -> JwtAuthenticator {
    JwtAuthenticator::hs256(SECRET).unwrap()
}

fn refusal(claims: &Value) -> AuthError {
    authenticator().check(&hs256(claims)).unwrap_err()
}

#[test]
fn a_good_token_tells_the_user() {
    let identity = authenticator().check(&hs256(&good())).unwrap();
    assert_eq!(identity.user.as_str(), "alice");
}

#[test]
fn an_issued_token_is_good_for_who_has_the_secret() {
    let user = UserId::new("bob").unwrap();
    let issuer = TokenIssuer::hs256(SECRET).unwrap();
    let token = issuer.issue(&user, std::time::Duration::from_secs(60));
    assert_eq!(authenticator().check(&token).unwrap().user, user);
    let other = JwtAuthenticator::hs256(b"another secret").unwrap();
    assert_eq!(other.check(&token), Err(AuthError::BadSignature));
}

#[tokio::test]
async fn the_dev_mode_accepts_its_own_tokens_only() {
    let user = UserId::new("bob").unwrap();
    let (dev, other) = (DevAuthenticator::new(), DevAuthenticator::new());
    let token = dev.mint(&user, std::time::Duration::from_secs(60));
    assert_eq!(dev.authenticate(&token).await.unwrap().user, user);
    assert_eq!(other.authenticate(&token).await, Err(AuthError::BadSignature));
}

#[test]
fn time_is_checked_with_leeway() {
    let at = |seconds: i64| json!(now().saturating_add_signed(seconds));
    assert_eq!(refusal(&with("exp", at(-40))), AuthError::Expired);
    assert_eq!(refusal(&with("nbf", at(60))), AuthError::NotYetValid);
    for good in [with("exp", at(-15)), with("nbf", at(15))] {
        assert!(authenticator().check(&hs256(&good)).is_ok(), "{good}");
    }
    let strict = authenticator().leeway(std::time::Duration::ZERO);
    let expired = hs256(&with("exp", at(-15)));
    assert_eq!(strict.check(&expired), Err(AuthError::Expired));
}

#[test]
fn claims_have_to_be_there_and_of_their_type() {
    let missing = |claim: &str| AuthError::MissingClaim(claim.to_owned());
    assert_eq!(refusal(&without("exp")), missing("exp"));
    assert_eq!(refusal(&without("sub")), missing("sub"));
    assert_eq!(refusal(&with("sub", json!(null))), missing("sub"));
    assert_eq!(refusal(&with("sub", json!(7))), AuthError::BadClaim("sub".to_owned()));
    assert!(matches!(
        refusal(&with("exp", json!("soon"))),
        AuthError::BadClaim(_) | AuthError::MissingClaim(_)
    ));
    for bad in ["", "cid:abc", "a b", "<script>"] {
        let error = refusal(&with("sub", json!(bad)));
        assert!(matches!(error, AuthError::BadSubject(_)), "{bad}: {error}");
    }
}

#[test]
fn audience_and_issuer_are_checked_where_they_are_configured() {
    let claims = json!({ "sub": "alice", "exp": now() + 600, "aud": ["us", "them"], "iss": "me" });
    assert!(authenticator().check(&hs256(&claims)).is_ok());
    assert!(authenticator().audience("us").issuer("me").check(&hs256(&claims)).is_ok());
    let silent = good();
    let check =
        |authenticator: JwtAuthenticator, claims: &Value| authenticator.check(&hs256(claims));
    assert_eq!(check(authenticator().audience("others"), &claims), Err(AuthError::WrongAudience));
    assert_eq!(check(authenticator().issuer("you"), &claims), Err(AuthError::WrongIssuer));
    // A token that says nothing does not slip through.
    assert_eq!(
        check(authenticator().audience("us"), &silent),
        Err(AuthError::MissingClaim("aud".to_owned()))
    );
    assert_eq!(
        check(authenticator().issuer("me"), &silent),
        Err(AuthError::MissingClaim("iss".to_owned()))
    );
}

#[test]
fn unsigned_tokens_are_refused() {
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let expected = AuthError::WrongAlgorithm { expected: "HS256" };
    for alg in ["none", "None", "NONE", "nOnE", "HS257"] {
        let head = format!("{}.{}", part(json!({ "alg": alg, "typ": "JWT" })), part(good()));
        for token in [format!("{head}."), format!("{head}.AAAA")] {
            assert_eq!(authenticator().check(&token), Err(expected.clone()), "{alg}");
        }
    }
}

#[test]
fn the_public_key_is_no_secret() {
    // Key confusion: signed by HS256 with the public key, which everybody has, for the secret.
    let rsa = JwtAuthenticator::public_key_pem(RSA_PUBLIC).unwrap();
    let ec = JwtAuthenticator::public_key_pem(EC_PUBLIC).unwrap();
    for (authenticator, pem, expected) in [(&rsa, RSA_PUBLIC, "RS256"), (&ec, EC_PUBLIC, "ES256")] {
        let forged = sign(Algorithm::HS256, &good(), &EncodingKey::from_secret(pem));
        assert_eq!(authenticator.check(&forged), Err(AuthError::WrongAlgorithm { expected }));
    }
}

#[test]
fn tokens_signed_with_a_private_key_are_checked_with_the_public_one() {
    let rsa_key = EncodingKey::from_rsa_pem(RSA_PRIVATE).unwrap();
    let ec_key = EncodingKey::from_ec_pem(EC_PRIVATE).unwrap();
    let rsa = JwtAuthenticator::public_key_pem(RSA_PUBLIC).unwrap();
    let ec = JwtAuthenticator::public_key_pem(EC_PUBLIC).unwrap();
    let rs256 = sign(Algorithm::RS256, &good(), &rsa_key);
    let es256 = sign(Algorithm::ES256, &good(), &ec_key);
    assert_eq!(rsa.check(&rs256).unwrap().user.as_str(), "alice");
    assert_eq!(ec.check(&es256).unwrap().user.as_str(), "alice");

    let wrong = |expected| Err(AuthError::WrongAlgorithm { expected });
    assert_eq!(rsa.check(&es256), wrong("RS256"));
    assert_eq!(ec.check(&rs256), wrong("ES256"));
    assert_eq!(authenticator().check(&rs256), wrong("HS256"));
    let rs384 = sign(Algorithm::RS384, &good(), &rsa_key);
    assert_eq!(rsa.check(&rs384), wrong("RS256"));
    let hs512 = sign(Algorithm::HS512, &good(), &EncodingKey::from_secret(SECRET));
    assert_eq!(authenticator().check(&hs512), wrong("HS256"));
}

#[test]
fn a_token_that_was_changed_is_refused() {
    let token = hs256(&good());
    let [head, _, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("a token has three parts")
    };
    let payload = URL_SAFE_NO_PAD.encode(with("sub", json!("mallory")).to_string());
    let forged = format!("{head}.{payload}.{signature}");
    assert_eq!(authenticator().check(&forged), Err(AuthError::BadSignature));
    // Nor does a signature become right by being cut off.
    let cut = format!("{head}.{payload}.");
    assert_eq!(authenticator().check(&cut), Err(AuthError::BadSignature));
}

#[test]
fn what_is_not_a_token_is_called_so() {
    assert_eq!(authenticator().check(""), Err(AuthError::Missing));
    for bad in ["x", "a.b", "a.b.c", "....", "ü.ü.ü", &".".repeat(10_000), "e30.e30.e30"] {
        let error = authenticator().check(bad).unwrap_err();
        assert!(matches!(error, AuthError::Malformed(_)), "{bad}: {error}");
    }
}

#[test]
fn keys_are_checked_when_they_are_loaded() {
    let pem = |bytes: &[u8]| JwtAuthenticator::public_key_pem(bytes).unwrap_err();
    assert_eq!(pem(RSA_PRIVATE), KeyError::PrivateKey);
    assert_eq!(pem(EC_PRIVATE), KeyError::PrivateKey);
    assert_eq!(pem(P384_PUBLIC), KeyError::Unsupported);
    assert_eq!(pem(b"not a key"), KeyError::Unsupported);
    assert_eq!(JwtAuthenticator::hs256(b"").unwrap_err(), KeyError::EmptySecret);
    assert_eq!(TokenIssuer::hs256(b"").unwrap_err(), KeyError::EmptySecret);
}

#[test]
fn debug_output_shows_no_secret() {
    let secret = String::from_utf8_lossy(SECRET).into_owned();
    let dev = DevAuthenticator::with_secret(SECRET).unwrap();
    let shown = format!("{:?} {dev:?}", authenticator());
    assert!(!shown.contains(&secret), "{shown}");
    assert!(!shown.contains("97, 32, 115"), "{shown}");
}
