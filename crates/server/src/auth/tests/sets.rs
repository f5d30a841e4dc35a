//! Sets of keys, from a file and from an address.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;

const SET: &[u8] = include_bytes!("../../../tests/keys/jwks.json");

fn signed(algorithm: Algorithm, kid: Option<&str>, claims: &Value) -> String {
    let key = match algorithm {
        Algorithm::ES256 => EncodingKey::from_ec_pem(EC_PRIVATE),
        _ => EncodingKey::from_rsa_pem(RSA_PRIVATE),
    };
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    encode(&header, claims, &key.unwrap()).unwrap()
}

#[test]
fn a_token_is_checked_with_the_key_that_it_names() {
    let set = JwtAuthenticator::jwks(SET).unwrap();
    for good in [
        signed(Algorithm::RS256, Some("rsa-1"), &good()),
        signed(Algorithm::ES256, Some("ec-1"), &good()),
        signed(Algorithm::ES256, None, &good()),
    ] {
        assert_eq!(set.check(&good).unwrap().user.as_str(), "alice");
    }
    for kid in ["ec-1", "rsa-2"] {
        let token = signed(Algorithm::RS256, Some(kid), &good());
        assert_eq!(set.check(&token), Err(AuthError::UnknownKey), "{kid}");
    }
    let expected = AuthError::WrongAlgorithm { expected: "RS256 or ES256" };
    assert_eq!(set.check(&hs256(&good())), Err(expected.clone()));
    // Key confusion, with what a set tells everybody.
    let forged = sign(Algorithm::HS256, &good(), &EncodingKey::from_secret(SET));
    assert_eq!(set.check(&forged), Err(expected));
}

#[test]
fn only_public_keys_for_signatures_are_taken_from_a_set() {
    let set = |key: Value| JwtAuthenticator::jwks(json!({ "keys": [key] }).to_string().as_bytes());
    let all: Value = serde_json::from_slice(SET).unwrap();
    let (rsa, ec) = (&all["keys"][0], &all["keys"][1]);
    let with = |key: &Value, field: &str, value: &str| {
        let mut key = key.clone();
        key[field] = json!(value);
        key
    };
    assert!(set(rsa.clone()).is_ok() && set(ec.clone()).is_ok());
    for bad in [
        json!({ "kty": "oct", "k": "c2VjcmV0", "alg": "HS256" }),
        with(rsa, "use", "enc"),
        with(rsa, "alg", "RS512"),
        with(rsa, "alg", "HS256"),
        with(ec, "crv", "P-384"),
        json!({ "kty": "something new" }),
        json!(7),
    ] {
        assert_eq!(set(bad.clone()).unwrap_err(), KeyError::NoUsableKey, "{bad}");
    }
    for bad in ["", "[]", "{}", r#"{"keys":7}"#] {
        let error = JwtAuthenticator::jwks(bad.as_bytes()).unwrap_err();
        assert!(matches!(error, KeyError::NoKeySet(_)), "{bad}: {error}");
    }
}

#[test]
fn the_service_is_checked_where_it_is_configured() {
    let strict = || authenticator().service("us31abc");
    assert!(strict().check(&hs256(&with("custom:service", json!("us31abc")))).is_ok());
    let missing = AuthError::MissingClaim("custom:service".to_owned());
    assert_eq!(strict().check(&hs256(&good())), Err(missing));
    for other in [json!("us31abd"), json!(["us31abc"])] {
        let token = hs256(&with("custom:service", other));
        assert_eq!(strict().check(&token), Err(AuthError::WrongService));
        assert!(authenticator().check(&token).is_ok());
    }
}

#[test]
fn names_and_pictures_are_taken_within_bounds() {
    let mut claims = with("name", json!("Alice"));
    claims["picture"] = json!("https://x.example/a.png");
    let identity = authenticator().check(&hs256(&claims)).unwrap();
    assert_eq!(identity.name.as_deref(), Some("Alice"));
    assert_eq!(identity.picture.as_deref(), Some("https://x.example/a.png"));
    for none in [json!(""), json!(7), json!(null), json!("x".repeat(257))] {
        let identity = authenticator().check(&hs256(&with("name", none))).unwrap();
        assert_eq!(identity.name, None);
    }
}

/// An address with a key set that can be exchanged; counts how often it was asked.
struct Address {
    url: String,
    answer: Arc<Mutex<(String, u32)>>,
}

impl Address {
    async fn with(body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys.json", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new((body.to_owned(), 0)));
        let shared = answer.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let body = {
                    let mut answer = shared.lock().unwrap();
                    answer.1 += 1;
                    answer.0.clone()
                };
                let status = if body.is_empty() { "500 Failed" } else { "200 OK" };
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { url, answer }
    }

    fn becomes(&self, body: &str) {
        self.answer.lock().unwrap().0 = body.to_owned();
    }

    fn asked(&self) -> u32 {
        self.answer.lock().unwrap().1
    }
}

#[tokio::test]
async fn a_set_is_kept_and_fetched_anew_for_an_unknown_key() {
    let all: Value = serde_json::from_slice(SET).unwrap();
    let first = json!({ "keys": [all["keys"][0]] }).to_string();
    let address = Address::with(&first).await;
    let jwt = JwtAuthenticator::jwks_url(&address.url).unwrap().refresh_pause(Duration::ZERO);
    jwt.load_keys().await.unwrap();
    let rsa = signed(Algorithm::RS256, Some("rsa-1"), &good());
    for _ in 0..3 {
        assert!(jwt.authenticate(&rsa).await.is_ok());
    }
    assert_eq!(address.asked(), 1, "it is kept");
    // A key of the kind that was there, under a name that was not.
    let mut renamed = all["keys"][0].clone();
    renamed["kid"] = json!("rsa-2");
    address.becomes(&json!({ "keys": [renamed] }).to_string());
    let new = signed(Algorithm::RS256, Some("rsa-2"), &good());
    assert!(jwt.authenticate(&new).await.is_ok());
    assert_eq!(address.asked(), 2);
    assert_eq!(jwt.authenticate(&rsa).await, Err(AuthError::UnknownKey), "it was withdrawn");
    // When the address fails, what is known still counts.
    address.becomes("");
    assert_eq!(jwt.authenticate(&rsa).await, Err(AuthError::UnknownKey));
    assert!(jwt.authenticate(&new).await.is_ok());
}

#[tokio::test]
async fn made_up_keys_do_not_flood_the_address() {
    let address = Address::with(std::str::from_utf8(SET).unwrap()).await;
    let jwt = JwtAuthenticator::jwks_url(&address.url).unwrap();
    for n in 0..20 {
        let token = signed(Algorithm::RS256, Some(&format!("made-up-{n}")), &good());
        assert_eq!(jwt.authenticate(&token).await, Err(AuthError::UnknownKey));
    }
    assert_eq!(address.asked(), 1);
}

#[tokio::test]
async fn an_address_that_does_not_help_refuses_nobody_for_good() {
    let address = Address::with("").await;
    let jwt = JwtAuthenticator::jwks_url(&address.url).unwrap().refresh_pause(Duration::ZERO);
    let token = signed(Algorithm::ES256, Some("ec-1"), &good());
    assert!(matches!(jwt.load_keys().await, Err(KeyError::Fetch(_))));
    assert!(matches!(jwt.authenticate(&token).await, Err(AuthError::Unavailable(_))));
    address.becomes(&" ".repeat(2 * 1024 * 1024));
    assert!(matches!(jwt.load_keys().await, Err(KeyError::Fetch(_))));
    address.becomes(std::str::from_utf8(SET).unwrap());
    assert!(jwt.authenticate(&token).await.is_ok());
    for bad in ["", "keys.json", "file:///keys.json"] {
        let error = JwtAuthenticator::jwks_url(bad).unwrap_err();
        assert_eq!(error, KeyError::Address(bad.to_owned()));
    }
}
