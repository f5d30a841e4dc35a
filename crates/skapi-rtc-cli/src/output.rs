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
            writeln!(stdout, "{}", harmless(&human.to_string()))
        };
        let _ = stdout.flush();
    }

    /// Like [`line`](Self::line), for a text that has its own colours and nothing of a peer's.
    pub(crate) fn coloured_line(&self, human: impl std::fmt::Display, event: &impl Serialize) {
        if self.json {
            return self.line("", event);
        }
        let mut stdout = anstream::stdout().lock();
        let _ = writeln!(stdout, "{human}");
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
            let failure = harmless(&failure.to_string());
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
            let event = Event { event: "warning", message: text };
            writeln!(stderr, "{}", json(&event))
        } else {
            writeln!(stderr, "{} {}", "warning:".yellow().bold(), harmless(text))
        };
    }
}

fn json(event: &impl Serialize) -> String {
    serde_json::to_string(event)
        .unwrap_or_else(|error| unreachable!("an event always has a form in JSON: {error}"))
}

/// The text without what a terminal takes for commands: much of what is said comes from peers.
pub(crate) fn harmless(text: &str) -> String {
    let shown = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars().map(|c| if shown(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peers_text_does_not_command_the_terminal() {
        assert_eq!(harmless("\u{1b}]52;c;x\u{7}"), "\u{fffd}]52;c;x\u{fffd}");
        assert_eq!(harmless("two\n\tlines, ünï côdé"), "two\n\tlines, ünï côdé");
    }
}
