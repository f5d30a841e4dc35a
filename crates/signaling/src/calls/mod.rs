//! All calls of a session: at most one with each connection, found by it or by the call's key.

mod beaten;
mod call;
mod candidates;
mod content;
mod delivery;
mod diagnosis;
mod echoes;
mod ending;
mod engine;
mod farewells;
mod first_offer;
mod leftovers;
mod liveness;
mod negotiation;
mod restart;
mod user_call;

use std::{collections::BTreeMap, ops::ControlFlow};

use skapi_rtc_protocol::{
    CallKey, ConnectionId, IceServer, Json, Ready, RequestRef, RtcContent, RtcSignal, UserId,
};

use self::{
    call::{Call, Flow},
    echoes::Echoes,
    farewells::Farewells,
    leftovers::Leftovers,
    user_call::UserCalls,
};
pub use self::{
    call::{CallInfo, CallPhase, PlaceOptions},
    user_call::{PlacedUserCall, UserCallId},
};
use crate::{
    CallEnd, CallId, Config, EndReason, Event, Generation, Instant, OpId, RequestError, RtcEvent,
    RtcOutcome, Side,
    outbox::Outbox,
    requests::{Purpose, Requests},
    rng::Rng,
};

/// A call could not be placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// The session is closed.
    #[error("the session is closed")]
    Closed,
    /// There is no connection to the service now; wait for [`Event::Connected`].
    #[error("there is no connection to the service now: wait until it is back")]
    NotConnected,
    /// The id is our own.
    #[error("a connection cannot call itself")]
    ToSelf,
    /// There is a call with this connection already.
    #[error("there is a call with this connection already ({0})")]
    AlreadyInCall(CallId),
    /// As many calls as [`Config::max_calls`] allows are going on.
    #[error("{0} calls are going on, which is the limit: end one first")]
    TooManyCalls(usize),
    /// No connection was given to call.
    #[error("the user has no other connection that could be called")]
    NobodyThere,
}

/// There is no such call, or it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} does not exist or has ended")]
pub struct UnknownCall(pub CallId);

/// What a call's steps need from their surroundings.
pub(crate) struct Ctx<'a> {
    pub(crate) now: Instant,
    pub(crate) config: &'a Config,
    pub(crate) out: &'a mut Outbox,
    pub(crate) requests: &'a mut Requests,
    pub(crate) rng: &'a mut Rng,
    /// What the service said about us, if it greets.
    pub(crate) own: Option<&'a Ready>,
    /// The service answers requests.
    pub(crate) answers: bool,
}

impl Ctx<'_> {
    /// Who we are, for a peer to read. Never empty: Skapi's client takes a `pickup` or `hungup` with an
    /// empty text for one that is not there.
    fn own_user(&self) -> String {
        self.own.map_or_else(|| "unknown".to_owned(), |ready| ready.user_id.as_str().to_owned())
    }

    fn ice_servers(&self) -> Vec<IceServer> {
        let of_service = self.own.map_or(&[][..], |ready| &ready.ice_servers);
        self.config.ice_servers.iter().chain(of_service).cloned().collect()
    }

    fn open_request(&mut self, purpose: Purpose) -> Option<RequestRef> {
        self.requests.open(purpose, self.now, self.config.request_timeout)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Calls {
    calls: BTreeMap<CallId, Call>,
    by_peer: BTreeMap<ConnectionId, CallId>,
    by_key: BTreeMap<CallKey, CallId>,
    next_id: u64,
    echoes: Echoes,
    leftovers: Leftovers,
    farewells: Farewells,
    user_calls: UserCalls,
}

impl Calls {
    pub(crate) fn place(
        &mut self,
        peer: ConnectionId,
        options: &PlaceOptions,
        ctx: &mut Ctx<'_>,
    ) -> Result<CallId, PlaceError> {
        if ctx.own.is_some_and(|own| own.cid == peer) {
            return Err(PlaceError::ToSelf);
        }
        if let Some(call) = self.by_peer.get(&peer) {
            return Err(PlaceError::AlreadyInCall(*call));
        }
        if self.calls.len() >= ctx.config.max_calls {
            return Err(PlaceError::TooManyCalls(self.calls.len()));
        }
        let (id, key) = (self.new_id(), CallKey(ctx.rng.next_u64()));
        let mut call = Call::place(id, key, peer, options, ctx);
        call.waits_for_pickup = self.leftovers.are_with(&call.peer);
        self.insert(call);
        Ok(id)
    }

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
        self.leftovers.forget(peer);
        if let Some(id) = self.by_peer.get(peer).copied() {
            self.step(id, ctx, Call::on_peer_disconnected);
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
            call.on_link_back(ctx);
        }
        self.farewells.on_link_up(ctx.out);
    }

    /// Our connection is over, and with it what was under way. Calls that are up need none, and those
    /// whose peer gets everything in the end go on until their time is over. The others cannot.
    pub(crate) fn on_connection_gone(&mut self, ctx: &mut Ctx<'_>) {
        self.finish_where(|call| !call.outlives_link(), EndReason::SignalingLost, ctx);
    }

    pub(crate) fn on_timeout(&mut self, ctx: &mut Ctx<'_>) {
        let due: Vec<_> = self
            .calls
            .values()
            .filter(|call| call.next_deadline().is_some_and(|deadline| deadline <= ctx.now))
            .map(|call| call.id)
            .collect();
        for id in due {
            self.step(id, ctx, Call::on_timeout);
            self.step(id, ctx, Call::on_delivery_timeout);
        }
        self.echoes.forget_old(ctx.now);
        self.farewells.on_timeout(ctx.now, ctx.out);
    }

    /// The session closes: every call ends.
    pub(crate) fn close(&mut self, ctx: &mut Ctx<'_>) {
        let all: Vec<_> = self.calls.values().map(|call| (call.id, call.end_by_user())).collect();
        for (id, end) in all {
            self.finish(id, end, ctx);
        }
        self.echoes = Echoes::default();
        self.farewells = Farewells::default();
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let calls = self.calls.values().filter_map(Call::next_deadline).min();
        let others = [self.echoes.next_deadline(), self.farewells.next_deadline()];
        others.into_iter().flatten().chain(calls).min()
    }

    /// Whether a call goes on that does not need the service.
    pub(crate) fn any_is_up(&self) -> bool {
        self.calls.values().any(Call::is_up)
    }

    pub(crate) fn info(&self, id: CallId) -> Option<CallInfo> {
        self.calls.get(&id).map(Call::info)
    }

    pub(crate) fn infos(&self) -> impl Iterator<Item = CallInfo> + '_ {
        self.calls.values().map(Call::info)
    }

    /// Calls, and entries of the tables that lead to them.
    pub(crate) fn len(&self) -> (usize, usize) {
        let index = self.by_peer.len() + self.by_key.len() + self.echoes.len();
        (self.calls.len(), index + self.farewells.len() + self.user_calls.len())
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
        self.calls.insert(call.id, call);
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
            ControlFlow::Continue(()) => self.after_step(id, ctx),
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
        let Some(call) = self.calls.remove(&id) else {
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
        call.finish(end.clone(), &mut self.farewells, ctx);
        self.after_end(id, &end, ctx);
    }
}
