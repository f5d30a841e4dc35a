//! The HTTP side: queries and their paging, CORS, refusals.

mod support;

use skapi_rtc_server::Config;
use support::{Client, TestServer, http};

const QUERY: &str = "/api/get-ws-group";

#[tokio::test]
async fn users_of_a_group() {
    let server = TestServer::start().await;
    let alice = server.member("alice", "G").await;
    let bob = server.member("bob", "G").await;
    let _carol = server.member("carol", "H").await;
    let ask = async |body: &str| server.post(QUERY, "alice", body).await;

    let (status, answer) = ask(r#"{"service":"s","owner":"o","group":"G"}"#).await;
    assert_eq!(status, 200);
    let mut expected = [("alice", &alice), ("bob", &bob)].map(|(user, client)| {
        serde_json::json!({ "uid": format!("self#{user}"), "cid": client.cid().as_str() })
    });
    expected.sort_by_key(|entry| entry["uid"].to_string());
    let everyone = serde_json::json!({ "list": expected, "startKey": "end", "endOfList": true });
    assert_eq!(answer, everyone);

    let (_, answer) = ask(r#"{"group":"G","user_id":"bob"}"#).await;
    assert_eq!(answer["list"].as_array().unwrap().len(), 1);
    assert_eq!(answer["list"][0]["cid"], bob.cid().as_str());
    let (_, answer) = ask(r#"{"group":"nowhere"}"#).await;
    assert_eq!(answer["list"], serde_json::json!([]));
}

#[tokio::test]
async fn groups_page_by_page() {
    let server = TestServer::start().await;
    let mut members: Vec<Client> = Vec::new();
    for (n, group) in ["a", "b", "b", "c", "c", "c", "d"].iter().enumerate() {
        members.push(server.member(&format!("user{n}"), group).await);
    }
    for (condition, ascending, expected) in [
        (r#""searchFor":"group","value":" ","condition":">""#, true, "a1 b2 c3 d1"),
        (r#""searchFor":"group","value":" ","condition":"gt""#, false, "d1 c3 b2 a1"),
        (r#""searchFor":"group","value":"b","range":"c""#, true, "b2 c3"),
        (r#""searchFor":"number_of_users","value":0"#, true, "a1 d1 b2 c3"),
        (r#""searchFor":"number_of_users","value":2,"condition":"gte""#, true, "b2 c3"),
        (r#""searchFor":"number_of_users","value":2,"condition":"!=""#, false, "c3 d1 a1"),
    ] {
        let mut found = Vec::new();
        let mut start_key = String::new();
        loop {
            let body = format!(r#"{{{condition},"ascending":{ascending},"limit":1{start_key}}}"#);
            let (status, answer) = server.post(QUERY, "alice", &body).await;
            assert_eq!(status, 200, "{answer}");
            for entry in answer["list"].as_array().unwrap() {
                let rid = entry["rid"].as_str().unwrap();
                found.push(format!("{}{}", rid.split_once('#').unwrap().1, entry["cnt"]));
            }
            if answer["startKey"] == "end" {
                assert_eq!(answer["endOfList"], true);
                break;
            }
            start_key = format!(r#","startKey":{}"#, answer["startKey"]);
        }
        assert_eq!(found.join(" "), expected, "{condition}");
    }
}

#[tokio::test]
async fn a_bad_query_names_the_field() {
    let server = TestServer::start().await;
    for (body, code, word) in [
        ("", "INVALID_REQUEST", "JSON"),
        ("[]", "INVALID_REQUEST", "object"),
        ("{}", "INVALID_PARAMETER", "`group`"),
        (r#"{"group":"G","limit":0}"#, "INVALID_PARAMETER", "`limit`"),
        (r#"{"group":"G","limit":-1}"#, "INVALID_PARAMETER", "`limit`"),
        (r#"{"group":"G","startKey":{"x":1}}"#, "INVALID_PARAMETER", "`startKey`"),
        (r#"{"searchFor":"x","value":1}"#, "INVALID_PARAMETER", "`searchFor`"),
        (
            r#"{"searchFor":"group","value":"a","condition":"~"}"#,
            "INVALID_PARAMETER",
            "`condition`",
        ),
        (r#"{"searchFor":"group","value":"a","range":{}}"#, "INVALID_PARAMETER", "`range`"),
    ] {
        let (status, answer) = server.post(QUERY, "alice", body).await;
        assert_eq!((status, answer["code"].as_str()), (400, Some(code)), "{body}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(word), "{body}: {answer}");
    }
    let large = format!(r#"{{"group":"{}"}}"#, "x".repeat(100_000));
    let (status, answer) = server.post(QUERY, "alice", &large).await;
    assert_eq!((status, answer["code"].as_str()), (413, Some("TOO_LARGE")));
}

#[tokio::test]
async fn queries_need_a_token_bare_or_after_bearer() {
    let server = TestServer::start().await;
    let token = server.token("alice");
    for (header, status) in [
        (format!("Authorization: {token}\r\n"), 200),
        (format!("Authorization: Bearer {token}\r\n"), 200),
        (format!("Authorization: {token}x\r\n"), 401),
        ("Authorization: \r\n".to_owned(), 401),
        (String::new(), 401),
    ] {
        let answer = http(server.addr(), "POST", QUERY, &header, r#"{"group":"G"}"#).await;
        assert_eq!(answer.status, status, "{header}: {}", answer.body);
        // A page may read refusals, too.
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        if status == 401 {
            assert!(answer.json()["code"].as_str().unwrap().starts_with("TOKEN_"));
        }
    }
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_try_again() {
    let config = Config::default().query_rate(2, 0.1);
    let server = TestServer::with(config).await;
    let header = format!("Authorization: {}\r\n", server.token("alice"));
    let ask = async || http(server.addr(), "POST", QUERY, &header, r#"{"group":"G"}"#).await;
    assert_eq!(ask().await.status, 200);
    assert_eq!(ask().await.status, 200);
    let refused = ask().await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json()["code"], "TOO_MANY_REQUESTS");
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=11).contains(&seconds), "{seconds}");
    // Others are not concerned.
    let (status, _) = server.post(QUERY, "bob", r#"{"group":"G"}"#).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_browser_may_ask_from_any_page() {
    let server = TestServer::start().await;
    let headers = "Origin: https://page.example\r\nAccess-Control-Request-Method: POST\r\n\
                   Access-Control-Request-Headers: authorization,content-meta,content-type\r\n";
    let answer = http(server.addr(), "OPTIONS", QUERY, headers, "").await;
    assert!((200..300).contains(&answer.status), "{}", answer.head);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let allowed = answer.header("access-control-allow-headers").unwrap();
    for header in ["authorization", "content-type", "content-meta"] {
        assert!(allowed.contains(header), "{allowed}");
    }
    assert!(answer.header("access-control-allow-methods").unwrap().contains("POST"));
}

#[tokio::test]
async fn the_service_tells_its_name_and_health_to_anybody() {
    let server = TestServer::with(Config::default().service_name("ours")).await;
    let path = "/api/service?service=s&owner=o&refresh=false";
    let answer = http(server.addr(), "GET", path, "User-Agent: test\r\n", "").await;
    assert_eq!(answer.status, 200);
    let info = answer.json();
    assert_eq!(info["service_name"], "ours");
    assert_eq!(info["ip"], "127.0.0.1");
    assert_eq!(info["user_agent"], "test");
    assert!(info["group"].as_u64().unwrap() >= 3);
    assert_eq!(http(server.addr(), "GET", "/health", "", "").await.status, 200);
}

#[tokio::test]
async fn other_addresses_and_methods_are_refused_in_the_same_form() {
    let server = TestServer::start().await;
    for (method, path, status, code) in [
        ("GET", "/", 404, "NOT_FOUND"),
        ("GET", "/metrics", 404, "NOT_FOUND"),
        ("GET", QUERY, 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/ws?token=x", 426, "UPGRADE_REQUIRED"),
    ] {
        let answer = http(server.addr(), method, path, "", "").await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.json()["code"], code);
    }
}

#[tokio::test]
async fn metrics_are_shown_where_that_is_wanted() {
    let server = TestServer::with(Config::default().expose_metrics(true)).await;
    let _alice = server.member("alice", "G").await;
    let answer = http(server.addr(), "GET", "/metrics", "", "").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("\nskapi_rtc_connections 1\n"), "{}", answer.body);
    assert!(answer.body.contains("\nskapi_rtc_groups 1\n"));
}

#[tokio::test]
async fn the_dev_mode_hands_out_tokens() {
    let server = TestServer::start().await;
    let answer = http(server.addr(), "POST", "/dev/token", "", r#"{"user":"eve"}"#).await;
    assert_eq!(answer.status, 200);
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    let client = Client::connect(&format!("ws://{}/ws?token={token}", server.addr())).await;
    assert_eq!(client.ready.user_id.as_str(), "eve");
    for bad in ["", "{}", r#"{"user":"a b"}"#] {
        let answer = http(server.addr(), "POST", "/dev/token", "", bad).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (400, Some("INVALID_PARAMETER"))
        );
    }
}
