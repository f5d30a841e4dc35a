//! The device that has the call lets another one have it: one at a time, as its application wants.

use std::time::Duration;

use skapi_rtc_protocol::{CallKey, ConnectionId, HangupReason, RtcContent, RtcSignal};

use super::{frame, hang_up_wish};
use crate::{
    CallId, Event, Instant, UnknownCall,
    calls::{Calls, Ctx, call::Call},
};

/// How long a device that was heard last keeps others away. It asks again while it has no answer, and needs no
/// longer than this to set its call up.
const CLAIM: Duration = Duration::from_secs(45);

/// What happens when another device of the same user wants to take a call over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HandoverPolicy {
    /// It may. The application is told.
    #[default]
    Allow,
    /// The application is asked.
    Ask,
    /// Calls stay where they are: nothing is handed over, and peers know that their other devices cannot take
    /// a call over either. For applications that do not follow a call to its successor.
    Refuse,
}

/// A device that may take a call over, or wants to.
#[derive(Debug)]
pub(super) struct Claim {
    by: ConnectionId,
    /// What it calls the successor.
    key: CallKey,
    granted: bool,
    until: Instant,
}

impl Claim {
    pub(super) fn keeps_others_away(&self, now: Instant) -> bool {
        self.until > now
    }

    pub(super) fn is_granted(&self) -> bool {
        self.granted
    }

    /// A device that waits for an answer gets this one.
    pub(super) fn turn_down(&self, ctx: &mut Ctx<'_>) {
        if !self.granted {
            hang_up_wish(self.key, HangupReason::NotHandedOver, &self.by, ctx);
        }
    }
}

impl Calls {
    /// Another device of our user wants the call with this peer.
    pub(super) fn on_take_over(
        &mut self,
        peer: &ConnectionId,
        key: CallKey,
        by: &ConnectionId,
        ctx: &mut Ctx<'_>,
    ) {
        let policy = ctx.config.handover;
        let call = self.by_peer.get(peer).and_then(|id| self.calls.get_mut(id));
        let call = call
            .filter(|call| policy != HandoverPolicy::Refuse && call.can_be_handed_over())
            .filter(|call| call.may_be_claimed(key, ctx.now));
        let Some(call) = call else {
            return hang_up_wish(key, HangupReason::NotHandedOver, by, ctx);
        };
        let known = call.handover.claim.take().filter(|claim| claim.key == key);
        let granted = known.as_ref().map_or(policy == HandoverPolicy::Allow, |claim| claim.granted);
        if known.is_none() {
            ctx.out.event(Event::HandoverAsked { call: call.id, by: by.clone(), granted });
        }
        let until = ctx.now + CLAIM;
        call.handover.claim = Some(Claim { by: by.clone(), key, granted, until });
        call.tell_claimant(ctx);
    }

    /// The application decides about a device that wants to take a call over; without effect when none waits.
    pub(crate) fn answer_handover(
        &mut self,
        id: CallId,
        by: &ConnectionId,
        allow: bool,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), UnknownCall> {
        let call = self.calls.get_mut(&id).ok_or(UnknownCall(id))?;
        let waits = |claim: &mut Claim| claim.by == *by && !claim.granted;
        let Some(mut claim) = call.handover.claim.take_if(waits) else {
            return Ok(());
        };
        if allow && call.can_be_handed_over() {
            claim.granted = true;
            claim.until = ctx.now + CLAIM;
            call.handover.claim = Some(claim);
            call.tell_claimant(ctx);
        } else {
            claim.turn_down(ctx);
        }
        Ok(())
    }

    /// A device does not want the call any more. True if one wanted it under this name.
    pub(super) fn on_claim_given_up(&mut self, key: CallKey) -> bool {
        let wanted = |call: &mut Call| call.handover.claim.take_if(|claim| claim.key == key);
        self.calls.values_mut().find_map(|call| wanted(call)).is_some()
    }
}

impl Call {
    fn may_be_claimed(&self, key: CallKey, now: Instant) -> bool {
        let claim = self.handover.claim.as_ref();
        claim.is_none_or(|claim| claim.key == key || !claim.keeps_others_away(now))
    }

    /// Tells the device that it may take the call over, if it may: from now on it knows the call's key.
    fn tell_claimant(&self, ctx: &mut Ctx<'_>) {
        if let (Some(claim), Some(own)) = (&self.handover.claim, self.key)
            && claim.granted
        {
            let granted = RtcContent::new(RtcSignal::Granted(own)).call(claim.key);
            ctx.out.send(frame(&granted, &claim.by));
        }
    }
}
