//! All calls of a session: at most one with each connection, found by it or by the call's key.

mod accepting;
mod beaten;
mod busy;
mod call;
mod candidates;
mod change;
mod content;
mod ctx;
mod delivery;
mod diagnosis;
mod echoes;
mod ending;
mod engine;
mod farewells;
mod first_offer;
mod glare;
mod greeting;
mod handover;
mod info;
mod leftovers;
mod liveness;
mod negotiation;
mod place;
mod restart;
mod ringing;
mod saying;
mod timeouts;
mod user_call;

use std::ops::ControlFlow;

use skapi_rtc_protocol::{CallKey, ConnectionId, Json, LinkState, RtcContent, RtcSignal, UserId};

pub(crate) use self::ctx::Ctx;
use self::{
    call::{Call, Flow},
    echoes::Echoes,
    farewells::Farewells,
    handover::Asks,
    leftovers::Leftovers,
    user_call::UserCalls,
};
pub use self::{
    handover::{DeviceCall, HandoverPolicy},
    info::{CallInfo, CallPhase},
    place::{PlaceError, PlaceOptions},
    user_call::{PlacedUserCall, UserCallId},
};
use crate::{
    CallEnd, CallId, EndReason, Event, Generation, OpId, RequestError, RtcEvent, RtcOutcome, Side,
    ordered::OrderedMap,
};

/// There is no such call, or it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} does not exist or has ended")]
pub struct UnknownCall(pub CallId);

#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// In boxes, since a map sets aside room for as many again.
    calls: OrderedMap<CallId, Box<Call>>,
    by_peer: OrderedMap<ConnectionId, CallId>,
    by_key: OrderedMap<CallKey, CallId>,
    next_id: u64,
    echoes: Echoes,
    leftovers: Leftovers,
    farewells: Farewells,
    user_calls: UserCalls,
    asks: Asks,
}

impl Calls {
    pub(crate) fn accept(&mut self, id: CallId, ctx: &mut Ctx<'_>) -> Result<(), UnknownCall> {
        self.calls.get_mut(&id).ok_or(UnknownCall(id))?.accept(ctx);
        Ok(())
    }

    /// Ends a call by the user's wish, for the reason its phase suggests; a call that rings may be given
    /// another one.
    pub(crate) fn hang_up(
        &mut self,
        id: CallId,
        reason: Option<EndReason>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), UnknownCall> {
        let call = self.calls.get(&id).ok_or(UnknownCall(id))?;
        let mut end = call.end_by_user();
        if let Some(reason) = reason
            && call.is_ringing()
        {
            end.reason = reason;
        }
        self.finish(id, end, ctx);
        Ok(())
    }

    pub(crate) fn on_rtc_frame(
        &mut self,
        content: &Json,
        user: UserId,
        from: ConnectionId,
        ctx: &mut Ctx<'_>,
    ) {
        let content = match RtcContent::decode(content) {
            Ok(content) => content,
            Err(error) => return ctx.out.event(Event::BadContent { from, error }),
        };
        if let RtcSignal::HungUp(_) = content.signal
            && content.call.is_none()
            && self.echoes.absorb(&from, ctx.now)
        {
            return;
        }
        if self.on_said_by_device(&content, &user, &from, ctx) {
            return;
        }
        let Some(id) = self.find(&content, &user, &from) else {
            if self.farewells.absorb(&content, &user, &from, ctx.now, ctx.out) {
                return;
            }
            match &content.signal {
                RtcSignal::Offer(offer) => {
                    let offer = offer.clone();
                    self.on_first_offer(content, offer, user, from, ctx);
                }
                RtcSignal::Restart(_) => self.on_unknown_restart(content.call, from, ctx),
                _ => {}
            }
            return;
        };
        self.step(id, ctx, |call, ctx| {
            call.user.get_or_insert(user);
            call.on_content(content, ctx)
        });
    }

    pub(crate) fn on_rtc_done(
        &mut self,
        op: OpId,
        result: Result<RtcOutcome, String>,
        ctx: &mut Ctx<'_>,
    ) {
        self.step(op.call, ctx, |call, ctx| call.on_rtc_done(op, result, ctx));
    }

    pub(crate) fn on_rtc_event(
        &mut self,
        id: CallId,
        generation: Generation,
        event: RtcEvent,
        ctx: &mut Ctx<'_>,
    ) {
        self.step(id, ctx, |call, ctx| call.on_rtc_event(generation, event, ctx));
    }

    pub(crate) fn on_peer_disconnected(&mut self, peer: &ConnectionId, ctx: &mut Ctx<'_>) {
        if let Some(id) = self.by_peer.get(peer).copied() {
            self.step(id, ctx, Call::on_peer_disconnected);
        }
    }

    /// The service says what has become of the link of somebody we have spoken with.
    pub(crate) fn on_peer_link(
        &mut self,
        peer: &ConnectionId,
        state: &LinkState,
        ctx: &mut Ctx<'_>,
    ) {
        if *state == LinkState::Gone {
            self.on_peer_disconnected(peer, ctx);
        } else if let Some(call) = self.by_peer.get(peer).and_then(|id| self.calls.get_mut(id)) {
            call.on_peer_link(state, ctx);
        }
    }

    pub(crate) fn on_reached(
        &mut self,
        id: CallId,
        result: Result<(), RequestError>,
        ctx: &mut Ctx<'_>,
    ) {
        self.step(id, ctx, |call, ctx| call.on_reached(result, ctx));
    }

    pub(crate) fn on_link_up(&mut self, ctx: &mut Ctx<'_>) {
        for call in self.calls.values_mut() {
            call.lose_sight_of_peer();
            call.on_link_back(ctx);
        }
        self.farewells.on_link_up(ctx.out);
    }

    /// Our connection is over, and with it what was under way. Calls that are up need none, and those
    /// whose peer gets everything in the end go on until their time is over. The others cannot.
    pub(crate) fn on_connection_gone(&mut self, ctx: &mut Ctx<'_>) {
        let lost_for = ctx.link_lost_for.unwrap_or_default();
        let reason = EndReason::SignalingLost { lost_for };
        self.finish_where(|call| !call.outlives_link(), reason, ctx);
        self.calls.values_mut().for_each(|call| call.forget_peer_link());
    }

    /// The session closes: every call ends.
    pub(crate) fn close(&mut self, ctx: &mut Ctx<'_>) {
        let all: Vec<_> = self.calls.values().map(|call| (call.id, call.end_by_user())).collect();
        for (id, end) in all {
            self.finish(id, end, ctx);
        }
        self.echoes = Echoes::default();
        self.farewells = Farewells::default();
        self.asks.close(ctx.out);
    }

    /// Whether a call goes on that does not need the service.
    pub(crate) fn any_is_up(&self) -> bool {
        self.calls.values().any(|call| call.is_up())
    }

    /// Calls, and entries of the tables that lead to them.
    pub(crate) fn len(&self) -> (usize, usize) {
        let index = self.by_peer.len() + self.by_key.len() + self.echoes.len();
        (self.calls.len(), index + self.farewells.len() + self.user_calls.len() + self.asks.len())
    }

    /// Contents that the peers have not acknowledged.
    pub(crate) fn unacknowledged(&self) -> usize {
        self.calls.values().map(|call| call.delivery.len()).sum()
    }

    /// The call a content belongs to. A key counts from wherever the same user sends it, because a
    /// connection that was lost comes back under another id; without a key the connection decides.
    fn find(&mut self, content: &RtcContent, user: &UserId, from: &ConnectionId) -> Option<CallId> {
        let Some(key) = content.call else {
            let id = *self.by_peer.get(from)?;
            // A stock peer's offer that meets our own call is glare, not part of it.
            let is_offer = matches!(content.signal, RtcSignal::Offer(_));
            let glare = is_offer && self.calls.get(&id)?.is_calling();
            return (!glare).then_some(id);
        };
        let id = *self.by_key.get(&key)?;
        let call = self.calls.get_mut(&id)?;
        if call.peer != *from {
            if call.user.as_ref() != Some(user) || self.by_peer.contains_key(from) {
                return None;
            }
            self.by_peer.remove(&call.peer);
            self.by_peer.insert(from.clone(), id);
            call.peer = from.clone();
        }
        Some(id)
    }

    fn new_id(&mut self) -> CallId {
        self.next_id += 1;
        CallId(self.next_id)
    }

    fn insert(&mut self, call: Call) {
        self.by_peer.insert(call.peer.clone(), call.id);
        if let Some(key) = call.key {
            self.by_key.insert(key, call.id);
        }
        self.calls.insert(call.id, Box::new(call));
    }

    /// Lets a call take a step, and ends it if the step says so.
    fn step(
        &mut self,
        id: CallId,
        ctx: &mut Ctx<'_>,
        step: impl FnOnce(&mut Call, &mut Ctx<'_>) -> Flow,
    ) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        match step(call, ctx) {
            ControlFlow::Break(end) => self.finish(id, end, ctx),
            ControlFlow::Continue(()) => {
                self.after_step(id, ctx);
                self.advance_handover(id, ctx);
            }
        }
    }

    fn finish_where(
        &mut self,
        which: impl Fn(&Call) -> bool,
        reason: EndReason,
        ctx: &mut Ctx<'_>,
    ) {
        let ids: Vec<_> = self.calls.values().filter(|call| which(call)).map(|c| c.id).collect();
        for id in ids {
            self.finish(id, CallEnd { reason: reason.clone(), by: Side::Local }, ctx);
        }
    }

    fn finish(&mut self, id: CallId, end: CallEnd, ctx: &mut Ctx<'_>) {
        let Some(mut call) = self.calls.remove(&id) else {
            return;
        };
        self.by_peer.remove(&call.peer);
        if let Some(key) = call.key {
            self.by_key.remove(&key);
        }
        if end.by == Side::Local && call.hangup_is_echoed() {
            self.echoes.expect(call.peer.clone(), ctx.now);
        }
        self.leftovers.note(&call);
        let (key, handover) = (call.key, std::mem::take(&mut call.handover));
        call.finish(end.clone(), &mut self.farewells, ctx);
        self.after_end(id, &end, ctx);
        self.end_handover(key, handover, &end, ctx);
    }
}
