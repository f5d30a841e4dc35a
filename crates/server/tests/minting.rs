//! The few lines of `docs/guide/tokens.md` by which a backend makes tokens, as they stand there.

mod support;

use serde_json::json;
use skapi_rtc_server::{JwtAuthenticator, Server};

use support::{Client, http, scripts};

const GUIDE: &str = include_str!("../../../docs/guide/tokens.md");
const SECRET: &str = "a secret of thirty-two bytes, ok";
const USER: &str = "f2b4c1a0-1111-4222-8333-444455556666";

/// The first block of the guide in a language.
fn block(language: &str) -> &'static str {
    let (_, rest) = GUIDE.split_once(&format!("```{language}\n")).expect("a block");
    let (block, _) = rest.split_once("```").expect("its end");
    assert!(block.lines().count() <= 5, "it promises few lines");
    block
}

/// The token opens the socket and answers queries, and what it says arrives.
async fn assert_good(token: &str) {
    let jwt = JwtAuthenticator::hs256(SECRET.as_bytes()).expect("a secret").service("us31abcdef");
    let server = Server::builder().authenticator(jwt).start().await.expect("started");
    let address = server.local_addr();
    let client = Client::connect(&format!("ws://{address}/ws?token={token}")).await;
    assert_eq!(client.ready.user_id.as_str(), USER);
    let authorization = format!("Authorization: {token}\r\n");
    let question = json!({ "searchFor": "user_id", "value": USER }).to_string();
    let answer = http(address, "POST", "/api/get-users", &authorization, &question).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json()["list"][0]["name"], "Zoë \"Z\"");
}

#[tokio::test]
async fn tokens_are_made_in_node() {
    let script = format!(
        "const [secret, user, name, service] = {};\n{}console.log(token);",
        json!([SECRET, USER, "Zoë \"Z\"", "us31abcdef"]),
        block("js")
    );
    if let Some(token) = scripts::run("tokens_are_made_in_node", "node", &["-"], &script) {
        assert_good(token.trim()).await;
    }
}

#[tokio::test]
async fn tokens_are_made_in_python() {
    let script = format!(
        "secret, user, name, service = {}\n{}print(token)",
        json!([SECRET, USER, "Zoë \"Z\"", "us31abcdef"]),
        block("python")
    );
    if let Some(token) = scripts::run("tokens_are_made_in_python", "python3", &["-"], &script) {
        assert_good(token.trim()).await;
    }
}
