//! What `call` and `listen` tell people of a call, by the real program: one clear line for all that happens to
//! it, and for each way it can end.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{BufRead as _, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// What nothing but a fault takes longer than.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program, and the lines that it says: on stdout and on stderr, each in its order. Which of the two comes first
/// is nobody's promise.
struct Program {
    child: Child,
    said: mpsc::Receiver<(usize, String)>,
    unread: RefCell<[VecDeque<String>; 2]>,
}

impl Program {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skapi-rtc"));
        command.args(args).env_remove("SKAPI_RTC_TOKEN").env_remove("RUST_LOG");
        // A chat goes on as long as its stdin does.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, said) = mpsc::channel();
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for (at, stream) in streams.into_iter().enumerate() {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if sender.send((at, line)).is_err() {
                        return;
                    }
                }
            });
        }
        Self { child, said, unread: RefCell::default() }
    }

    /// Waits for a line with these words, and gives it; the lines before it on the same stream are done with.
    #[track_caller]
    fn says(&self, words: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut unread = self.unread.borrow_mut();
        loop {
            for lines in &mut *unread {
                if let Some(at) = lines.iter().position(|line| line.contains(words)) {
                    return lines.drain(..=at).next_back().unwrap();
                }
            }
            match self.said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok((stream, line)) => unread[stream].push_back(line),
                Err(_) => panic!("it never said `{words}`, but {unread:#?}"),
            }
        }
    }

    /// Sends it a signal.
    #[cfg(unix)]
    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    fn exit_code(&mut self) -> Option<i32> {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + PATIENCE;
        // Its streams end with it.
        loop {
            match self.said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end"),
            }
        }
        self.child.wait().unwrap().code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Service {
    _process: Program,
    url: String,
}

impl Service {
    fn start() -> Self {
        let process = Program::start(&["serve", "--dev", "--listen", "127.0.0.1:0"]);
        let line = process.says("listening on http://");
        let at = line.find("http://").unwrap();
        let url = line[at..].split_whitespace().next().unwrap().trim_end_matches(['/', ',']);
        Self { url: url.to_owned(), _process: process }
    }

    fn listen(&self, more: &[&str]) -> Program {
        let peer = Program::start(
            &[&["listen", "--server", &self.url, "--dev-user", "bob"], more].concat(),
        );
        peer.says("waiting for calls");
        peer
    }

    fn call(&self, target: &str, more: &[&str]) -> Program {
        Program::start(
            &[&["call", target, "--server", &self.url, "--dev-user", "alice"], more].concat(),
        )
    }
}

#[test]
fn a_call_that_goes_well() {
    let service = Service::start();
    let peer = service.listen(&[]);
    let mut caller = service.call("bob", &["--ping", "3"]);
    for words in ["it rings", "answered", "3 echo round trips", "hung up by us"] {
        caller.says(words);
    }
    assert_eq!(caller.exit_code(), Some(0));
    for words in [
        ") calls",
        "accepting the call of alice",
        "in a call with alice",
        "the call with alice has ended: hung up by the peer",
    ] {
        peer.says(words);
    }
}

#[test]
fn what_has_flowed() {
    let service = Service::start();
    let _peer = service.listen(&[]);
    let args = ["--media", "test", "--media-time", "3s", "--stats"];
    let mut caller = service.call("bob", &args);
    let line = caller.says(" kbit/s sent, ");
    assert!(line.contains("round trip"), "{line}");
    let figure = line.split(": ").nth(1).unwrap().split_whitespace().next().unwrap();
    assert!(figure.parse::<f64>().unwrap() > 1.0, "{line}");
    // Sound before pictures, each time.
    for track in ["audio sent", "video sent"] {
        caller.says(track);
    }
    assert_eq!(caller.exit_code(), Some(0));
}

#[test]
fn calls_that_come_to_nothing() {
    let service = Service::start();
    let ways = [
        ("decline", "30s", "declined", "no call with alice: declined"),
        ("busy", "30s", "the callee is busy", "no call with alice: the callee is busy"),
        ("never", "1s", "nobody answered in time", "no call with alice: nobody answered in time"),
    ];
    for (answer, timeout, at_caller, at_callee) in ways {
        let peer = service.listen(&["--answer", answer]);
        let mut caller = service.call("bob", &["--timeout", timeout]);
        caller.says("it rings");
        // How it failed is an error, which says more than the news.
        caller.says(&format!("no call: {at_caller}"));
        caller.says(at_caller);
        assert_eq!(caller.exit_code(), Some(5), "{answer}");
        peer.says(at_callee);
    }
    let mut caller = service.call("cid:nobody", &[]);
    caller.says("nobody is connected under the called id");
    assert_eq!(caller.exit_code(), Some(5));
}

#[cfg(unix)]
#[test]
fn a_caller_who_gives_up() {
    let service = Service::start();
    let peer = service.listen(&["--answer", "never"]);
    let mut caller = service.call("bob", &[]);
    caller.says("it rings");
    caller.signal("-TERM");
    caller.says("cancelled by the caller");
    assert_eq!(caller.exit_code(), Some(0));
    peer.says("no call with alice: cancelled by the caller");
}

/// A peer whose process stands still for a while: its path is lost and comes back.
#[cfg(unix)]
#[test]
fn a_path_that_is_lost_and_comes_back() {
    let service = Service::start();
    let peer = service.listen(&[]);
    let caller = service.call("bob", &[]);
    caller.says("type a line");
    peer.signal("-STOP");
    caller.says("the connection is interrupted; looking for a way back");
    peer.signal("-CONT");
    let line = caller.says("the connection is back after ");
    let seconds = line.rsplit("after ").next().unwrap().trim_end_matches(" s");
    assert!(seconds.parse::<f64>().unwrap() > 0.0, "{line}");
    caller.signal("-TERM");
    caller.says("hung up by us");
    peer.says("the call with alice has ended: hung up by the peer");
}
