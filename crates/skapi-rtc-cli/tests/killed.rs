//! The program is killed in a call, and while it rings: the other side is told within seconds.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use skapi_rtc::{
    ConnectOptions, EndReason, Endpoint, IncomingCall, RealtimeEvent, connect_realtime,
    transport::{Transport as _, WebSocketTransport},
};

/// What nothing but a fault takes longer than.
const PATIENCE: Duration = Duration::from_secs(60);

struct Process(Child);

impl Process {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skapi-rtc"));
        command.arg("--json").args(args).env_remove("SKAPI_RTC_TOKEN").env_remove("RUST_LOG");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Reads what it says until it says this, and leaves the rest unread.
    fn says(&mut self, event: &str) -> BufReader<ChildStdout> {
        let mut lines = BufReader::new(self.0.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains(&format!("\"event\":\"{event}\"")) {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "it never said `{event}`");
        }
        lines
    }

    fn first_line(&mut self) -> serde_json::Value {
        let mut line = String::new();
        BufReader::new(self.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_peer_that_is_killed_is_missed_within_seconds() {
    let mut service = Process::start(&["serve", "--dev", "--listen", "127.0.0.1:0"]);
    let url = service.first_line()["http"].as_str().unwrap().to_owned();
    let mut peer = Process::start(&["listen", "--server", &url, "--dev-user", "echo"]);
    let _said = peer.says("waiting");
    // So many take longer than the test.
    let pings = ["--dev-user", "caller", "--ping", "1000000"];
    let mut caller = Process::start(&[&["call", "echo", "--server", &url], &pings[..]].concat());
    let mut said = caller.says("channel_open");
    peer.0.kill().unwrap();
    let killed = Instant::now();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    caller.0.stderr.take().unwrap().read_to_string(&mut rest).unwrap();
    assert_eq!(caller.0.wait().unwrap().code(), Some(6), "{rest}");
    assert!(rest.contains("the peer is gone"), "{rest}");
    assert!(killed.elapsed() < Duration::from_secs(20), "it took {:?}", killed.elapsed());
}

#[tokio::test]
async fn a_caller_that_is_killed_while_it_rings_is_missed_within_seconds() {
    let mut service = Process::start(&["serve", "--dev", "--listen", "127.0.0.1:0"]);
    let url = service.first_line()["http"].as_str().unwrap().to_owned();
    let token = dev_token(&url, "callee").await;
    let (callee, mut events) =
        connect_realtime(ConnectOptions::new(&url, token).unwrap()).await.unwrap();
    let target = format!("cid:{}", callee.cid().unwrap().as_str());
    let mut caller =
        Process::start(&["call", &target, "--server", &url, "--dev-user", "caller", "--ping", "1"]);
    let ringing = soon("the call", incoming(&mut events)).await;
    caller.0.kill().unwrap();
    caller.0.wait().unwrap();
    let killed = Instant::now();
    let end = soon("the end", ringing.cancelled()).await;
    let took = killed.elapsed();
    assert_eq!(end.reason, EndReason::PeerGone);
    assert!(took < Duration::from_secs(20), "it took {took:?}");
}

async fn incoming(events: &mut skapi_rtc::RealtimeEvents) -> IncomingCall {
    while let Some(event) = events.next().await {
        if let RealtimeEvent::Incoming(call) = event {
            return call;
        }
    }
    panic!("the session ended");
}

async fn dev_token(url: &str, user: &str) -> String {
    let endpoint = Endpoint::new(url).unwrap();
    let body = serde_json::json!({ "user": user }).to_string();
    let answer = WebSocketTransport::new().query(&endpoint, "", "../dev/token", body).await;
    let answer: serde_json::Value = serde_json::from_str(&answer.unwrap()).unwrap();
    answer["token"].as_str().unwrap().to_owned()
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("waited too long for {what}"))
}
