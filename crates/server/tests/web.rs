//! Static files beside the API.

mod support;

use std::{fs, path::Path};

use serde_json::json;
use skapi_rtc_server::{Config, DevAuthenticator, Server, StartError};
use tempfile::TempDir;

use support::{TestServer, http};

fn site() -> TempDir {
    let outside = TempDir::new().expect("a folder");
    let site = outside.path().join("site");
    for folder in ["sub", ".git", ".well-known", "api", "dev", "us31"] {
        fs::create_dir_all(site.join(folder)).expect("a folder");
    }
    fs::write(outside.path().join("secret.txt"), "secret").expect("written");
    for (name, text) in [
        ("index.html", "<h1>home</h1>"),
        ("page.js", "1"),
        ("a b.txt", "blank"),
        ("sub/index.html", "<h1>sub</h1>"),
        (".env", "secret"),
        (".git/config", "secret"),
        (".well-known/x.txt", "known"),
        ("ws", "not this"),
        ("api/service", "not this"),
        ("self-host.js", "not this"),
        ("us31/admin-v1.json", "not this"),
    ] {
        fs::write(site.join(name), text).expect("written");
    }
    outside
}

async fn server(site: &Path) -> TestServer {
    TestServer::with(Config::default().web(site.join("site"))).await
}

#[tokio::test]
async fn files_are_served_with_their_types() {
    let site = site();
    let server = server(site.path()).await;
    for (path, kind, body) in [
        ("/", "text/html", "<h1>home</h1>"),
        ("/index.html", "text/html", "<h1>home</h1>"),
        ("/page.js?v=1", "text/javascript", "1"),
        ("/a%20b.txt", "text/plain", "blank"),
        ("/sub/", "text/html", "<h1>sub</h1>"),
        ("/.well-known/x.txt", "text/plain", "known"),
    ] {
        let answer = http(server.addr(), "GET", path, "", "").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, body), "{path}");
        assert!(answer.header("content-type").is_some_and(|t| t.starts_with(kind)), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    let moved = http(server.addr(), "GET", "/sub", "", "").await;
    assert_eq!((moved.status, moved.header("location")), (307, Some("/sub/")));
    let known = http(server.addr(), "GET", "/", "", "").await;
    let since =
        format!("If-Modified-Since: {}\r\n", known.header("last-modified").expect("a time"));
    assert_eq!(http(server.addr(), "GET", "/", &since, "").await.status, 304);
    assert_eq!(http(server.addr(), "HEAD", "/", "", "").await.body, "");
}

#[tokio::test]
async fn nothing_else_is_served() {
    let site = site();
    let server = server(site.path()).await;
    for path in [
        "/missing.html",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/sub/..%2f..%2fsecret.txt",
        "/..%5csecret.txt",
        "/%2e%2e%2fsecret.txt",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/%00",
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/sub%2f..%2f.env",
    ] {
        let answer = http(server.addr(), "GET", path, "", "").await;
        assert_eq!((answer.status, &answer.json()["code"]), (404, &json!("NOT_FOUND")), "{path}");
    }
    let posted = http(server.addr(), "POST", "/index.html", "", "x").await;
    assert_eq!((posted.status, &posted.json()["code"]), (405, &json!("METHOD_NOT_ALLOWED")));
}

#[tokio::test]
async fn what_the_service_answers_itself_comes_first() {
    let site = site();
    let server = server(site.path()).await;
    for path in ["/ws", "/api/service", "/self-host.js", "/us31/admin-v1.json", "/health"] {
        let answer = http(server.addr(), "GET", path, "", "").await;
        assert!(!answer.body.contains("not this"), "{path}");
    }
    let missing = http(server.addr(), "POST", "/api/get-records", "", "{}").await;
    assert_eq!((missing.status, &missing.json()["code"]), (404, &json!("NOT_FOUND")));
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named_at_the_start() {
    let config = Config::default().web("/nowhere/at/all");
    let refused = Server::builder().dev(DevAuthenticator::new()).config(config).start().await;
    match refused {
        Err(error @ StartError::Web { .. }) => {
            assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
}
