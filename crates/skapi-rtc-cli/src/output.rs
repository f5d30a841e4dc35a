//! What the program says: lines for people, or one JSON object a line for machines.

use std::io::Write as _;

use owo_colors::OwoColorize as _;
use serde::Serialize;

use crate::exit::Failure;

/// Where results go (stdout), and failures (stderr).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether people read it.
    pub(crate) fn is_human(&self) -> bool {
        !self.json
    }

    /// Says one thing in one line: `human` to people, `event` to machines.
    pub(crate) fn line(&self, human: impl std::fmt::Display, event: &impl Serialize) {
        let mut stdout = anstream::stdout().lock();
        // Whoever listened may have gone, as in `skapi-rtc … | head -1`; that is no failure of ours.
        let _ = if self.json {
            writeln!(stdout, "{}", json(event))
        } else {
            writeln!(stdout, "{human}")
        };
        let _ = stdout.flush();
    }

    /// Says on stderr why the program ends.
    pub(crate) fn failure(&self, failure: &Failure) {
        #[derive(Serialize)]
        struct Event {
            event: &'static str,
            exit_code: u8,
            message: String,
        }
        let mut stderr = anstream::stderr().lock();
        let _ = if self.json {
            let event = Event {
                event: "error",
                exit_code: failure.exit() as u8,
                message: failure.to_string(),
            };
            writeln!(stderr, "{}", json(&event))
        } else {
            writeln!(stderr, "{} {failure}", "error:".red().bold())
        };
    }

    /// Says something on stderr that must not be overlooked.
    pub(crate) fn warning(&self, text: &str) {
        #[derive(Serialize)]
        struct Event<'a> {
            event: &'static str,
            message: &'a str,
        }
        let mut stderr = anstream::stderr().lock();
        let _ = if self.json {
            let event = Event {
                event: "warning",
                message: text,
            };
            writeln!(stderr, "{}", json(&event))
        } else {
            writeln!(stderr, "{} {text}", "warning:".yellow().bold())
        };
    }
}

fn json(event: &impl Serialize) -> String {
    serde_json::to_string(event)
        .unwrap_or_else(|error| unreachable!("an event always has a form in JSON: {error}"))
}
