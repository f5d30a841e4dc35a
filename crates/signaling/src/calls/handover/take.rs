//! The device that takes a call over: it asks the one that has it, and then calls the peer in its place.

use skapi_rtc_protocol::{
    CallKey, Capability, ClientFrame, ConnectionId, HangupReason, RtcContent, RtcSignal,
};

use super::hang_up_wish;
use crate::{
    CallEnd, CallId, EndReason, Instant, PlaceError, PlaceOptions, Role, Side,
    calls::{
        Calls, Ctx,
        call::{Call, Phase},
        delivery::Resend,
    },
    requests::Purpose,
};

/// How far a device has come that takes a call over.
#[derive(Debug)]
pub(super) struct Taking {
    /// The device that has the call.
    from: ConnectionId,
    state: State,
}

#[derive(Debug)]
enum State {
    Asking(Resend),
    /// The old call has this key.
    Granted(CallKey),
    /// It is up here, and the peer was told.
    Done,
}

impl Taking {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        match self.state {
            State::Asking(again) => Some(again.at),
            _ => None,
        }
    }

    pub(super) fn granted(&self) -> Option<CallKey> {
        match self.state {
            State::Granted(old) => Some(old),
            _ => None,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// The call that was to take the place of the other device's has come to nothing: others may have it.
    pub(super) fn give_up(&self, key: CallKey, ctx: &mut Ctx<'_>) {
        if !self.is_done() {
            hang_up_wish(key, HangupReason::Cancelled, &self.from, ctx);
        }
    }
}

impl Calls {
    /// Takes the call with this peer over from another device of our user.
    pub(crate) fn pick_up(
        &mut self,
        from: ConnectionId,
        peer: ConnectionId,
        options: &PlaceOptions,
        ctx: &mut Ctx<'_>,
    ) -> Result<CallId, PlaceError> {
        let own = ctx.own.ok_or(PlaceError::NotGreeted)?;
        if own.cid == from {
            return Err(PlaceError::ToSelf);
        }
        self.check_place(&peer, ctx)?;
        let (id, key) = (self.new_id(), CallKey(ctx.rng.next_u64()));
        let mut call = Call::new(id, Some(key), peer, Role::Caller, Phase::Preparing);
        call.deadline = Some(Call::patience(options, ctx));
        call.handover.taking = Some(Taking { from, state: State::Asking(Resend::first(ctx.now)) });
        call.ask_for_the_call(ctx);
        self.insert(call);
        Ok(id)
    }

    /// The other device lets us have its call, which has this key.
    pub(super) fn on_granted(&mut self, key: CallKey, old: CallKey, ctx: &mut Ctx<'_>) {
        let call = self.by_key.get(&key).and_then(|id| self.calls.get_mut(id));
        if let Some(call) = call
            && let Some(taking) = &mut call.handover.taking
            && matches!(taking.state, State::Asking(_))
        {
            taking.state = State::Granted(old);
            // The other device has heard so of the peer: even our offer may be sent again.
            call.peer_learnt(vec![Capability::Ack, Capability::Handover]);
            call.deadline = Some(ctx.now + ctx.config.connect_timeout);
            call.open_engine(ctx);
            call.make_offer(ctx);
        }
    }

    /// The other device keeps its call. True if we wanted it under this name.
    pub(super) fn on_not_granted(&mut self, key: CallKey, ctx: &mut Ctx<'_>) -> bool {
        let asks = |call: &Call| {
            let taking = call.handover.taking.as_ref();
            taking.is_some_and(|taking| matches!(taking.state, State::Asking(_)))
        };
        let id = self.by_key.get(&key).copied();
        let Some(id) = id.filter(|id| self.calls.get(id).is_some_and(|call| asks(call))) else {
            return false;
        };
        self.finish(id, CallEnd { reason: EndReason::NotHandedOver, by: Side::Remote }, ctx);
        true
    }
}

impl Call {
    pub(in crate::calls) fn on_handover_timeout(&mut self, ctx: &mut Ctx<'_>) {
        self.on_untold(ctx);
        if let Some(taking) = &mut self.handover.taking
            && let State::Asking(again) = &mut taking.state
            && again.at <= ctx.now
        {
            *again = again.next(ctx.now);
            self.ask_for_the_call(ctx);
        }
    }

    fn ask_for_the_call(&self, ctx: &mut Ctx<'_>) {
        let (Some(taking), Some(key)) = (&self.handover.taking, self.key) else { return };
        let wish = RtcContent::new(RtcSignal::TakeOver(self.peer.clone())).call(key);
        let reference = if ctx.answers { ctx.open_request(Purpose::Reach(self.id)) } else { None };
        let (to, content) = (taking.from.clone(), wish.encode());
        ctx.out.send(ClientFrame::Rtc { to, content, token: None, reference });
    }

    /// Our side of the successor is up: the peer may end the call that it replaces.
    pub(super) fn say_taken(&mut self, ctx: &mut Ctx<'_>) {
        if self.is_established()
            && let Some(taking) = &mut self.handover.taking
            && taking.granted().is_some()
        {
            taking.state = State::Done;
            self.send(RtcSignal::Taken, ctx);
        }
    }
}
