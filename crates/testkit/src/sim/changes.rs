//! Tracks and channels that are added to a running call: an offer of their engine's has to carry each over.

use std::time::Duration;

use skapi_rtc_signaling::{CallId, Instant, RtcEvent};

use super::{NodeId, World, engine::FakeEngine, world::Due};

/// The changes of one peer connection.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Changes {
    /// Since when some wait for an offer.
    waiting: Option<Instant>,
    /// Since when those wait that are in an offer without an answer.
    offered: Option<Instant>,
}

impl Changes {
    pub(crate) fn are_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    pub(crate) fn are_left(&self) -> bool {
        self.waiting.or(self.offered).is_some()
    }

    pub(crate) fn offer(&mut self) {
        self.offered = self.waiting.take();
    }

    pub(crate) fn take_back(&mut self) {
        self.waiting = self.offered.take().or(self.waiting);
    }

    /// The offer was answered. Says since when its changes had waited.
    pub(crate) fn carried(&mut self) -> Option<Instant> {
        self.offered.take()
    }
}

impl World {
    /// A track or channel is added to a call: its engine wants to negotiate.
    pub fn change(&mut self, node: NodeId, call: CallId) {
        let now = self.now();
        let pc = self.nodes[node.0].engines.get(&call).and_then(FakeEngine::pc);
        if let Some(pc) = pc.and_then(|pc| self.fabric.get(pc)) {
            pc.changes.waiting.get_or_insert(now);
            let (owner, event) = (pc.owner, RtcEvent::NegotiationNeeded);
            self.schedule.after(Duration::ZERO, Due::Report { owner, event });
        }
    }

    /// Whether a call has changes that its peer does not know.
    pub fn has_changes(&mut self, node: NodeId, call: CallId) -> bool {
        let pc = self.nodes[node.0].engines.get(&call).and_then(FakeEngine::pc);
        pc.and_then(|pc| self.fabric.get(pc)).is_some_and(|pc| pc.changes.are_left())
    }
}
