//! The engine's time. It is moved ahead after an outage of the path, so that what waits for its retransmission is sent
//! at once: see [`CatchUp`].

use std::time::{Duration, Instant};

use skapi_rtc_backend::{CatchUp, ConnectionState};

use super::Driver;
use crate::Config;

pub(super) struct Clock {
    ahead: Duration,
    pub(super) catch_up: CatchUp,
}

impl Clock {
    pub(super) fn new(config: &Config) -> Self {
        let catch_up = CatchUp::new(config.keepalive, config.disconnected_after);
        Self { ahead: Duration::ZERO, catch_up }
    }

    /// What the time is for the engine.
    pub(super) fn of_engine(&self, now: Instant) -> Instant {
        now + self.ahead
    }

    /// When something is due that is due for the engine then.
    pub(super) fn due(&self, engine: Instant) -> Instant {
        engine.checked_sub(self.ahead).unwrap_or(engine)
    }
}

impl Driver {
    pub(super) fn state_changed(&mut self, state: ConnectionState) {
        use ConnectionState::{Connected, Disconnected};
        self.clock.catch_up.set_path(matches!(state, Connected | Disconnected));
    }

    /// Moves the engine's time ahead if something waits for that. True if it did.
    pub(super) fn catch_up(&mut self, now: Instant) -> bool {
        let in_flight = Some(self.channels.window.held());
        let Some(step) = self.clock.catch_up.step(|| now, in_flight) else { return false };
        self.clock.ahead += step;
        self.pass_time(now);
        true
    }
}
