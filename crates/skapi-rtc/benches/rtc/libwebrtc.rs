//! Google's libwebrtc in Node.js, npm `@roamhq/wrtc`: a process that measures by itself, see
//! `libwebrtc/pair.js`.

use std::{path::Path, process::Stdio, time::Duration};

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::Mutex,
};

use crate::{
    soon,
    subject::{Pair, Subject},
};

pub(crate) struct Libwebrtc {
    pipes: Mutex<(ChildStdin, Lines<BufReader<ChildStdout>>)>,
    _child: Child,
}

impl Libwebrtc {
    pub(crate) async fn start() -> Result<Self, String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/rtc/libwebrtc");
        if !folder.join("node_modules/@roamhq/wrtc").is_dir() {
            let install = "`npm ci --prefix crates/skapi-rtc/benches/rtc/libwebrtc` installs it";
            return Err(format!("@roamhq/wrtc is not installed: {install}"));
        }
        let mut child = Command::new("node")
            .arg(folder.join("pair.js"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("Node.js (`node`) does not start: {error}"))?;
        let pipes = child.stdin.take().zip(child.stdout.take()).unwrap();
        let pipes = Mutex::new((pipes.0, BufReader::new(pipes.1).lines()));
        let it = Self { pipes, _child: child };
        it.ask::<f64>("setup").await; // loads what it loads
        Ok(it)
    }

    async fn ask<T: DeserializeOwned>(&self, command: &str) -> T {
        let (input, output) = &mut *self.pipes.lock().await;
        input.write_all(format!("{command}\n").as_bytes()).await.unwrap();
        let line = soon(command, output.next_line()).await.unwrap();
        serde_json::from_str(&line.expect("an answer of Node.js")).unwrap()
    }
}

#[async_trait]
impl Subject for Libwebrtc {
    async fn connect(&self) -> (Box<dyn Pair>, Duration) {
        let seconds = self.ask("setup").await;
        (Box::new(Closed), Duration::from_secs_f64(seconds))
    }

    async fn echo(&self, times: usize) -> Vec<Duration> {
        let seconds: Vec<f64> = self.ask(&format!("echo {times}")).await;
        seconds.into_iter().map(Duration::from_secs_f64).collect()
    }

    async fn transfer(&self, size: usize, count: usize) -> Duration {
        Duration::from_secs_f64(self.ask(&format!("transfer {size} {count}")).await)
    }
}

/// A pair that the process has closed by itself.
struct Closed;

#[async_trait]
impl Pair for Closed {
    async fn echo(&mut self, _times: usize) -> Vec<Duration> {
        unreachable!("Node.js measures by itself")
    }

    async fn transfer(&mut self, _size: usize, _count: usize) -> Duration {
        unreachable!("Node.js measures by itself")
    }

    async fn close(self: Box<Self>) {}
}
