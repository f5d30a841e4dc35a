//! Hang-ups that are only echoes.
//!
//! Skapi's client answers a `hungup` with its own, and names no calls. Whoever calls it again at once
//! would take that echo for a refusal of the new call.

use std::time::Duration;

use skapi_rtc_protocol::ConnectionId;

use crate::Instant;
use crate::ordered::OrderedMap;

/// How long an echo may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Peers whose echo is awaited at a time; the one awaited longest gives way.
const MAX_AWAITED: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Echoes(OrderedMap<ConnectionId, Instant>);

impl Echoes {
    pub(super) fn expect(&mut self, peer: ConnectionId, now: Instant) {
        if self.0.len() >= MAX_AWAITED
            && let Some(oldest) = self.0.iter().min_by_key(|(_, until)| **until)
        {
            let oldest = oldest.0.clone();
            self.0.remove(&oldest);
        }
        self.0.insert(peer, now + PATIENCE);
    }

    /// Whether a hang-up of this peer is the echo of ours. Each is absorbed once.
    pub(super) fn absorb(&mut self, peer: &ConnectionId, now: Instant) -> bool {
        self.0.remove(peer).is_some_and(|until| now < until)
    }

    pub(super) fn forget_old(&mut self, now: Instant) {
        self.0.retain(|_, until| *until > now);
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.0.values().copied().min()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
