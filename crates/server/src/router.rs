//! The router: the hub, and the outboxes of the connections it routes between.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use skapi_rtc_protocol::{
    ClientFrame, ConnectionId, ErrorCode, RequestRef, ServerFrame, UserId, encode_server,
    http::{GroupEntry, GroupsQuery, Page, UserEntry, UsersQuery},
};

use crate::{
    bus::Bus,
    hub::{Address, ConnectError, Delivery, Hub, HubLimits, QueryError},
    metrics::Metrics,
    shared::lock,
    socket::{CloseReason, Outbox, Pushed},
};

/// One lock over the hub and the outboxes, so that every connection sees what happens in one order.
/// Under it frames are only queued, never sent.
pub(crate) struct Router {
    state: Mutex<State>,
    bus: Box<dyn Bus>,
    metrics: Arc<Metrics>,
}

struct State {
    hub: Hub,
    outboxes: HashMap<ConnectionId, Arc<Outbox>>,
    stopped: bool,
}

/// A connection was not taken in.
#[derive(Debug)]
pub(crate) enum Refused {
    Stopping,
    Limit(ConnectError),
}

impl Router {
    pub(crate) fn new(limits: HubLimits, bus: impl Bus, metrics: Arc<Metrics>) -> Self {
        Self {
            state: Mutex::new(State {
                hub: Hub::new(limits),
                outboxes: HashMap::new(),
                stopped: false,
            }),
            bus: Box::new(bus),
            metrics,
        }
    }

    /// Takes a connection in; `greeting` is the first thing it hears.
    pub(crate) fn connect(
        &self,
        cid: &ConnectionId,
        user: UserId,
        outbox: Arc<Outbox>,
        greeting: &ServerFrame,
    ) -> Result<(), Refused> {
        let greeting = encode_server(greeting);
        let mut state = lock(&self.state);
        if state.stopped {
            return Err(Refused::Stopping);
        }
        state.hub.connect(cid.clone(), user).map_err(Refused::Limit)?;
        outbox.push(greeting.into());
        state.outboxes.insert(cid.clone(), outbox);
        self.gauge(&state);
        Ok(())
    }

    pub(crate) fn disconnect(&self, cid: &ConnectionId) {
        let mut state = lock(&self.state);
        state.outboxes.remove(cid);
        let deliveries = state.hub.disconnect(cid);
        self.deliver(&state, deliveries);
        self.gauge(&state);
    }

    pub(crate) fn handle_frame(&self, from: &ConnectionId, frame: ClientFrame) {
        // The most frequent frame of all has nothing to route.
        if matches!(frame, ClientFrame::KeepAlive { .. }) {
            return;
        }
        let mut state = lock(&self.state);
        let deliveries = state.hub.handle_frame(from, frame);
        self.deliver(&state, deliveries);
        self.gauge(&state);
    }

    /// Tells a connection that a frame of its was refused.
    pub(crate) fn refuse(
        &self,
        from: &ConnectionId,
        code: ErrorCode,
        text: impl Into<String>,
        reference: Option<RequestRef>,
    ) {
        let delivery = Delivery::error(from.clone(), code, text, reference);
        self.deliver(&lock(&self.state), vec![delivery]);
    }

    pub(crate) fn users(&self, query: &UsersQuery) -> Result<Page<UserEntry>, QueryError> {
        lock(&self.state).hub.users(query)
    }

    pub(crate) fn groups(&self, query: &GroupsQuery) -> Result<Page<GroupEntry>, QueryError> {
        lock(&self.state).hub.groups(query)
    }

    /// Takes no more connections in, and closes those there are.
    pub(crate) fn stop(&self) {
        let mut state = lock(&self.state);
        state.stopped = true;
        for outbox in state.outboxes.values() {
            outbox.close(CloseReason::GoingAway);
        }
    }

    fn deliver(&self, state: &State, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            let reached = self.deliver_one(state, &delivery);
            if let Some(receipt) = delivery.receipt {
                self.deliver_one(state, &receipt.answer(reached));
            }
        }
    }

    /// Queues a delivery; returns how many connections took it.
    fn deliver_one(&self, state: &State, delivery: &Delivery) -> usize {
        if !matches!(delivery.to, Address::Connection(_)) {
            self.bus.publish(delivery);
        }
        let mut reached = 0;
        for cid in state.hub.recipients(&delivery.to) {
            let Some(outbox) = state.outboxes.get(cid) else {
                continue;
            };
            match outbox.push(delivery.frame.clone()) {
                Pushed::Queued => reached += 1,
                // Its task sees that its outbox is closed, and leaves.
                Pushed::Overflow => self.metrics.slow_consumers_total.add(1),
                Pushed::Closed => {}
            }
        }
        self.metrics.frames_out_total.add(reached as u64);
        reached
    }

    fn gauge(&self, state: &State) {
        self.metrics.connections.set(state.hub.connection_count());
        self.metrics.groups.set(state.hub.group_count());
    }
}
