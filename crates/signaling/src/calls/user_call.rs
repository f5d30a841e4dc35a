//! A call to a user: all of the user's connections ring, and the first that accepts has the call.
//!
//! ```text
//!   Calling ── a leg rings ──▶ Ringing
//!      │                          │
//!      ├──────────────────────────┴─ a leg accepts ─▶ answered: that leg goes on as a call like any
//!      │                                              other, the others end as answered elsewhere
//!      └─ every leg has ended, or one was declined and that counts for all ─▶ ended
//! ```
//!
//! Each leg is a call of its own, with its own peer connection: an offer can be answered only once.

use std::fmt;

use skapi_rtc_protocol::ConnectionId;

use super::{Calls, Ctx, PlaceError, PlaceOptions};
use crate::{
    CallEnd, CallId, EndReason, Event, Side, UserCallEvent,
    ordered::{OrderedMap, OrderedSet},
};

/// Connections of a user that are called at a time; a service allows a user no more.
const MAX_LEGS: usize = 32;

/// One call to a user. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserCallId(u64);

impl fmt::Display for UserCallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user call {}", self.0)
    }
}

/// A call to a user that was placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedUserCall {
    /// Names it in [`Event::UserCall`].
    pub call: UserCallId,
    /// The calls to the single connections, in the order in which these were given. Connections with which
    /// there is a call already are left out.
    pub legs: Vec<CallId>,
}

#[derive(Debug, Default)]
pub(super) struct UserCalls {
    calls: OrderedMap<UserCallId, UserCall>,
    by_leg: OrderedMap<CallId, UserCallId>,
    last_id: u64,
}

#[derive(Debug)]
struct UserCall {
    legs: OrderedSet<CallId>,
    decline_ends_all: bool,
    rings: bool,
    /// The best of the reasons for which legs have ended.
    end: Option<CallEnd>,
}

impl UserCalls {
    pub(super) fn len(&self) -> usize {
        self.calls.len() + self.by_leg.len()
    }

    /// The call is over: its legs belong to nothing any more.
    fn remove(&mut self, id: UserCallId) -> OrderedSet<CallId> {
        let legs = self.calls.remove(&id).map(|call| call.legs).unwrap_or_default();
        for leg in &legs {
            self.by_leg.remove(leg);
        }
        legs
    }
}

impl Calls {
    pub(crate) fn place_user_call(
        &mut self,
        to: Vec<ConnectionId>,
        options: &PlaceOptions,
        ctx: &mut Ctx<'_>,
    ) -> Result<PlacedUserCall, PlaceError> {
        let mut legs = Vec::new();
        let mut refused = PlaceError::NobodyThere;
        for peer in to.into_iter().take(MAX_LEGS) {
            match self.place(peer, options, ctx) {
                Ok(leg) => legs.push(leg),
                Err(error) => refused = error,
            }
        }
        if legs.is_empty() {
            return Err(refused);
        }
        self.user_calls.last_id += 1;
        let call = UserCallId(self.user_calls.last_id);
        self.user_calls.by_leg.extend(legs.iter().map(|leg| (*leg, call)));
        let user_call = UserCall {
            legs: legs.iter().copied().collect(),
            decline_ends_all: options.decline_ends_all,
            rings: false,
            end: None,
        };
        self.user_calls.calls.insert(call, user_call);
        Ok(PlacedUserCall { call, legs })
    }

    /// Takes a call to a user back; without effect on one that was answered or has ended.
    pub(crate) fn cancel_user_call(&mut self, id: UserCallId, ctx: &mut Ctx<'_>) {
        if self.user_calls.calls.contains_key(&id) {
            let end = CallEnd { reason: EndReason::Cancelled, by: Side::Local };
            self.end_user_call(id, end.clone(), end, ctx);
        }
    }

    /// A call has taken a step: if it is a leg, it may ring or have been accepted now.
    pub(super) fn after_step(&mut self, leg: CallId, ctx: &mut Ctx<'_>) {
        let Some(id) = self.user_calls.by_leg.get(&leg).copied() else { return };
        let Some(call) = self.calls.get(&leg) else { return };
        if call.was_accepted() {
            let legs = self.user_calls.remove(id);
            ctx.out.event(Event::UserCall { call: id, event: UserCallEvent::Answered { leg } });
            let end = CallEnd { reason: EndReason::AnsweredElsewhere, by: Side::Local };
            for other in legs.into_iter().filter(|other| *other != leg) {
                self.finish(other, end.clone(), ctx);
            }
        } else if call.has_rung()
            && let Some(user_call) = self.user_calls.calls.get_mut(&id)
            && !std::mem::replace(&mut user_call.rings, true)
        {
            ctx.out.event(Event::UserCall { call: id, event: UserCallEvent::Ringing { leg } });
        }
    }

    /// A call has ended: if it is a leg, the others ring on, unless it was the last or speaks for all.
    pub(super) fn after_end(&mut self, leg: CallId, end: &CallEnd, ctx: &mut Ctx<'_>) {
        let Some(id) = self.user_calls.by_leg.remove(&leg) else { return };
        let Some(call) = self.user_calls.calls.get_mut(&id) else { return };
        call.legs.remove(&leg);
        if call.end.as_ref().is_none_or(|known| rank(end) > rank(known)) {
            call.end = Some(end.clone());
        }
        let declined = end.reason == EndReason::Declined && end.by == Side::Remote;
        if call.legs.is_empty() || (declined && call.decline_ends_all) {
            let why = call.end.take().unwrap_or_else(|| end.clone());
            let for_others = CallEnd { reason: EndReason::Declined, by: Side::Local };
            self.end_user_call(id, why, for_others, ctx);
        }
    }

    fn end_user_call(
        &mut self,
        id: UserCallId,
        why: CallEnd,
        for_legs: CallEnd,
        ctx: &mut Ctx<'_>,
    ) {
        for leg in self.user_calls.remove(id) {
            self.finish(leg, for_legs.clone(), ctx);
        }
        ctx.out.event(Event::UserCall { call: id, event: UserCallEvent::Ended(why) });
    }
}

/// Which of two ends says more about the user: what a person did, then what a device said, then what failed.
fn rank(end: &CallEnd) -> u8 {
    match end.reason {
        EndReason::Declined => 4,
        EndReason::Busy => 3,
        EndReason::NoAnswer | EndReason::Cancelled => 2,
        EndReason::Unreachable => 0,
        _ => 1,
    }
}
