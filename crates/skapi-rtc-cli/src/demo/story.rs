//! The demo as it is told: a line for every step of the call.

use std::time::Instant;

use indicatif::ProgressBar;
use owo_colors::OwoColorize as _;
use serde::Serialize;
use serde_json::Value;

use super::checks::Checks;
use crate::{
    files::progress_bar,
    output::{Output, harmless},
};

pub(super) struct Story {
    output: Output,
    started: Instant,
    bar: Option<ProgressBar>,
}

#[derive(Serialize)]
struct Step<'a> {
    event: &'static str,
    who: &'a str,
    what: &'a str,
    seconds: f64,
}

impl Story {
    pub(super) fn new(output: Output) -> Self {
        Self { output, started: Instant::now(), bar: None }
    }

    /// Tells one step, with the process it happened in.
    pub(super) fn step(&mut self, who: &str, what: &str, process: Option<u32>) {
        let seconds = self.started.elapsed().as_secs_f64();
        let process = process.map_or_else(String::new, |id| format!(" (process {id})"));
        let shown = harmless(what);
        let human = format!("{seconds:7.3}  {:<10} {shown}{process}", who.cyan());
        self.output.coloured_line(human, &Step { event: "step", who, what, seconds });
    }

    pub(super) fn caller(&mut self, event: &Value) {
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| event[key].as_f64().unwrap_or_default();
        let what = match event["event"].as_str().unwrap_or_default() {
            "connected" => format!("connected as {} ({})", text("user"), text("cid")),
            "joined" => format!("joined the group {}", text("group")),
            "users" => format!("who is there: {}", names(event)),
            "dialing" => format!("calling {}", text("value")),
            "ringing" => "it rings at the other side".to_owned(),
            "accepted" => "answered".to_owned(),
            "connection_state" => format!("connection: {}", text("value")),
            "selected_pair" => format!("path: {}", text("value")),
            "channel_open" => {
                let time = number("dial_to_open_ms");
                format!("data channel `{}` open {time:.1} ms after dialing", text("label"))
            }
            "message" => format!("sent a message, got back {:?}", text("value")),
            "pings" => format!(
                "{} echo round trips: p50 {:.0} µs, p99 {:.0} µs",
                event["count"],
                number("p50_us"),
                number("p99_us")
            ),
            "file_progress" => return self.progress(event),
            "file_sent" => {
                self.end_progress();
                format!(
                    "sent {}: {} bytes, {:.1} MiB/s, SHA-256 {}…",
                    text("name"),
                    event["bytes"],
                    number("mib_per_s"),
                    text("sha256").get(..16).unwrap_or_default()
                )
            }
            "ended" => format!("the call has ended: {} ({})", text("reason"), text("by")),
            _ => return,
        };
        self.step("caller", &what, None);
    }

    pub(super) fn echo(&mut self, event: &Value) {
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let what = match event["event"].as_str().unwrap_or_default() {
            "incoming" => format!("{} calls: accepted", text("user")),
            "file_received" => format!(
                "stored {}: {} bytes, SHA-256 {}…",
                text("name"),
                event["bytes"],
                text("sha256").get(..16).unwrap_or_default()
            ),
            "ended" => format!("the call has ended: {}", text("reason")),
            _ => return,
        };
        self.step("echo peer", &what, None);
    }

    /// Says whether everything held, and gives what did not.
    pub(super) fn verdict(&mut self, checks: &Checks) -> Vec<&'static str> {
        let missing = checks.missing();
        if missing.is_empty() {
            let what = format!("all {} checks held", checks.count());
            self.step("demo", &what, None);
        }
        missing
    }

    pub(super) fn next_steps(&mut self, url: &str, page: Option<&str>) {
        #[derive(Serialize)]
        struct Event<'a> {
            event: &'static str,
            url: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            page: Option<&'a str>,
        }
        let mut human = format!(
            "\nThe service and the echo peer stay up (Ctrl-C ends). Try in another terminal:\n\n  \
             cargo run -p skapi-rtc-cli -- call {echo} --server {url} --dev-user you\n  \
             cargo run -p skapi-rtc-cli -- call {echo} --server {url} --dev-user you --send-file \
             README.md\n  cargo run -p skapi-rtc-cli -- listen --server {url} --dev-user me\n",
            echo = super::ECHO,
        );
        if let Some(page) = page {
            human.push_str(&format!(
                "\nOr in a browser, to call {echo} or another tab:\n\n  {page}\n",
                echo = super::ECHO,
            ));
        }
        self.output.line(human, &Event { event: "up", url, page });
    }

    fn progress(&mut self, event: &Value) {
        if !self.output.is_human() {
            return;
        }
        let total = event["total"].as_u64().unwrap_or_default();
        let name = event["name"].as_str().unwrap_or_default();
        let bar = self.bar.get_or_insert_with(|| progress_bar(name, total));
        bar.set_position(event["sent"].as_u64().unwrap_or_default());
    }

    fn end_progress(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn names(event: &Value) -> String {
    let users = event["users"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names: Vec<_> = users
        .iter()
        .map(|user| {
            let own = if user["own"] == true { " (we)" } else { "" };
            format!("{}{own}", user["user"].as_str().unwrap_or_default())
        })
        .collect();
    names.join(", ")
}
