//! After an outage of the path, what waits for its retransmission is sent at once.
//!
//! SCTP waits twice as long after each retransmission that is not acknowledged (RFC 9260 §6.3.3), so after
//! an outage of some seconds the next one is due about as many seconds after the path's return, and engines
//! have no setting for that. But some are told the time: when something is heard again, their clock is
//! moved ahead, step by step, until most of what was in flight has arrived. (That something arrives
//! says little: what is new is not held up by what was lost, until the peer has to put both in order.)
//!
//! A step is short enough for ICE to stay connected, and makes a sign of life due at once. The next step
//! waits until the peer was heard again, so ICE's idea of the peer is as fresh as it would be without.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Beyond the length of the outage: the shortest wait for a retransmission, and as much again.
const MARGIN: Duration = Duration::from_secs(2);

/// How long after an outage the clock is moved at all.
const OVER: Duration = Duration::from_secs(5);

/// The clock is moved ahead at most this far after an outage, which is the longest wait there is.
const FARTHEST: Duration = Duration::from_secs(60);

/// For engines that are told the time: how far to move their clock ahead after an outage.
#[derive(Debug)]
pub struct CatchUp {
    /// The peer is never silent for so long on a path that works.
    silence: Duration,
    step: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    heard_at: Instant,
    /// Whether there is a pair of addresses to send on.
    has_path: bool,
    /// How far the clock may still be moved, and until when.
    left: Duration,
    until: Instant,
    /// What was in flight after the outage, in bytes.
    in_flight: Option<usize>,
    /// The peer was heard since the last step.
    heard: bool,
}

impl CatchUp {
    /// For an engine that gives a sign of life so often, and takes a peer for lost after so long.
    pub fn new(keepalive: Duration, disconnected_after: Duration) -> Self {
        let now = Instant::now();
        Self {
            silence: keepalive * 3 / 2,
            step: disconnected_after / 2,
            state: Mutex::new(State {
                heard_at: now,
                has_path: false,
                left: Duration::ZERO,
                until: now,
                in_flight: None,
                heard: false,
            }),
        }
    }

    /// Something came from the peer.
    pub fn heard(&self, now: Instant) {
        let mut state = self.state();
        let silence = now.saturating_duration_since(state.heard_at);
        state.heard_at = now;
        state.heard = true;
        if silence >= self.silence {
            state.left = (silence + MARGIN).min(FARTHEST);
            state.until = now + OVER;
            state.in_flight = None;
        }
    }

    /// Whether there is a pair of addresses to send on.
    pub fn set_path(&self, has_path: bool) {
        self.state().has_path = has_path;
    }

    /// How far to move the clock ahead, now that the engine has done all that it could and holds so many bytes
    /// that the peer has not acknowledged; `None` where that cannot be told at the moment.
    pub fn step(
        &self,
        now: impl FnOnce() -> Instant,
        in_flight: Option<usize>,
    ) -> Option<Duration> {
        let mut state = self.state();
        if state.left.is_zero() || !state.has_path {
            return None;
        }
        let in_flight = in_flight?;
        let before = *state.in_flight.get_or_insert(in_flight);
        if in_flight <= before / 4 || now() > state.until {
            state.left = Duration::ZERO;
            return None;
        }
        if !std::mem::take(&mut state.heard) {
            return None;
        }
        let step = state.left.min(self.step);
        state.left -= step;
        Some(step)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: Option<usize> = Some(1000);

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Connected; the peer was heard, and then not for five seconds.
    fn after_an_outage() -> (CatchUp, Instant) {
        let catch_up = CatchUp::new(secs(1), secs(4));
        catch_up.set_path(true);
        let now = Instant::now();
        catch_up.heard(now);
        catch_up.heard(now + secs(5));
        (catch_up, now + secs(5))
    }

    #[test]
    fn without_an_outage_the_clock_is_left_alone() {
        let (catch_up, now) = after_an_outage();
        catch_up.step(|| now + secs(6), WAITS);
        catch_up.heard(now + secs(1));
        assert_eq!(catch_up.step(|| now + secs(6), WAITS), None);
    }

    #[test]
    fn after_one_it_moves_whenever_the_peer_is_heard() {
        let (catch_up, now) = after_an_outage();
        assert_eq!(catch_up.step(|| now, WAITS), Some(secs(2)));
        assert_eq!(catch_up.step(|| now, WAITS), None, "not heard since");
        catch_up.heard(now);
        assert_eq!(catch_up.step(|| now, WAITS), Some(secs(2)));
    }

    #[test]
    fn it_moves_until_most_of_what_was_in_flight_has_arrived() {
        let (catch_up, now) = after_an_outage();
        assert!(catch_up.step(|| now, WAITS).is_some());
        catch_up.heard(now);
        assert!(catch_up.step(|| now, Some(900)).is_some());
        catch_up.heard(now);
        assert_eq!(catch_up.step(|| now, Some(250)), None);
        assert_eq!(catch_up.step(|| now, WAITS), None);
    }

    #[test]
    fn it_moves_no_further_than_the_wait_can_be_and_not_for_long() {
        let (catch_up, now) = after_an_outage();
        let mut moved = Duration::ZERO;
        while let Some(step) = catch_up.step(|| now, WAITS) {
            moved += step;
            catch_up.heard(now);
        }
        assert_eq!(moved, secs(7));

        let (catch_up, now) = after_an_outage();
        assert_eq!(catch_up.step(|| now + OVER * 2, WAITS), None);
        assert_eq!(catch_up.step(|| now, WAITS), None);
    }

    #[test]
    fn it_waits_for_a_path_and_for_a_look_and_is_not_needed_when_nothing_waits() {
        let (catch_up, now) = after_an_outage();
        catch_up.set_path(false);
        assert_eq!(catch_up.step(|| now, WAITS), None);
        catch_up.set_path(true);
        assert_eq!(catch_up.step(|| now, None), None);
        assert_eq!(catch_up.step(|| now, WAITS), Some(secs(2)));

        let (catch_up, now) = after_an_outage();
        assert_eq!(catch_up.step(|| now, Some(0)), None);
        assert_eq!(catch_up.step(|| now, WAITS), None);
    }
}
