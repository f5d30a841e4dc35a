//! Offers that Skapi's client keeps of calls that came to nothing.
//!
//! A page that rejects a call, or from which one is taken back, keeps the offer. When it accepts the next
//! call of the same connection, it answers what it has kept first, and ours last, and then says `pickup`.
//! So a caller who has left an offer there waits for the `pickup`, and goes by the last answer before it.

use std::collections::BTreeSet;

use skapi_rtc_protocol::{ConnectionId, SessionDescription};

use super::{
    Ctx,
    call::{Call, Phase},
};

/// Peers that are remembered; beyond that, one gives way to the next.
const MAX_REMEMBERED: usize = 256;

/// Peers that may have kept an offer of ours.
#[derive(Debug, Default)]
pub(super) struct Leftovers(BTreeSet<ConnectionId>);

impl Leftovers {
    /// Notes what a call that has ended leaves behind.
    pub(super) fn note(&mut self, call: &Call) {
        match call.phase {
            Phase::Dialing { accepted: false, .. } if call.peer_knows.is_none() => {
                if self.0.len() >= MAX_REMEMBERED {
                    self.0.pop_first();
                }
                self.0.insert(call.peer.clone());
            }
            // It rang or was never offered, so nothing has changed there.
            Phase::Preparing | Phase::Ringing { .. } | Phase::Dialing { accepted: false, .. } => {}
            // Who accepts a call has answered everything, and forgets it.
            _ => self.forget(&call.peer),
        }
    }

    pub(super) fn forget(&mut self, peer: &ConnectionId) {
        self.0.remove(peer);
    }

    pub(super) fn are_with(&self, peer: &ConnectionId) -> bool {
        self.0.contains(peer)
    }
}

impl Call {
    /// Holds an answer that may be meant for an offer of an earlier call. Otherwise gives it back.
    pub(super) fn hold_answer(
        &mut self,
        answer: SessionDescription,
        ctx: &mut Ctx<'_>,
    ) -> Option<SessionDescription> {
        if !self.waits_for_pickup || self.peer_knows.is_some() || !self.is_calling() {
            return Some(answer);
        }
        self.held_answer = Some(answer);
        self.accepted(ctx);
        None
    }

    /// The peer has accepted, and everything that it answers has been answered.
    pub(super) fn on_pickup(&mut self, ctx: &mut Ctx<'_>) {
        self.accepted(ctx);
        self.waits_for_pickup = false;
        if let Some(answer) = self.held_answer.take() {
            self.on_answer(answer, None, ctx);
        }
    }
}
