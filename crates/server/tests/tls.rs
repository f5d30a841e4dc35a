//! TLS: one port for HTTPS and secure WebSocket, certificates that change, connections that do not fit.

mod support;

use std::{fs, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use skapi_rtc_server::{DevAuthenticator, Server, Tls, TlsError};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{Connector, connect_async_tls_with_config};

use support::within;

/// A certificate for `localhost` in a folder, and the client that trusts it and nothing else.
fn certificate(folder: &Path) -> Arc<ClientConfig> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    fs::write(folder.join("cert.pem"), made.cert.pem()).expect("written");
    fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).expect("written");
    trusting(made.cert.der().clone())
}

fn trusting(certificate: CertificateDer<'static>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a certificate");
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions");
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

fn files(folder: &Path) -> Result<Tls, TlsError> {
    Tls::from_files(folder.join("cert.pem"), folder.join("key.pem"))
}

async fn serve(tls: &Tls) -> (Server, DevAuthenticator) {
    let dev = DevAuthenticator::new();
    let builder = Server::builder().dev(dev.clone()).tls(tls.clone());
    (builder.start().await.expect("the server starts"), dev)
}

/// `GET` over TLS: the whole answer.
async fn get(server: &Server, trust: &Arc<ClientConfig>, path: &str) -> std::io::Result<String> {
    let exchange = async {
        let stream = TcpStream::connect(server.local_addr()).await?;
        let name = ServerName::try_from("localhost").expect("a name");
        let mut stream = TlsConnector::from(trust.clone()).connect(name, stream).await?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    };
    within("an answer over TLS", exchange).await
}

#[tokio::test]
async fn one_port_serves_https_and_secure_websockets() {
    let folder = TempDir::new().expect("a folder");
    let trust = certificate(folder.path());
    let (server, dev) = serve(&files(folder.path()).expect("a certificate")).await;

    let answer = get(&server, &trust, "/us31/record-v1.json").await.expect("an answer");
    assert!(answer.contains(r#""record_private":"https://localhost:1/api/""#), "{answer}");
    assert!(answer.contains(r#""websocket_private":"wss://localhost:1/ws""#), "{answer}");

    let user = "alice".parse().expect("a user");
    let token = dev.mint(&user, std::time::Duration::from_secs(60));
    let url = format!("wss://localhost:{}/ws?token={token}", server.local_addr().port());
    let connector = Some(Connector::Rustls(trust));
    let connecting = connect_async_tls_with_config(url, None, false, connector);
    let (mut socket, _) = within("a secure WebSocket", connecting).await.expect("connected");
    let first = within("the greeting", futures_util::StreamExt::next(&mut socket)).await;
    let first = first.expect("a frame").expect("a frame").into_text().expect("text");
    assert!(first.contains("#ready"), "{first}");
    // A shutdown says goodbye over TLS, too.
    tokio::join!(server.shutdown(), async {
        let close = loop {
            match within("the goodbye", futures_util::StreamExt::next(&mut socket)).await {
                Some(Ok(tokio_tungstenite::tungstenite::Message::Close(Some(close)))) => {
                    break close;
                }
                Some(Ok(_)) => {}
                other => panic!("expected a close frame, got {other:?}"),
            }
        };
        assert_eq!(u16::from(close.code), 1001);
    });
}

#[tokio::test]
async fn who_does_not_speak_tls_harms_nobody() {
    let folder = TempDir::new().expect("a folder");
    let trust = certificate(folder.path());
    let (server, _) = serve(&files(folder.path()).expect("a certificate")).await;
    // One that says nothing, and one that speaks plain HTTP.
    let silent = TcpStream::connect(server.local_addr()).await.expect("connected");
    let mut plain = TcpStream::connect(server.local_addr()).await.expect("connected");
    plain.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    let _ = within("the end", plain.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert!(get(&server, &trust, "/health").await.expect("an answer").contains("200 OK"));
    // A handshake that never comes does not hold the shutdown up.
    within("the shutdown", server.shutdown()).await;
    drop(silent);
}

#[tokio::test]
async fn a_certificate_can_change_and_a_wrong_one_changes_nothing() {
    let folder = TempDir::new().expect("a folder");
    let old = certificate(folder.path());
    let tls = files(folder.path()).expect("a certificate");
    let (server, _) = serve(&tls).await;
    assert!(get(&server, &old, "/health").await.is_ok());

    let new = certificate(folder.path());
    assert!(get(&server, &new, "/health").await.is_err(), "it was not reloaded yet");
    tls.reload().expect("a certificate");
    assert!(get(&server, &new, "/health").await.is_ok());
    assert!(get(&server, &old, "/health").await.is_err());

    let key = fs::read(folder.path().join("key.pem")).expect("a key");
    for (file, content) in [("cert.pem", &b"nonsense"[..]), ("key.pem", b""), ("cert.pem", &key)] {
        let path = folder.path().join(file);
        let before = fs::read(&path).expect("a file");
        fs::write(&path, content).expect("written");
        let error = tls.reload().expect_err("refused");
        assert!(error.to_string().contains(file), "{error}");
        assert!(get(&server, &new, "/health").await.is_ok(), "what was there stays");
        fs::write(&path, before).expect("written");
    }
    // A key that belongs to another certificate.
    let other = TempDir::new().expect("a folder");
    certificate(other.path());
    fs::copy(other.path().join("key.pem"), folder.path().join("key.pem")).expect("copied");
    assert!(matches!(tls.reload(), Err(TlsError::Unusable(_))));
    fs::remove_file(folder.path().join("key.pem")).expect("removed");
    assert!(matches!(tls.reload(), Err(TlsError::Read { .. })));
    assert!(get(&server, &new, "/health").await.is_ok());
}

#[tokio::test]
async fn a_self_signed_certificate_is_for_the_names_that_are_given() {
    let tls = Tls::self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("made");
    let (server, _) = serve(&tls).await;
    // Nobody trusts it, so that a client that asks for trust turns away.
    let folder = TempDir::new().expect("a folder");
    let stranger = certificate(folder.path());
    let error = get(&server, &stranger, "/health").await.expect_err("not trusted");
    assert!(error.to_string().contains("certificate"), "{error}");
    assert!(Tls::self_signed(["ümlaut".to_owned()]).is_err());
    assert!(!format!("{tls:?}").contains("PRIVATE"));
}
