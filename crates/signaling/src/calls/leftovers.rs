//! Offers that Skapi's client keeps of calls that came to nothing.
//!
//! A page that rejects a call, from which one is taken back, or that calls instead of accepting, keeps the
//! offer. When it accepts the next call of the same connection, it answers what it has kept first, and ours
//! last, and then says `pickup`. So a caller who has left an offer there waits for the `pickup`, and goes by
//! the last answer before it.

use skapi_rtc_protocol::{ConnectionId, SessionDescription};

use super::{
    Ctx,
    call::{Call, Phase},
};
use crate::{Role, ordered::OrderedSet};

/// Peers that are remembered; beyond that, one gives way to the next.
const MAX_REMEMBERED: usize = 256;

/// Peers that may have kept an offer of ours.
#[derive(Debug, Default)]
pub(super) struct Leftovers(OrderedSet<ConnectionId>);

impl Leftovers {
    /// Notes what a call that has ended leaves behind.
    pub(super) fn note(&mut self, call: &Call) {
        match call.phase {
            // Not answered, even if it said `pickup`, which may have been of an earlier call.
            Phase::Dialing { .. } if call.peer_knows.is_none() => self.keep(&call.peer),
            // It rang or was never offered, so nothing has changed there.
            Phase::Preparing | Phase::Ringing { .. } | Phase::Dialing { .. } => {}
            // It has answered something else, or not everything.
            _ if call.waits_for_pickup && call.peer_knows.is_none() => self.keep(&call.peer),
            // So it may have where the answer has led to nothing.
            Phase::Connecting if call.role == Role::Caller && call.peer_knows.is_none() => {
                self.keep(&call.peer);
            }
            // Who accepts a call of ours has answered everything, and forgets it.
            _ if call.role == Role::Caller => self.forget(&call.peer),
            _ => {}
        }
    }

    /// This peer has an offer of ours that it has not answered.
    pub(super) fn keep(&mut self, peer: &ConnectionId) {
        if self.0.len() >= MAX_REMEMBERED {
            self.0.pop_first();
        }
        self.0.insert(peer.clone());
    }

    pub(super) fn forget(&mut self, peer: &ConnectionId) {
        self.0.remove(peer);
    }

    /// A page keeps them when it comes back under another id, so while there are any, each page may have one.
    pub(super) fn are_there(&self) -> bool {
        !self.0.is_empty()
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
