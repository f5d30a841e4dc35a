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

use std::time::Duration;

use crate::{Config, Instant, LinkLoss, Output, backoff, outbox::Outbox, rng::Rng};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Connecting,
    Greeting { until: Instant, resumes: bool },
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
    /// When the link was lost that is not back yet.
    lost_at: Option<Instant>,
    /// When the service wants to be asked again.
    away_until: Option<Instant>,
}

/// How long a service may take to greet a connection that it is to take up again.
const RESUMED_GREETING: Duration = Duration::from_secs(10);

/// What it means that the service has not greeted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Nothing: it has, or its time is not over.
    None,
    /// It is one that does not greet.
    DoesNotGreet,
    /// It is one that does, so the socket is dead.
    Dead,
}

/// What a lost link leads to.
pub(crate) enum Lost {
    /// Nothing: there was no link to lose.
    Nothing,
    /// Another attempt after a while.
    Retry { reason: String, retry_in: Duration },
    /// The end of the session.
    Refused(String),
}

impl Link {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Idle,
            attempt: 0,
            keep_alive_at: Instant::ZERO,
            was_up: false,
            lost_at: None,
            away_until: None,
        }
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
        // A service that has given a secret greets for certain, and nothing may be said before.
        let resumes = out.resume.is_possible();
        let patience = if resumes { RESUMED_GREETING } else { config.greeting_timeout };
        self.state = State::Greeting { until: now + patience, resumes };
        out.on_socket_open();
        self.keep_alive(now, config, out);
    }

    /// The service has asked to be left alone until then.
    pub(crate) fn on_going_away(&mut self, until: Instant) {
        self.away_until = Some(until);
    }

    /// The service has spoken. True if that ends the greeting.
    pub(crate) fn on_frame(&mut self) -> bool {
        let greeted = matches!(self.state, State::Greeting { .. });
        if greeted {
            self.state = State::Up;
            self.attempt = 0;
            self.away_until = None;
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
        out.on_socket_gone();
        self.lost_at.get_or_insert(now);
        let (reason, retry_after) = match loss {
            LinkLoss::Refused { reason } => {
                self.state = State::Closed;
                return Lost::Refused(reason);
            }
            LinkLoss::Lost { reason, retry_after } => (reason, retry_after),
            LinkLoss::TakenOver { reason } => {
                out.resume.forget();
                (reason, None)
            }
        };
        let away = self.away_until.map(|until| until.saturating_since(now));
        let asked = retry_after.max(away).unwrap_or_default();
        let retry_in = asked.saturating_add(backoff::delay(config, self.attempt, asked, rng));
        self.attempt = self.attempt.saturating_add(1);
        self.state = State::Waiting { until: now + retry_in };
        Lost::Retry { reason, retry_in }
    }

    pub(crate) fn on_timeout(
        &mut self,
        now: Instant,
        config: &Config,
        out: &mut Outbox,
    ) -> Silence {
        match self.state {
            State::Waiting { until } if until <= now => self.dial(out),
            State::Greeting { .. } | State::Up if self.keep_alive_at <= now => {
                self.keep_alive(now, config, out);
            }
            _ => {}
        }
        match self.state {
            State::Greeting { until, resumes: false } if until <= now => {
                self.on_frame();
                Silence::DoesNotGreet
            }
            State::Greeting { until, resumes: true } if until <= now => {
                out.push(Output::Disconnect);
                Silence::Dead
            }
            _ => Silence::None,
        }
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
        out.on_socket_gone();
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        match self.state {
            State::Idle | State::Connecting | State::Closed => None,
            State::Greeting { until, .. } => Some(until.min(self.keep_alive_at)),
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

    /// For how long there has been no link that was there before.
    pub(crate) fn lost_for(&self, now: Instant) -> Option<Duration> {
        self.lost_at.map(|at| now.saturating_since(at))
    }

    /// The service has greeted. Whether the link was up before; from now on it was.
    pub(crate) fn came_again(&mut self) -> bool {
        self.lost_at = None;
        std::mem::replace(&mut self.was_up, true)
    }

    fn dial(&mut self, out: &mut Outbox) {
        self.state = State::Connecting;
        let resumption = out.resume.resumption();
        out.push(Output::Connect { attempt: self.attempt, resumption });
    }

    fn keep_alive(&mut self, now: Instant, config: &Config, out: &mut Outbox) {
        out.keep_alive();
        self.keep_alive_at = now + config.keep_alive;
    }
}
