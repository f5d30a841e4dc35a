//! Sign-in of a page: sessions of the dev mode, and what the service then knows about users.

mod support;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use skapi_rtc_protocol::Project;
use skapi_rtc_server::{Config, JwtAuthenticator, Server};

use support::{Client, TestServer, http};

async fn session(server: &TestServer, body: &str) -> Value {
    let headers = "Origin: http://page.example\r\nContent-Type: application/json\r\n";
    let answer = http(server.addr(), "POST", "/dev/session", headers, body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    answer.json()
}

/// The claims, as a page reads them: it checks no signature.
fn claims(session: &Value, token: &str) -> Value {
    let token = session[token].as_str().expect("a token");
    let payload = token.split('.').nth(1).expect("a payload");
    let payload = URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    serde_json::from_slice(&payload).expect("JSON")
}

async fn ask(server: &TestServer, session: &Value, body: &Value) -> Value {
    let token = session["idToken"].as_str().expect("a token");
    let headers = format!("Authorization: {token}\r\n");
    let body = body.to_string();
    let answer = http(server.addr(), "POST", "/api/get-users", &headers, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

#[tokio::test]
async fn a_session_has_what_the_client_looks_for() {
    let server = TestServer::start().await;
    let body = r#"{"user":"alice","name":"Alice \u003cA\u003e","picture":"https://x.example/a.png",
                   "service":"us31abcdef","owner":"f2b4c1a0-1111-4222-8333-444455556666"}"#;
    let session = session(&server, body).await;
    let (id, access) = (claims(&session, "idToken"), claims(&session, "accessToken"));
    assert_eq!(id["custom:service"], "us31abcdef");
    assert_eq!(id["custom:owner"], "f2b4c1a0-1111-4222-8333-444455556666");
    assert_eq!((&id["name"], &session["name"]), (&json!("Alice <A>"), &json!("Alice <A>")));
    assert_eq!(id["picture"], "https://x.example/a.png");
    assert_eq!((&id["token_use"], &access["token_use"]), (&json!("id"), &json!("access")));
    assert_eq!(id["cognito:username"], id["sub"], "or a reload would end the session");
    assert_eq!(id["sub"], session["user_id"]);
    assert_eq!(access["sub"], session["user_id"]);
    let sub = id["sub"].as_str().expect("an id");
    assert_eq!(sub.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{sub}");
    for claims in [&id, &access] {
        let lasts = claims["exp"].as_u64().zip(claims["iat"].as_u64()).expect("times");
        assert_eq!(json!(lasts.0 - lasts.1), session["expires_in"]);
    }
    assert!(session["expires_in"].as_u64() > Some(7 * 86_400), "it cannot be renewed");
    // The client takes a session for one only with a refresh token, which opens nothing.
    let refresh = session["refreshToken"].as_str().expect("a token");
    let url = |token: &str| format!("ws://{}/ws?token={token}", server.addr());
    assert_eq!(support::refusal(&url(refresh)).await.0, 401);
    let client = Client::connect(&url(session["accessToken"].as_str().expect("a token"))).await;
    assert_eq!(client.ready.user_id.as_str(), sub);
}

#[tokio::test]
async fn a_name_is_always_the_same_user_and_no_name_a_new_one() {
    let server = TestServer::start().await;
    let user = async |body| session(&server, body).await["user_id"].clone();
    let alice = user(r#"{"user":"alice"}"#).await;
    assert_eq!(user(r#"{"user":"alice","name":"Somebody else"}"#).await, alice);
    assert_eq!(session(&TestServer::start().await, r#"{"user":"alice"}"#).await["user_id"], alice);
    assert_ne!(user(r#"{"user":"bob"}"#).await, alice);
    assert_ne!(user("").await, user("{}").await);
    let id = alice.as_str().expect("an id");
    assert_eq!(user(&format!(r#"{{"user":"{id}"}}"#)).await, alice);

    for bad in ["[", "[1]", r#"{"user":7}"#, r#"{"service":"a-b"}"#] {
        let answer = http(server.addr(), "POST", "/dev/session", "", bad).await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (400, &json!("INVALID_PARAMETER")),
            "{bad}"
        );
    }
    let long = format!(r#"{{"user":"{}"}}"#, "x".repeat(257));
    assert_eq!(http(server.addr(), "POST", "/dev/session", "", &long).await.status, 400);
}

#[tokio::test]
async fn a_session_is_for_the_project_of_the_page() {
    let server = TestServer::start().await;
    let service = async |server: &TestServer, body: &str| {
        claims(&session(server, body).await, "idToken")["custom:service"].clone()
    };
    let compound = r#"{"service":"5cd12343wxyzab-1VgEh72lXvTXkH"}"#;
    assert_eq!(service(&server, compound).await, "ap22abcd1234wxyz");
    assert_eq!(service(&server, "{}").await, Value::Null, "nobody has said which");
    for (path, expected) in [
        ("/self-host.js?service=us31one&owner=o", "us31one"),
        ("/api/service?service=us31two&owner=o&refresh=false", "us31two"),
    ] {
        assert_eq!(http(server.addr(), "GET", path, "", "").await.status, 200);
        assert_eq!(service(&server, "{}").await, expected);
    }
    let project = Project::new("us31configured", None).expect("a project");
    let server = TestServer::with(Config::default().project(project)).await;
    http(server.addr(), "GET", "/self-host.js?service=us31one&owner=o", "", "").await;
    assert_eq!(service(&server, "{}").await, "us31configured");
    assert_eq!(service(&server, r#"{"service":"us31named"}"#).await, "us31named");
}

#[tokio::test]
async fn only_the_dev_mode_has_sessions() {
    let jwt = JwtAuthenticator::hs256(b"a secret of thirty-two bytes, ok").expect("a secret");
    let server = Server::builder().authenticator(jwt).start().await.expect("started");
    for path in ["/dev/session", "/dev/token"] {
        let answer = http(server.local_addr(), "POST", path, "", r#"{"user":"alice"}"#).await;
        assert_eq!((answer.status, &answer.json()["code"]), (404, &json!("NOT_FOUND")));
    }
}

#[tokio::test]
async fn users_are_known_by_what_their_tokens_said() {
    let server = TestServer::start().await;
    let alice =
        session(&server, r#"{"user":"alice","name":"Alice","picture":"https://x/a"}"#).await;
    let bob = session(&server, r#"{"user":"bob"}"#).await;
    let find = |user: &Value| json!({"searchFor":"user_id","value":user,"condition":"="});
    let list = async |body: &Value| ask(&server, &bob, body).await["list"].clone();
    // Nobody knows her before she has shown a token.
    assert_eq!(list(&find(&alice["user_id"])).await, json!([]));
    let token = alice["accessToken"].as_str().expect("a token");
    let _socket = Client::connect(&format!("ws://{}/ws?token={token}", server.addr())).await;
    let found = list(&find(&alice["user_id"])).await;
    assert_eq!(found[0]["user_id"], alice["user_id"]);
    assert_eq!((&found[0]["name"], &found[0]["picture"]), (&json!("Alice"), &json!("https://x/a")));
    assert!(found[0]["timestamp"].as_u64() > Some(1_700_000_000_000), "{found}");
    // The other ways to ask; the first is what the client sends when nothing is asked for.
    let all = json!({"searchFor":"timestamp","condition":">","value":0,"ascending":false});
    assert_eq!(list(&all).await.as_array().map(Vec::len), Some(2));
    let both = json!({"searchFor":"user_id","value":[alice["user_id"], bob["user_id"]]});
    assert_eq!(list(&both).await.as_array().map(Vec::len), Some(2));
    let called = json!({"searchFor":"name","value":"bo","condition":"gte","limit":10});
    let page = ask(&server, &bob, &called).await;
    assert_eq!(page["list"][0]["user_id"], bob["user_id"]);
    assert_eq!((&page["startKey"], &page["endOfList"]), (&json!("end"), &json!(true)));

    let refused = server.post("/api/get-users", "x", r#"{"searchFor":"email","value":"a"}"#).await;
    assert_eq!((refused.0, &refused.1["code"]), (400, &json!("INVALID_PARAMETER")));
    let answer = http(server.addr(), "POST", "/api/get-users", "", "{}").await;
    assert_eq!((answer.status, &answer.json()["code"]), (401, &json!("TOKEN_MISSING")));
}

#[tokio::test]
async fn who_is_known_is_bounded() {
    let server = TestServer::with(Config::default().max_known_users(2)).await;
    for user in ["a", "b", "c"] {
        let session = session(&server, &json!({ "user": user }).to_string()).await;
        let all = json!({"searchFor":"timestamp","condition":">","value":0});
        let known = ask(&server, &session, &all).await["list"].as_array().map(Vec::len);
        assert_eq!(known, Some(if user == "a" { 1 } else { 2 }));
    }
}
