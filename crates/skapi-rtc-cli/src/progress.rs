//! What happens to a call, in one clear line each.

use std::time::Instant;

use serde::Serialize;
use skapi_rtc::{CallEnd, CallEvent, CallEvents, Side};

use crate::output::Output;

/// Tells what happens to one call.
pub(crate) struct Progress {
    /// ` with alice`, where there may be several calls.
    with: String,
    user: Option<String>,
    cid: Option<String>,
    interrupted: Option<Instant>,
    output: Output,
}

#[derive(Serialize, Default)]
struct Event<'a> {
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'static str>,
}

impl Progress {
    /// Of the only call.
    pub(crate) fn new(output: Output) -> Self {
        Self { with: String::new(), user: None, cid: None, interrupted: None, output }
    }

    /// Of one among several, with this peer.
    pub(crate) fn with(user: &str, cid: &str, output: Output) -> Self {
        Self {
            with: format!(" with {user}"),
            user: Some(user.to_owned()),
            cid: Some(cid.to_owned()),
            ..Self::new(output)
        }
    }

    /// Tells what happens until the call ends; its end is left to the caller, who gets it.
    pub(crate) async fn follow(mut self, mut events: CallEvents) -> Option<CallEnd> {
        while let Some(event) = events.next().await {
            if let CallEvent::Ended(end) = event {
                return Some(end);
            }
            self.tell(&event);
        }
        None
    }

    fn tell(&mut self, event: &CallEvent) {
        let with = &self.with;
        match event {
            CallEvent::Accepted => self.say("answered".to_owned(), self.event("accepted")),
            CallEvent::Reconnecting => {
                let text = format!("the connection{with} is interrupted; looking for a way back");
                self.say(text, self.event("call_reconnecting"));
                self.interrupted = Some(Instant::now());
            }
            CallEvent::Reconnected => {
                let after = self.interrupted.take().map(|at| at.elapsed().as_secs_f64());
                let seconds = after.unwrap_or_default();
                let text = format!("the connection{with} is back after {seconds:.1} s");
                self.say(text, Event { after_s: after, ..self.event("call_reconnected") });
            }
            CallEvent::ChangeFailed(error) => {
                let reason = Some(error.to_string());
                let text = format!("a change of the call{with} failed: {error}");
                self.say(text, Event { reason, ..self.event("change_failed") });
            }
            CallEvent::ConnectionState(state) if self.user.is_none() => {
                let state = format!("{state:?}").to_lowercase();
                crate::call::say(
                    &self.output,
                    "connection_state",
                    format_args!("connection: {state}"),
                    &state,
                );
            }
            CallEvent::SelectedPair(pair) if self.user.is_none() => {
                crate::call::say(&self.output, "selected_pair", format_args!("path: {pair}"), pair);
            }
            _ => {}
        }
    }

    fn event(&self, event: &'static str) -> Event<'_> {
        Event { event, user: self.user.as_deref(), cid: self.cid.as_deref(), ..Event::default() }
    }

    fn say(&self, text: String, event: Event<'_>) {
        self.output.line(text, &event);
    }
}

/// Tells how the only call ended.
pub(crate) fn say_ended(end: &CallEnd, output: &Output) {
    let by = match end.by {
        Side::Local => "local",
        Side::Remote => "remote",
    };
    let reason = Some(end.reason.to_string());
    output.line(end, &Event { event: "ended", reason, by: Some(by), ..Event::default() });
}
