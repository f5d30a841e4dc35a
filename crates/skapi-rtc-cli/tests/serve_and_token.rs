//! `serve` and `token`, with the real program.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use tempfile::TempDir;
use tokio_tungstenite::{connect_async, tungstenite};

const PATIENCE: Duration = Duration::from_secs(30);
const SECRET: &str = "a secret of thirty-two bytes, ok";

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skapi-rtc"));
    command.env_remove("SKAPI_RTC_JWT_SECRET").env_remove("RUST_LOG");
    command
}

fn run(args: &[&str]) -> Output {
    program().args(args).output().expect("the program runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn assert_fails(output: &Output, code: i32, words: &[&str]) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(output.stdout.is_empty(), "an error does not belong on stdout");
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
}

/// A running `serve`.
struct Service {
    child: Child,
    line: String,
    address: SocketAddr,
}

impl Service {
    fn start(args: &[&str]) -> Self {
        Self::spawn(program().args(args))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let _ = stdout.read_line(&mut line);
            let _ = sender.send(line);
        });
        let line = lines.recv_timeout(PATIENCE).expect("the line that tells the address");
        let host = line.split("://").nth(1).expect("an address");
        let address = host.split([' ', '"']).next().expect("an address");
        let address = address.parse().expect("an address");
        Self { child, line: line.trim_end().to_owned(), address }
    }

    fn url(&self, token: &str) -> String {
        format!("ws://{}/ws?token={token}", self.address)
    }

    /// Asks it to stop; its exit code and what it wrote to stderr.
    fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        let kill = Command::new("kill").args([signal, &pid]).status();
        assert!(kill.expect("kill runs").success());
        let mut text = String::new();
        let mut stderr = self.child.stderr.take().expect("stderr");
        stderr.read_to_string(&mut text).expect("stderr is text");
        let status = self.child.wait().expect("the program ends");
        (status.code(), text)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn dev_token(address: SocketAddr, user: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connected");
    let body = format!(r#"{{"user":"{user}"}}"#);
    write!(
        stream,
        "POST /dev/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    body["token"].as_str().expect("a token").to_owned()
}

fn secret_file(folder: &TempDir, content: &str) -> String {
    let path = folder.path().join("secret");
    std::fs::write(&path, content).expect("written");
    path_text(&path)
}

fn path_text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// Connects and joins a group; gives the first frame.
async fn greeting(url: &str) -> Result<String, tungstenite::Error> {
    let (mut socket, _) = connect_async(url).await?;
    let join = r#"{"action":"joinRoom","rid":"G","token":"a-token-in-a-frame","ref":1}"#;
    socket.send(tungstenite::Message::text(join)).await?;
    let first = socket.next().await.expect("a frame")?;
    let done = socket.next().await.expect("a frame")?.into_text()?;
    assert_eq!(done.as_str(), r##"{"#done":1}"##);
    Ok(first.into_text()?.to_string())
}

#[tokio::test]
async fn dev_mode_tells_its_address_in_one_line_and_hands_out_tokens() {
    let service = Service::start(&["serve", "--dev"]);
    let (address, version) = (service.address, env!("CARGO_PKG_VERSION"));
    assert_ne!(address.port(), 0);
    assert_eq!(
        service.line,
        format!("skapi-rtc {version} listening on http://{address} (ws://{address}/ws)")
    );
    let token = dev_token(address, "alice");
    let first = greeting(&service.url(&token)).await.expect("accepted");
    assert!(first.contains("#ready") && first.contains("alice"), "{first}");

    let (code, stderr) = service.stop("-TERM");
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(stderr.matches("DEV MODE").count(), 1, "{stderr}");
}

#[test]
fn machines_get_an_object_a_line() {
    let service = Service::start(&["--json", "serve", "--dev"]);
    let event: serde_json::Value = serde_json::from_str(&service.line).expect("JSON");
    assert_eq!(event["event"], "listening");
    assert_eq!(event["ws"], format!("ws://{}/ws", service.address));
    assert_eq!(event["http"], format!("http://{}", service.address));
    assert_eq!(event["dev"], true);
    assert_eq!(service.stop("-INT").0, Some(0));

    let output = run(&["token", "--user", "alice", "--json"]);
    let event: serde_json::Value = serde_json::from_str(&stderr(&output)).expect("JSON");
    assert_eq!((&event["event"], &event["exit_code"]), (&"error".into(), &2.into()));
}

#[tokio::test]
async fn a_token_of_the_program_opens_the_service_with_the_same_secret() {
    let folder = TempDir::new().expect("a folder");
    let file = secret_file(&folder, &format!("{SECRET}\n"));
    let output = run(&["token", "--user", "alice", "--ttl", "1h", "--jwt-secret-file", &file]);
    assert!(output.status.success(), "{}", stderr(&output));
    let token = String::from_utf8(output.stdout).expect("text");
    let token = token.trim_end();
    assert_eq!(token.lines().count(), 1);

    // The secret by the environment, for a change; and no line break in it.
    let service = Service::spawn(program().arg("serve").env("SKAPI_RTC_JWT_SECRET", SECRET));
    let first = greeting(&service.url(token)).await.expect("accepted");
    assert!(first.contains("alice"), "{first}");
    match greeting(&service.url("nonsense")).await {
        Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), 401),
        other => panic!("expected a refusal, got {other:?}"),
    }
    // Without dev mode nobody hands out tokens.
    let mut stream = TcpStream::connect(service.address).expect("connected");
    let request =
        "POST /dev/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
}

#[tokio::test]
async fn no_log_level_shows_a_token_or_the_secret() {
    let mut command = program();
    command.args(["serve", "--dev"]).env("RUST_LOG", "trace").env("SKAPI_RTC_JWT_SECRET", SECRET);
    let service = Service::spawn(&mut command);
    let token = dev_token(service.address, "alice");
    greeting(&service.url(&token)).await.expect("accepted");
    assert!(greeting(&service.url("a-wrong-token")).await.is_err());
    let (_, log) = service.stop("-TERM");
    assert!(log.contains("stopping"), "there is a log: {log}");
    let signature = token.rsplit('.').next().expect("a signature");
    for secret in [signature, "a-token-in-a-frame", "a-wrong-token", SECRET] {
        assert!(!log.contains(secret), "`{secret}` is in the log");
    }
}

#[tokio::test]
async fn the_three_tokens_of_a_page_are_printed_for_a_service() {
    let folder = TempDir::new().expect("a folder");
    let file = secret_file(&folder, SECRET);
    let user = "f2b4c1a0-1111-4222-8333-444455556666";
    let args = ["token", "--user", user, "--name", "Alice", "--service", "us31abcdef"];
    let output = run(&[&args[..], &["--expires", "7d", "--jwt-secret-file", &file]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let tokens: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(tokens.as_object().map(serde_json::Map::len), Some(3), "{tokens}");

    let strict = ["serve", "--service", "us31abcdef", "--jwt-secret-file", &file];
    let service = Service::start(&strict);
    for token in ["idToken", "accessToken"] {
        let token = tokens[token].as_str().expect("a token");
        let first = greeting(&service.url(token)).await.expect("accepted");
        assert!(first.contains(user), "{first}");
    }
    assert!(tokens["refreshToken"].as_str().is_some_and(|token| !token.is_empty()));
    // One for nobody's service is not good here.
    let plain = run(&["token", "--user", user, "--jwt-secret-file", &file]);
    let plain = String::from_utf8(plain.stdout).expect("text");
    assert!(greeting(&service.url(plain.trim_end())).await.is_err());
    let broken = ["token", "--user", user, "--service", "a-b", "--jwt-secret-file", &file];
    assert_fails(&run(&broken), 2, &["compound"]);
}

#[cfg(unix)]
#[test]
fn a_hangup_reads_the_certificate_again_and_keeps_a_good_one() {
    let folder = TempDir::new().expect("a folder");
    let path = |name: &str| path_text(&folder.path().join(name));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    std::fs::write(path("cert.pem"), made.cert.pem()).expect("written");
    std::fs::write(path("key.pem"), made.signing_key.serialize_pem()).expect("written");
    let mut service = Service::start(&[
        "serve",
        "--dev",
        "--tls-cert",
        &path("cert.pem"),
        "--tls-key",
        &path("key.pem"),
    ]);
    let address = service.address;
    assert!(service.line.contains(&format!("https://{address} (wss://{address}/ws)")));

    std::fs::write(path("cert.pem"), "nonsense").expect("written");
    let pid = service.child.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().expect("kill runs").success());
    let stderr = BufReader::new(service.child.stderr.take().expect("stderr"));
    let (sender, warnings) = mpsc::channel();
    thread::spawn(move || {
        let told = |line: &String| line.contains("stays in use");
        let _ = sender.send(stderr.lines().map_while(Result::ok).find(told));
    });
    let warning = warnings.recv_timeout(PATIENCE).expect("a warning").expect("a warning");
    assert!(warning.contains("cert.pem holds no certificate"), "{warning}");
    assert!(TcpStream::connect(address).is_ok(), "it still runs");

    let missing = ["serve", "--dev", "--tls-cert", &path("missing"), "--tls-key", &path("key.pem")];
    assert_fails(&run(&missing), 7, &["missing"]);
    assert_fails(&run(&["serve", "--dev", "--tls-cert", "x"]), 2, &["--tls-key"]);
}

#[test]
fn a_port_in_use_is_named_and_has_its_code() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = run(&["serve", "--dev", "--listen", &address]);
    assert_fails(&output, 3, &[&address, "in use"]);
}

#[test]
fn usage_errors_say_what_to_do() {
    assert_fails(&run(&["serve"]), 2, &["--jwt-secret-file", "--dev"]);
    assert_fails(
        &run(&["serve", "--dev", "--listen", "nonsense"]),
        2,
        &["nonsense", "127.0.0.1:8787"],
    );
    assert_fails(&run(&["serve", "--dev", "--max-groups", "0"]), 2, &["max_groups"]);
    assert_fails(&run(&["token", "--user", "alice"]), 2, &["SKAPI_RTC_JWT_SECRET"]);
    assert_fails(&run(&["token", "--user", "a b"]), 2, &["--user"]);
    assert_fails(&run(&["token", "--user", "a", "--ttl", "1w"]), 2, &["s, m, h or d"]);
    assert_fails(&run(&["dance"]), 2, &["dance"]);
}

#[test]
fn dev_mode_stays_at_home_unless_told_otherwise() {
    let output = run(&["serve", "--dev", "--listen", "0.0.0.0:0"]);
    assert_fails(&output, 2, &["0.0.0.0", "--dev-allow-remote"]);
    let mut child = program()
        .args(["serve", "--dev", "--dev-allow-remote", "--listen", "0.0.0.0:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("stdout"));
    stdout.read_line(&mut line).expect("a line");
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert!(line.contains("http://0.0.0.0:"), "{line}");
}

#[test]
fn files_that_do_not_help_have_their_code() {
    let folder = TempDir::new().expect("a folder");
    let missing = path_text(&folder.path().join("missing"));
    let user = ["token", "--user", "alice"];
    let with = |args: &[&str]| run(&[&user[..], args].concat());
    assert_fails(&with(&["--jwt-secret-file", &missing]), 7, &[&missing, "No such file"]);
    let empty = secret_file(&folder, "\n");
    assert_fails(&with(&["--secret-file", &empty]), 7, &[&empty, "empty"]);
    assert_fails(&run(&["serve", "--jwt-public-key-file", &empty]), 7, &[&empty, "PEM"]);

    let short = secret_file(&folder, "short");
    let output = with(&["--jwt-secret-file", &short]);
    assert!(output.status.success());
    assert!(stderr(&output).contains("can be guessed"), "{}", stderr(&output));
}

#[test]
fn the_help_tells_the_exit_codes() {
    let output = run(&["--help"]);
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("Exit codes:") && text.contains("serve") && text.contains("token"));
}
