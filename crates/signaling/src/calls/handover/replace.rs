//! The peer of a call that is taken over: the successor is accepted without ringing, and ends the old call once
//! it is up at both ends.

use skapi_rtc_protocol::{
    CallKey, ConnectionId, HangupReason, RtcContent, SessionDescription, UserId,
};

use super::{Claim, HandoverPolicy};
use crate::{
    CallEnd, CallId, EndReason, Event, Instant, Role, Side,
    calls::{
        Calls, Ctx,
        call::{Call, Phase},
        engine::Transport,
    },
};

/// A call that is to take the place of another one.
#[derive(Debug)]
pub(super) struct Replacing {
    pub(super) old: CallId,
    /// It is up at the peer.
    taken: bool,
    /// Since it is up here: when it is taken for up at the peer too, should nothing be heard of that.
    until: Option<Instant>,
}

impl Replacing {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.until
    }
}

impl Calls {
    /// An offer that begins a call in the place of another one. Neither glare nor other calls keep it away.
    pub(in crate::calls) fn on_successor(
        &mut self,
        content: &RtcContent,
        offer: SessionDescription,
        user: UserId,
        from: ConnectionId,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(old) = self.replaceable(content.replaces, &user, &from, ctx) else {
            return self.turn_down(content, HangupReason::NotHandedOver, user, from, ctx);
        };
        let other = self.by_peer.get(&from).and_then(|id| self.calls.get_mut(id));
        if let Some(other) = other {
            let (id, ours) = (other.id, other.is_calling());
            if other.beats_successor(content.call) {
                return other.beat(content);
            }
            // That device has a call with us now, so it takes no other. If it calls anew, it has ended the last.
            let busy = CallEnd { reason: EndReason::Busy, by: Side::Remote };
            let end = if ours { busy } else { other.end_by_peer(None) };
            self.finish(id, end, ctx);
        }
        let id = self.new_id();
        if let Some(old) = self.calls.get_mut(&old) {
            old.handover.successor = Some(id);
            if let Some(claim) = old.handover.claim.take() {
                claim.turn_down(ctx);
            }
        }
        ctx.out.event(Event::Successor {
            call: id,
            of: old,
            from: from.clone(),
            user: user.clone(),
        });
        let mut call = Call::new(id, content.call, from, Role::Callee, Phase::Answering);
        call.user = Some(user);
        call.handover.replacing = Some(Replacing { old, taken: false, until: None });
        call.takes(content, ctx);
        call.answer(offer, ctx);
        self.insert(call);
    }

    /// The call with this key, if this connection of this user may take it over.
    fn replaceable(
        &self,
        key: Option<CallKey>,
        user: &UserId,
        from: &ConnectionId,
        ctx: &Ctx<'_>,
    ) -> Option<CallId> {
        let old = self.calls.get(self.by_key.get(&key?)?)?;
        // One that we have let a device of our own take over; of two such handovers one goes on.
        let given = |claim: &Claim| claim.is_granted() && claim.keeps_others_away(ctx.now);
        let goes_elsewhere =
            old.role == Role::Caller && old.handover.claim.as_ref().is_some_and(given);
        // A device that tries anew has given its first try up.
        let successor = old.handover.successor;
        let is_free = successor.is_none_or(|successor| self.by_peer.get(from) == Some(&successor));
        let may = old.user.as_ref() == Some(user)
            && old.peer != *from
            && old.is_established()
            && old.handover.replacing.is_none()
            && is_free
            && !goes_elsewhere
            && ctx.config.handover != HandoverPolicy::Refuse;
        may.then_some(old.id)
    }
}

impl Call {
    /// The peer says that the call is up there.
    pub(in crate::calls) fn on_taken(&mut self) {
        if let Some(replacing) = &mut self.handover.replacing {
            replacing.taken = true;
        }
    }

    /// The call whose place this one takes now, if it is time for that.
    pub(super) fn take_its_place(&mut self, ctx: &Ctx<'_>) -> Option<CallId> {
        if !self.is_established() {
            return None;
        }
        let replacing = self.handover.replacing.as_mut()?;
        replacing.until.get_or_insert(ctx.now + ctx.config.connect_timeout);
        self.handover.replacing.take_if(|it| it.taken).map(|done| done.old)
    }

    /// Nothing was heard of whether the call is up at the peer, which has had all the time there is for that: a
    /// path that carries traffic tells as much.
    pub(super) fn on_untold(&mut self, ctx: &Ctx<'_>) {
        let works = self.engine.transport == Transport::Connected;
        if let Some(replacing) = &mut self.handover.replacing
            && replacing.until.is_some_and(|until| until <= ctx.now)
        {
            replacing.taken |= works;
            replacing.until = None;
        }
    }

    /// A call of ours that takes over another one of the peer's, while the peer takes over one of ours: as with
    /// others, the smaller key counts once both have been heard of.
    fn beats_successor(&self, theirs: Option<CallKey>) -> bool {
        self.handover.is_taking()
            && self.is_calling()
            && self.peer_has_heard_of_it()
            && self.key < theirs
    }
}
