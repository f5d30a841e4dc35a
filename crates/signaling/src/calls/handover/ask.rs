//! Which calls the user's other devices have.

use std::time::Duration;

use skapi_rtc_protocol::{ConnectionId, HeldCall, RtcContent, RtcSignal, UserId};

use super::{HandoverPolicy, frame};
use crate::{
    Event, Instant, RequestId,
    calls::{Calls, Ctx, call::Call},
    ordered::{OrderedMap, OrderedSet},
    outbox::Outbox,
};

/// How long devices have to answer; pages with Skapi's own client never do.
const PATIENCE: Duration = Duration::from_secs(2);
/// Questions at a time, devices that are asked by one, and calls of one device that are told.
const MAX_ASKS: usize = 16;
const MAX_DEVICES: usize = 32;
const MAX_CALLS: usize = 64;

/// A call that another device of our user has, and that could be taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceCall {
    /// The device's connection.
    pub device: ConnectionId,
    /// The connection at the call's other end.
    pub peer: ConnectionId,
    /// Whose that is.
    pub user: UserId,
}

/// Questions that are not answered by everybody yet.
#[derive(Debug, Default)]
pub(in crate::calls) struct Asks(OrderedMap<RequestId, Ask>);

#[derive(Debug)]
struct Ask {
    waits_for: OrderedSet<ConnectionId>,
    told: Vec<DeviceCall>,
    until: Instant,
}

impl Asks {
    pub(super) fn on_told(&mut self, device: &ConnectionId, calls: &[HeldCall], out: &mut Outbox) {
        let told = calls.iter().take(MAX_CALLS).map(|call| DeviceCall {
            device: device.clone(),
            peer: call.peer.clone(),
            user: call.user.clone(),
        });
        for ask in self.0.values_mut() {
            if ask.waits_for.remove(device) {
                ask.told.extend(told.clone());
            }
        }
        self.settle(|ask| ask.waits_for.is_empty(), out);
    }

    pub(in crate::calls) fn on_timeout(&mut self, now: Instant, out: &mut Outbox) {
        self.settle(|ask| ask.until <= now, out);
    }

    /// Nobody answers any more.
    pub(in crate::calls) fn close(&mut self, out: &mut Outbox) {
        self.settle(|_| true, out);
    }

    pub(in crate::calls) fn next_deadline(&self) -> Option<Instant> {
        self.0.values().map(|ask| ask.until).min()
    }

    pub(in crate::calls) fn len(&self) -> usize {
        self.0.len()
    }

    fn settle(&mut self, is_over: impl Fn(&Ask) -> bool, out: &mut Outbox) {
        let over: Vec<_> =
            self.0.iter().filter(|(_, ask)| is_over(ask)).map(|(id, _)| *id).collect();
        for request in over {
            if let Some(ask) = self.0.remove(&request) {
                out.event(Event::DeviceCalls { request, calls: ask.told });
            }
        }
    }
}

impl Calls {
    /// Asks these connections of our user. False if too much is asked at a time already.
    pub(crate) fn ask_calls(
        &mut self,
        request: RequestId,
        devices: Vec<ConnectionId>,
        ctx: &mut Ctx<'_>,
    ) -> bool {
        if self.asks.0.len() >= MAX_ASKS {
            return false;
        }
        let is_other = |cid: &ConnectionId| ctx.own.is_none_or(|own| own.cid != *cid);
        let waits_for: OrderedSet<_> =
            devices.into_iter().filter(is_other).take(MAX_DEVICES).collect();
        for device in &waits_for {
            ctx.out.send(frame(&RtcContent::new(RtcSignal::AskCalls), device));
        }
        let ask = Ask { waits_for, told: Vec::new(), until: ctx.now + PATIENCE };
        self.asks.0.insert(request, ask);
        self.asks.settle(|ask| ask.waits_for.is_empty(), ctx.out);
        true
    }

    pub(super) fn tell_calls(&self, to: &ConnectionId, ctx: &mut Ctx<'_>) {
        let held = |call: &Call| Some(HeldCall::new(call.peer.clone(), call.user.clone()?));
        let calls = self
            .calls
            .values()
            .filter(|call| call.can_be_handed_over() && call.peer != *to)
            .filter(|_| ctx.config.handover != HandoverPolicy::Refuse)
            .filter_map(|call| held(call))
            .take(MAX_CALLS)
            .collect();
        ctx.out.send(frame(&RtcContent::new(RtcSignal::Calls(calls)), to));
    }
}
