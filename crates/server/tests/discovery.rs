//! Discovery: how Skapi's client finds the service.

mod support;

use serde_json::{Value, json};
use skapi_rtc_server::{Config, Server, StartError};

use support::{Answer, TestServer, http, http_without_host, scripts};

const ADMIN: &str = "/us31/admin-v1.json";
const RECORD: &str = "/us31/record-v1.json";

async fn get(server: &TestServer, path: &str, headers: &str) -> Answer {
    http(server.addr(), "GET", path, headers, "").await
}

/// The host that the record document sends the client to, with its scheme.
async fn told(server: &TestServer, headers: &str) -> String {
    let answer = http_without_host(server.addr(), "GET", RECORD, headers, "").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let record = answer.json();
    let api = record["record_private"].as_str().expect("an address").to_owned();
    let websocket = record["websocket_private"].as_str().expect("an address");
    let expected = format!("{}ws", api.replacen("http", "ws", 1).trim_end_matches("api/"));
    assert_eq!(websocket, expected);
    api.trim_end_matches("/api/").to_owned()
}

#[tokio::test]
async fn the_documents_hold_what_the_client_needs() {
    let server = TestServer::start().await;
    let api = format!("http://{}/api/", server.addr());
    for path in [ADMIN, "/ap22/admin-v2.json", "/x/.cloudfront.net/us31/admin-v1.json"] {
        let answer = get(&server, path, "Origin: https://page.example\r\n").await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let admin = answer.json();
        for key in ["admin_public", "admin_private", "service_public", "get_users_private"] {
            assert_eq!(admin[key], api, "{key}");
        }
        let pool = admin["userpool_id"].as_str().expect("a name");
        // Amazon's library, inside of the client, takes no other form.
        let (name, id) = pool.rsplit_once('_').expect("an underscore");
        assert!(!name.is_empty() && !id.is_empty(), "{pool}");
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{pool}");
        assert!(admin["userpool_client"].as_str().is_some_and(|client| !client.is_empty()));
    }
    for path in [RECORD, "/us31/record-v2.json", "/a/b/c.cloudfront.net/us31/record-v1.json"] {
        let record = get(&server, path, "").await.json();
        for key in ["record_public", "record_private", "get_private", "post_public", "del_private"]
        {
            assert_eq!(record[key], api, "{key}");
        }
        assert_eq!(record["websocket_private"], format!("ws://{}/ws", server.addr()));
    }
}

#[tokio::test]
async fn the_addresses_lead_to_routes_that_exist() {
    let server = TestServer::start().await;
    let path = |url: &Value| {
        let url = url.as_str().expect("an address");
        url.split_once(&server.addr().to_string()).expect("our host").1.to_owned()
    };
    let admin = get(&server, ADMIN, "").await.json();
    let record = get(&server, RECORD, "").await.json();

    let service = format!("{}service?service=us31abc&owner=o", path(&admin["service_public"]));
    assert_eq!(get(&server, &service, "").await.json()["group"], 3);
    let question = r#"{"searchFor":"timestamp","value":0,"condition":">"}"#;
    let users = format!("{}get-users", path(&admin["get_users_private"]));
    assert_eq!(server.post(&users, "alice", question).await.0, 200);
    let groups = format!("{}get-ws-group", path(&record["record_private"]));
    assert_eq!(server.post(&groups, "alice", r#"{"group":"G"}"#).await.0, 200);
    let socket = record["websocket_private"].as_str().expect("an address");
    support::Client::connect(&format!("{socket}?token={}", server.token("alice"))).await;
    // What a service of one's own does not have is answered in a way that the client understands.
    let missing = format!("{}get-records", path(&record["get_private"]));
    let (status, body) = server.post(&missing, "alice", "{}").await;
    assert_eq!((status, &body["code"]), (404, &json!("NOT_FOUND")));
}

#[tokio::test]
async fn a_document_is_read_and_nothing_else() {
    let server = TestServer::start().await;
    for path in ["/us31/admin-v9.json", "/a/us31/admin-v1.json", "/admin-v1.json"] {
        assert_eq!(get(&server, path, "").await.status, 404, "{path}");
    }
    let posted = http(server.addr(), "POST", ADMIN, "", "{}").await;
    assert_eq!((posted.status, &posted.json()["code"]), (405, &json!("METHOD_NOT_ALLOWED")));
    let head = http(server.addr(), "HEAD", ADMIN, "", "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[tokio::test]
async fn addresses_come_from_the_host_unless_one_is_configured() {
    let server = TestServer::start().await;
    assert_eq!(told(&server, "Host: rtc.example:99\r\n").await, "http://rtc.example:99");
    for bad in ["", "Host: \r\n", "Host: a@b\r\n", "Host: a b\r\n", "Host: \"<x>\r\n"] {
        let answer = http_without_host(server.addr(), "GET", RECORD, bad, "").await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (400, &json!("INVALID_REQUEST")),
            "{bad}"
        );
    }
    let config = Config::default().public_url("https://example.com/rtc/");
    let server = TestServer::with(config).await;
    assert_eq!(told(&server, "Host: rtc.example:99\r\n").await, "https://example.com/rtc");
    let refused = Server::builder().config(Config::default().public_url("nonsense")).start().await;
    assert!(matches!(refused, Err(StartError::Config(_))), "{refused:?}");
}

#[tokio::test]
async fn only_trusted_proxies_are_believed() {
    const HOST: &str = "Host: inner:1\r\n";
    let claims = [
        "Forwarded: for=192.0.2.1;host=outer.example;proto=https\r\n",
        "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: outer.example\r\nX-Forwarded-Proto: https\r\n",
    ];
    let stranger = TestServer::with(
        Config::default().trusted_proxies(vec!["10.0.0.0/8".parse().expect("a range")]),
    )
    .await;
    let proxies = ["127.0.0.0/8", "10.0.0.0/8"].map(|range| range.parse().expect("a range"));
    let behind = TestServer::with(Config::default().trusted_proxies(proxies.to_vec())).await;
    let ip = async |server: &TestServer, headers: &str| {
        get(server, "/api/service?service=us31abc", headers).await.json()["ip"].clone()
    };
    for claim in claims {
        let headers = format!("{HOST}{claim}");
        assert_eq!(told(&stranger, &headers).await, "http://inner:1", "{claim}");
        assert_eq!(ip(&stranger, claim).await, "127.0.0.1");
        assert_eq!(told(&behind, &headers).await, "https://outer.example", "{claim}");
        assert_eq!(ip(&behind, claim).await, "192.0.2.1");
    }
    // What a client made up stands before what the nearest proxies say, and does not count.
    let chain = "Forwarded: for=1.1.1.1;host=evil.example, for=192.0.2.1;host=outer.example;proto=https, \
                 for=10.0.0.7;host=middle.example\r\n";
    assert_eq!(told(&behind, &format!("{HOST}{chain}")).await, "https://outer.example");
    assert_eq!(ip(&behind, chain).await, "192.0.2.1");
    // A proxy that tells the protocol only.
    let headers = format!("{HOST}X-Forwarded-Proto: https\r\n");
    assert_eq!(told(&behind, &headers).await, "https://inner:1");
    let headers = format!("{HOST}X-Forwarded-Host: <script>\r\n");
    assert_eq!(told(&behind, &headers).await, "http://inner:1");
}

/// The script in a page: what its `fetch` gives for these addresses.
async fn fetched(test: &str, server: &TestServer, query: &str, urls: &[&str]) -> Option<Value> {
    let answer = get(server, &format!("/self-host.js{query}"), "").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let urls = json!(urls);
    let page = format!(
        r#"globalThis.fetch = (url) => Promise.resolve(new Response(JSON.stringify("not ours")));
        {}
        const asked = {urls}.map((url) => fetch(url).then((answer) => answer.json()));
        Promise.all(asked).then((answers) => console.log(JSON.stringify(answers)));"#,
        answer.body
    );
    let printed = scripts::run(test, "node", &["-"], &page)?;
    Some(serde_json::from_str(&printed).expect("JSON"))
}

#[tokio::test]
async fn the_script_answers_for_the_discovery_host_and_for_nobody_else() {
    const TEST: &str = "the_script_answers_for_the_discovery_host_and_for_nobody_else";
    const HOST: &str = "https://d3e9syvbtso631.cloudfront.net";
    let server = TestServer::start().await;
    let admin = get(&server, ADMIN, "").await.json();
    let record = get(&server, RECORD, "").await.json();
    let urls = [
        &format!("{HOST}/us31/admin-v1.json"),
        &format!("{HOST}/ap22/record-v2.json"),
        &format!("{HOST}/us31/other.json"),
        "https://example.com/us31/admin-v1.json",
    ];
    let not_ours = json!("not ours");
    // Without a service, for all; a compound id names its region itself, here `ap22`.
    for (query, expected) in [
        ("", [&admin, &record, &not_ours, &not_ours]),
        ("?service=us31abc&owner=o", [&admin, &not_ours, &not_ours, &not_ours]),
        ("?service=5cd12343wxyzab-1VgEh72lXvTXkH", [&not_ours, &record, &not_ours, &not_ours]),
    ] {
        let Some(answers) = fetched(TEST, &server, query, &urls).await else { return };
        assert_eq!(answers, json!(expected), "{query}");
    }
}

#[tokio::test]
async fn no_query_gets_into_the_script_as_code() {
    const TEST: &str = "no_query_gets_into_the_script_as_code";
    let server = TestServer::start().await;
    let plain = get(&server, "/self-host.js", "").await;
    assert_eq!(plain.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(plain.header("x-content-type-options"), Some("nosniff"));
    // Four characters get into the script; the client puts them into the address as they are.
    for (written, region) in [
        ("%22%2Bxy", "\"+xy"),
        ("%27-x-", "'-x-"),
        ("%5C%22%29%3B", "\\\");"),
        ("%E2%80%A8%24%7Bx", "\u{2028}${x"),
        ("%3C%21--", "<!--"),
    ] {
        let query = format!("?service={written}abc");
        let answer = get(&server, &format!("/self-host.js{query}"), "").await;
        assert!(!answer.body.contains(['\u{2028}']) && !answer.body.contains("<!"), "{region}");
        let url = format!("https://d3e9syvbtso631.cloudfront.net/{region}/admin-v1.json");
        let Some(answers) = fetched(TEST, &server, &query, &[&url]).await else { return };
        assert!(answers[0]["admin_public"].is_string(), "{region}: {answers}");
    }
    for bad in ["?service=a-b", "?service=%0A", &format!("?service={}", "x".repeat(300))] {
        let answer = get(&server, &format!("/self-host.js{bad}"), "").await;
        assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("INVALID_PARAMETER")));
    }
}
