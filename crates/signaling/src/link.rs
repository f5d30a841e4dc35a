//! The link to the service: connect, greet, keep alive, come back.
//!
//! ```text
//!            connect            LinkUp              #ready, another frame, or time out
//!   Idle ───────────▶ Connecting ──────▶ Greeting ──────────────────────────▶ Up
//!                      ▲       │            │                                  │
//!          back-off    │       │ LinkDown   │ LinkDown                         │ LinkDown
//!                      │       ▼            ▼                                  ▼
//!                      └──── Waiting ◀──────┴──────────────────────────────────┘
//!
//!   every state ──── close, or a refusal ────▶ Closed
//! ```

use skapi_rtc_protocol::ClientFrame;

use crate::{Config, Instant, LinkLoss, Output, backoff, outbox::Outbox, rng::Rng};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Connecting,
    Greeting { until: Instant },
    Up,
    Waiting { until: Instant },
    Closed,
}

#[derive(Debug)]
pub(crate) struct Link {
    state: State,
    /// Attempts since the service last greeted us.
    attempt: u32,
    keep_alive_at: Instant,
    was_up: bool,
}

/// What a lost link leads to.
pub(crate) enum Lost {
    /// Nothing: there was no link to lose.
    Nothing,
    /// Another attempt after a while.
    Retry { reason: String, retry_in: std::time::Duration },
    /// The end of the session.
    Refused(String),
}

impl Link {
    pub(crate) fn new() -> Self {
        Self { state: State::Idle, attempt: 0, keep_alive_at: Instant::ZERO, was_up: false }
    }

    /// Starts connecting. Without effect unless the link is idle.
    pub(crate) fn connect(&mut self, out: &mut Outbox) {
        if self.state == State::Idle {
            self.dial(out);
        }
    }

    pub(crate) fn on_up(&mut self, now: Instant, config: &Config, out: &mut Outbox) {
        if self.state != State::Connecting {
            // A socket that nobody wants any more.
            out.push(Output::Disconnect);
            return;
        }
        self.state = State::Greeting { until: now + config.greeting_timeout };
        out.set_link(true);
        self.keep_alive(now, config, out);
    }

    /// The service has spoken. True if that ends the greeting.
    pub(crate) fn on_frame(&mut self) -> bool {
        let greeted = matches!(self.state, State::Greeting { .. });
        if greeted {
            self.state = State::Up;
            self.attempt = 0;
        }
        greeted
    }

    pub(crate) fn on_down(
        &mut self,
        now: Instant,
        loss: LinkLoss,
        config: &Config,
        out: &mut Outbox,
        rng: &mut Rng,
    ) -> Lost {
        if matches!(self.state, State::Idle | State::Closed | State::Waiting { .. }) {
            return Lost::Nothing;
        }
        out.set_link(false);
        match loss {
            LinkLoss::Refused { reason } => {
                self.state = State::Closed;
                Lost::Refused(reason)
            }
            LinkLoss::Lost { reason, retry_after } => {
                let own = backoff::delay(config, self.attempt, rng);
                let retry_in = retry_after.map_or(own, |asked| asked.saturating_add(own));
                self.attempt = self.attempt.saturating_add(1);
                self.state = State::Waiting { until: now + retry_in };
                Lost::Retry { reason, retry_in }
            }
        }
    }

    /// True if the service has let the time for its greeting pass.
    pub(crate) fn on_timeout(&mut self, now: Instant, config: &Config, out: &mut Outbox) -> bool {
        match self.state {
            State::Waiting { until } if until <= now => self.dial(out),
            State::Greeting { .. } | State::Up if self.keep_alive_at <= now => {
                self.keep_alive(now, config, out);
            }
            _ => {}
        }
        let silent = matches!(self.state, State::Greeting { until } if until <= now);
        silent && self.on_frame()
    }

    /// Does at once what would have been done after a while.
    pub(crate) fn try_now(&mut self, now: Instant, config: &Config, out: &mut Outbox) {
        match self.state {
            State::Waiting { .. } => self.dial(out),
            State::Up => self.keep_alive(now, config, out),
            State::Idle | State::Connecting | State::Greeting { .. } | State::Closed => {}
        }
    }

    pub(crate) fn close(&mut self, out: &mut Outbox) {
        if matches!(self.state, State::Connecting | State::Greeting { .. } | State::Up) {
            out.push(Output::Disconnect);
        }
        self.state = State::Closed;
        out.set_link(false);
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        match self.state {
            State::Idle | State::Connecting | State::Closed => None,
            State::Greeting { until } => Some(until.min(self.keep_alive_at)),
            State::Up => Some(self.keep_alive_at),
            State::Waiting { until } => Some(until),
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.state == State::Up
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether the link was up before; from now on it was.
    pub(crate) fn came_again(&mut self) -> bool {
        std::mem::replace(&mut self.was_up, true)
    }

    fn dial(&mut self, out: &mut Outbox) {
        self.state = State::Connecting;
        out.push(Output::Connect { attempt: self.attempt });
    }

    fn keep_alive(&mut self, now: Instant, config: &Config, out: &mut Outbox) {
        out.send(ClientFrame::KeepAlive { received: None });
        self.keep_alive_at = now + config.keep_alive;
    }
}
