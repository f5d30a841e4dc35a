//! Another device of the same user goes on with a call that is up.
//!
//! ```text
//!   phone ── take_over ──▶ laptop                      `take.rs`, `give.rs`
//!   phone ◀── granted ──── laptop
//!   phone ── offer that replaces the laptop's call ──▶ peer, which accepts without ringing    `replace.rs`
//!   phone ── taken ──▶ peer ── hungup: moved ──▶ laptop
//! ```
//!
//! The old call is left alone until the new one is up at both of its ends; `docs/protocol.md` has the rest,
//! under "Handover". Which calls the other devices have is asked for in `ask.rs`.

mod ask;
mod give;
mod replace;
mod take;

use skapi_rtc_protocol::{
    CallKey, ClientFrame, ConnectionId, HangupReason, RtcContent, RtcSignal, UserId,
};

pub(super) use self::ask::Asks;
pub use self::{ask::DeviceCall, give::HandoverPolicy};
use self::{give::Claim, replace::Replacing, take::Taking};
use super::{Calls, Ctx, call::Call};
use crate::{CallEnd, CallId, EndReason, Instant, Side};

/// What a call has to do with a handover.
#[derive(Debug, Default)]
pub(super) struct Handover {
    /// The device that may take this call over, or wants to.
    claim: Option<Claim>,
    /// This call is to take the place of another device's.
    taking: Option<Taking>,
    /// The peer's other device takes the place of this one by that call.
    successor: Option<CallId>,
    /// This call is to take the place of another one here.
    replacing: Option<Replacing>,
}

impl Handover {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let taking = self.taking.as_ref().and_then(Taking::next_deadline);
        let replacing = self.replacing.as_ref().and_then(Replacing::next_deadline);
        [taking, replacing].into_iter().flatten().min()
    }

    /// The call whose place the one that is offered is to take.
    pub(super) fn replaces(&self) -> Option<CallKey> {
        self.taking.as_ref()?.granted()
    }

    pub(super) fn is_taking(&self) -> bool {
        self.taking.is_some()
    }
}

impl Calls {
    /// What the devices of one user say to each other. True if it was that; from anybody else it has no
    /// meaning.
    pub(super) fn on_said_by_device(
        &mut self,
        content: &RtcContent,
        user: &UserId,
        from: &ConnectionId,
        ctx: &mut Ctx<'_>,
    ) -> bool {
        let is_ours = ctx.own.is_some_and(|own| own.user_id == *user && own.cid != *from);
        match (&content.signal, content.call) {
            (RtcSignal::AskCalls, _) if is_ours => self.tell_calls(from, ctx),
            (RtcSignal::Calls(calls), _) if is_ours => self.asks.on_told(from, calls, ctx.out),
            (RtcSignal::TakeOver(peer), Some(key)) if is_ours => {
                self.on_take_over(peer, key, from, ctx);
            }
            (RtcSignal::Granted(old), Some(key)) if is_ours => self.on_granted(key, *old, ctx),
            (RtcSignal::HungUp(_), Some(key)) if is_ours => {
                return self.on_claim_given_up(key) || self.on_not_granted(key, ctx);
            }
            (
                RtcSignal::AskCalls
                | RtcSignal::Calls(_)
                | RtcSignal::TakeOver(_)
                | RtcSignal::Granted(_),
                _,
            ) => {}
            _ => return false,
        }
        true
    }

    /// A call has taken a step: if it takes another's place, that may be done now.
    pub(super) fn advance_handover(&mut self, id: CallId, ctx: &mut Ctx<'_>) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.say_taken(ctx);
        if let Some(old) = call.take_its_place(ctx) {
            self.finish(old, CallEnd { reason: EndReason::Moved, by: Side::Local }, ctx);
        }
    }

    /// A call has ended: whoever waits for it in a handover has to know.
    pub(super) fn end_handover(
        &mut self,
        key: Option<CallKey>,
        handover: Handover,
        end: &CallEnd,
        ctx: &mut Ctx<'_>,
    ) {
        if let Some(claim) = handover.claim {
            claim.turn_down(ctx);
        }
        if let (Some(taking), Some(key)) = (handover.taking, key) {
            taking.give_up(key, ctx);
        }
        if let Some(old) = handover.replacing.and_then(|it| self.calls.get_mut(&it.old)) {
            old.handover.successor = None;
        }
        let Some(successor) = handover.successor else { return };
        if *end == (CallEnd { reason: EndReason::HungUp, by: Side::Local }) {
            // Our user is done with the peer, on whichever device.
            self.finish(successor, end.clone(), ctx);
        } else if let Some(successor) = self.calls.get_mut(&successor) {
            successor.handover.replacing = None;
        }
    }
}

impl Call {
    /// It is up, the peer follows it to another device, and nothing of the kind goes on yet.
    fn can_be_handed_over(&self) -> bool {
        let Handover { claim: _, taking, successor, replacing } = &self.handover;
        self.is_established()
            && self.key.is_some()
            && self.user.is_some()
            && self.peer_can(&skapi_rtc_protocol::Capability::Handover)
            && taking.as_ref().is_none_or(Taking::is_done)
            && successor.is_none()
            && replacing.is_none()
    }
}

/// Tells a device of our user that nothing comes of its wish, or of ours.
fn hang_up_wish(key: CallKey, reason: HangupReason, to: &ConnectionId, ctx: &mut Ctx<'_>) {
    let hangup = RtcContent::new(RtcSignal::HungUp(ctx.own_user())).reason(reason).call(key);
    ctx.out.send(frame(&hangup, to));
}

fn frame(content: &RtcContent, to: &ConnectionId) -> ClientFrame {
    ClientFrame::Rtc { to: to.clone(), content: content.encode(), token: None, reference: None }
}
