//! `listen`, `call` and `demo`, with the real program: what they say, and with which code they end.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// What an answer may take at most, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skapi-rtc"));
    command.arg("--json").args(args).env_remove("SKAPI_RTC_TOKEN").env_remove("RUST_LOG");
    command
}

fn run(args: &[&str]) -> Output {
    program(args).stdin(Stdio::null()).output().unwrap()
}

#[track_caller]
fn assert_fails(output: &Output, code: i32, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
}

/// A process that says things, one JSON object a line.
struct Running {
    child: Child,
    said: mpsc::Receiver<Value>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null());
        Self::spawn(command)
    }

    /// Starts a process whose stdin stays open.
    fn start_with_stdin(mut command: Command) -> Self {
        command.stdin(Stdio::piped());
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, said) = mpsc::channel();
        for stream in [
            Box::new(child.stdout.take().unwrap()) as Box<dyn std::io::Read + Send>,
            Box::new(child.stderr.take().unwrap()),
        ] {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let event = serde_json::from_str(&line).unwrap_or(Value::String(line));
                    if sender.send(event).is_err() {
                        return;
                    }
                }
            });
        }
        Self { child, said }
    }

    #[track_caller]
    fn expect(&self, event: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let mut before = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.said.recv_timeout(left) {
                Ok(said) if said["event"] == event => return said,
                Ok(said) => before.push(said),
                Err(_) => panic!("it never said `{event}`, but {before:#?}"),
            }
        }
    }

    /// Sends a line by chat, and waits for its echo.
    #[track_caller]
    fn chats(&mut self, text: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{text}").unwrap();
        assert_eq!(self.expect("message")["value"], text);
    }

    /// Waits for the end of the process.
    #[track_caller]
    fn exit_code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        // Its streams end with it.
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.said.recv_timeout(left) {
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return self.child.wait().unwrap().code();
                }
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end"),
            }
        }
    }

    fn write(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
    }

    /// Asks the process to end.
    #[cfg(unix)]
    fn terminate(&self) {
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(asked.success());
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A service in dev mode.
struct Service {
    process: Running,
    url: String,
}

impl Service {
    fn start() -> Self {
        Self::start_at("127.0.0.1:0")
    }

    fn start_at(address: &str) -> Self {
        let process = Running::start(program(&["serve", "--dev", "--listen", address]));
        let url = process.expect("listening")["http"].as_str().unwrap().to_owned();
        Self { process, url }
    }

    fn listen(&self, user: &str, more: &[&str]) -> Running {
        let mut args = vec!["listen", "--server", &self.url, "--dev-user", user];
        args.extend(more);
        let peer = Running::start(program(&args));
        peer.expect("waiting");
        peer
    }

    fn call(&self, target: &str, more: &[&str]) -> Command {
        let mut args = vec!["call", target, "--server", &self.url, "--dev-user", "caller"];
        args.extend(more);
        program(&args)
    }
}

fn file(folder: &Path, name: &str, size: usize) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, (0..size).map(|n| ((n * 7) >> 2) as u8).collect::<Vec<_>>()).unwrap();
    path
}

#[test]
fn messages_pings_and_files_reach_a_listening_peer_and_both_see_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = folder.path().join("inbox");
    let service = Service::start();
    let peer = service.listen("echo", &["--save-dir", inbox.to_str().unwrap()]);
    let sent = file(folder.path(), "a file.bin", 1_234_567);

    let args = ["--message", "hello", "--ping", "20", "--send-file", sent.to_str().unwrap()];
    let mut caller = Running::start(service.call("echo", &args));
    assert_eq!(caller.expect("message")["value"], "hello");
    assert_eq!(caller.expect("pings")["count"], 20);
    assert_eq!(caller.expect("file_sent")["bytes"], 1_234_567);
    assert_eq!(caller.expect("ended")["by"], "local");
    assert_eq!(caller.exit_code(), Some(0));

    assert_eq!(peer.expect("incoming")["user"], "caller");
    let received = peer.expect("file_received");
    assert_eq!(
        std::fs::read(received["path"].as_str().unwrap()).unwrap(),
        std::fs::read(sent).unwrap()
    );
    assert_eq!(peer.expect("ended")["reason"], "hung up by the peer");
}

/// The report on one kind of media.
fn received(process: &Running, first: &str) -> [Value; 2] {
    let reports = [process.expect("media_received"), process.expect("media_received")];
    let (a, b) = (&reports[0]["kind"], &reports[1]["kind"]);
    assert!(a != b, "two reports on {a}");
    let [one, other] = reports;
    if one["kind"] == first { [one, other] } else { [other, one] }
}

#[test]
fn a_listening_peer_echoes_audio_and_video() {
    let service = Service::start();
    let peer = service.listen("echo", &[]);
    let args = ["--media", "test", "--media-time", "2s", "--message", "data too"];
    let mut caller = Running::start(service.call("echo", &args));
    assert_eq!(caller.expect("message")["value"], "data too");
    let [audio, video] = received(&caller, "audio");
    assert_eq!((&audio["codec"], &video["codec"]), (&"opus".into(), &"VP8".into()));
    // Fifty and fifteen a second were sent.
    assert!(audio["frames"].as_u64().unwrap() > 20, "{audio}");
    assert!(video["frames"].as_u64().unwrap() > 5, "{video}");
    assert!(video["keyframes"].as_u64().unwrap() > 0, "{video}");
    assert_eq!(caller.exit_code(), Some(0));
    for report in received(&peer, "audio") {
        assert!(report["packets"].as_u64().unwrap() > 5, "{report}");
        assert!(report["bytes"].as_u64().unwrap() > 500, "{report}");
    }
}

#[cfg(unix)]
#[test]
fn media_go_on_until_somebody_ends_the_call() {
    let service = Service::start();
    let mut peer = service.listen("echo", &["--once"]);
    let mut caller = Running::start(service.call("echo", &["--media", "test"]));
    let mut kinds = [caller.expect("track"), caller.expect("track")]
        .map(|event| event["kind"].as_str().unwrap().to_owned());
    kinds.sort();
    assert_eq!(kinds, ["audio", "video"]);
    caller.terminate();
    received(&caller, "audio");
    assert_eq!(caller.exit_code(), Some(0));
    assert_eq!(peer.expect("ended")["reason"], "hung up by the peer");
    assert_eq!(peer.exit_code(), Some(0));
}

#[test]
fn a_call_without_media_is_not_echoed_any() {
    let service = Service::start();
    let peer = service.listen("echo", &[]);
    let mut caller = Running::start(service.call("echo", &["--ping", "5"]));
    assert_eq!(caller.expect("pings")["count"], 5);
    assert_eq!(caller.exit_code(), Some(0));
    assert_eq!(peer.expect("ended")["reason"], "hung up by the peer");
}

#[test]
fn a_time_for_media_needs_media() {
    let usage = run(&["call", "x", "--dev-user", "y", "--media-time", "1s"]);
    assert_fails(&usage, 2, &["--media"]);
}

#[test]
#[cfg(feature = "str0m")]
fn engines_echo_each_others_media() {
    for (listening, calling) in [("str0m", "str0m"), ("str0m", "webrtc"), ("webrtc", "str0m")] {
        let service = Service::start();
        let peer = service.listen("echo", &["--engine", listening]);
        let media = ["--media", "test", "--media-time", "2s", "--engine", calling];
        let mut caller = Running::start(service.call("echo", &media));
        caller.expect("track");
        let [audio, video] = received(&caller, "audio");
        for report in [&audio, &video] {
            assert!(report["frames"].as_u64().unwrap() > 5, "{calling}: {report}");
        }
        assert!(video["keyframes"].as_u64().unwrap() > 0, "{calling}: {video}");
        assert_eq!(caller.exit_code(), Some(0));
        for report in received(&peer, "audio") {
            assert!(report["packets"].as_u64().unwrap() > 5, "{listening}: {report}");
        }
    }
}

#[test]
#[cfg(feature = "str0m")]
fn engines_call_each_other() {
    for (listening, calling) in [("str0m", "str0m"), ("str0m", "webrtc"), ("webrtc", "str0m")] {
        let (service, args) = (Service::start(), ["--engine", calling, "--ping", "9"]);
        let tcp = (listening == "str0m").then_some("--ice-tcp");
        let listen: Vec<_> = ["--engine", listening].into_iter().chain(tcp).collect();
        let _peer = service.listen("echo", &listen);
        assert!(service.call("echo", &args).status().unwrap().success(), "{calling}");
    }
    let usage = run(&["call", "x", "--dev-user", "y", "--ice-tcp"]);
    assert_fails(&usage, 2, &["--ice-tcp", "--engine str0m"]);
}

#[test]
fn a_chat_sends_what_it_is_given_before_it_hangs_up() {
    let service = Service::start();
    let peer = service.listen("echo", &[]);
    let mut caller = Running::start_with_stdin(service.call("echo", &[]));
    caller.expect("chat");
    // The lines and the end of stdin come together.
    caller.write("first\nlast\n");
    caller.child.stdin = None;
    assert_eq!(caller.expect("message")["value"], "first");
    assert_eq!(caller.expect("message")["value"], "last");
    assert_eq!(caller.exit_code(), Some(0));
    assert_eq!(peer.expect("ended")["reason"], "hung up by the peer");
}

/// The terminal is still waiting for a line.
#[cfg(unix)]
#[test]
fn a_chat_ends_with_the_call_though_stdin_goes_on() {
    let service = Service::start();
    let peer = service.listen("echo", &[]);
    let mut caller = Running::start_with_stdin(service.call("echo", &[]));
    caller.expect("chat");
    peer.terminate();
    assert_eq!(caller.expect("ended")["by"], "remote");
    assert_eq!(caller.exit_code(), Some(0));
}

#[cfg(unix)]
#[test]
fn who_is_interrupted_before_the_work_is_done_does_not_end_well() {
    let service = Service::start();
    let _peer = service.listen("echo", &[]);
    let mut caller = Running::start(service.call("echo", &["--ping", "1000000"]));
    caller.expect("channel_open");
    caller.terminate();
    let error = caller.expect("error");
    assert!(error["message"].as_str().unwrap().contains("SIGTERM"), "{error}");
    assert_eq!(caller.exit_code(), Some(1));
}

#[test]
fn a_service_that_is_killed_does_not_end_the_call() {
    let mut service = Service::start();
    let _peer = service.listen("echo", &[]);
    let mut caller = Running::start_with_stdin(service.call("echo", &[]));
    caller.expect("chat");
    service.process.kill();
    caller.expect("disconnected");
    caller.chats("without a service");
    // With another secret, so that both have to ask for a new token.
    let address = service.url.trim_start_matches("http://").to_owned();
    let _service = Service::start_at(&address);
    caller.expect("reconnected");
    caller.chats("with another service");
    drop(caller.child.stdin.take());
    assert_eq!(caller.exit_code(), Some(0));
}

#[test]
fn whoever_cannot_be_called_is_named() {
    let service = Service::start();
    let nobody = service.call("cid:nobody", &["--message", "x"]).output().unwrap();
    assert_fails(&nobody, 5, &["nobody is connected under the called id"]);
    let stranger = service.call("stranger", &["--message", "x"]).output().unwrap();
    assert_fails(&stranger, 5, &["stranger is not in the group lobby"]);
    let nonsense = service.call("cid:<b>", &["--message", "x"]).output().unwrap();
    assert_fails(&nonsense, 2, &["cid:<b> cannot be called"]);
}

#[test]
fn a_service_that_is_not_there_or_does_not_know_us_is_named() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let missing = run(&["call", "x", "--server", &url, "--dev-user", "me"]);
    assert_fails(&missing, 3, &[&url, "skapi-rtc serve --dev"]);

    let service = Service::start();
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "not a token").unwrap();
    let token = token.to_str().unwrap();
    let wrong = run(&["listen", "--server", &service.url, "--token-file", token]);
    assert_fails(&wrong, 4, &["refused the token", "skapi-rtc token"]);

    let nobody = run(&["listen", "--server", &service.url]);
    assert_fails(&nobody, 2, &["--token-file", "SKAPI_RTC_TOKEN", "--dev-user"]);
}

#[test]
fn files_that_cannot_be_read_or_stored_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start();
    let peer = service.listen("echo", &[]);

    let missing = folder.path().join("missing").display().to_string();
    let unreadable = service.call("echo", &["--send-file", &missing]).output().unwrap();
    assert_fails(&unreadable, 7, &[&missing]);

    let sent = file(folder.path(), "x.bin", 1000).display().to_string();
    let unwanted = service.call("echo", &["--send-file", &sent]).output().unwrap();
    assert_fails(&unwanted, 7, &["x.bin was not sent", "--save-dir"]);
    drop(peer);

    let inbox = folder.path().join("inbox").display().to_string();
    let _peer = service.listen("small", &["--save-dir", &inbox, "--max-file-mib", "0"]);
    let large = service.call("small", &["--send-file", &sent]).output().unwrap();
    assert_fails(&large, 7, &["x.bin was not sent", "no files above 0 MiB"]);
}

/// A limit on the size of files stands in for a disk that is full: the write fails in the middle.
#[cfg(unix)]
#[test]
fn a_receiver_whose_disk_is_full_tells_the_sender() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = folder.path().join("inbox");
    let service = Service::start();
    let script = format!(
        "trap '' XFSZ; ulimit -f 128; exec '{}' --json listen --server {} --dev-user echo --save-dir '{}'",
        env!("CARGO_BIN_EXE_skapi-rtc"),
        service.url,
        inbox.display()
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).env_remove("RUST_LOG");
    let peer = Running::start(shell);
    peer.expect("waiting");

    let sent = file(folder.path(), "large.bin", 4 << 20).display().to_string();
    let refused = service.call("echo", &["--send-file", &sent]).output().unwrap();
    assert_fails(&refused, 7, &["large.bin was not sent", "cannot write"]);
    peer.expect("warning");
    peer.expect("ended");
    assert_eq!(std::fs::read_dir(&inbox).unwrap().count(), 0, "a part of the file is left");
}

#[test]
fn the_demo_holds() {
    let output = run(&["demo", "--once", "--file-mib", "2", "--pings", "50"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains("checks held"), "{said}");
}
