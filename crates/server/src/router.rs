//! The router: the hub, and the outboxes of the connections it routes between.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use skapi_rtc_protocol::{
    ClientFrame, ConnectionId, ErrorCode, GoingAway, RequestRef, Resumed, ServerFrame, UserId,
    encode_server,
    http::{GroupEntry, GroupsQuery, Page, UserEntry, UsersQuery},
};
use tokio::sync::Notify;

use crate::{
    bus::Bus,
    hub::{Address, ConnectError, Delivery, Hub, HubLimits, QueryError, Resumption},
    metrics::Metrics,
    random,
    shared::lock,
    socket::{CloseReason, Outbox, Pushed},
};

/// One lock over the hub and the outboxes, so that every connection sees what happens in one order.
/// Under it frames are only queued, never sent.
pub(crate) struct Router {
    state: Mutex<State>,
    bus: Box<dyn Bus>,
    metrics: Arc<Metrics>,
    windows: Notify,
}

struct State {
    hub: Hub,
    /// The socket of each connection that has one.
    outboxes: HashMap<ConnectionId, Arc<Outbox>>,
    stopped: bool,
    /// When the windows will be looked at.
    wakes_at: Option<Instant>,
}

impl State {
    /// Whether this socket is the one that its connection has now.
    fn is_current(&self, seat: SeatRef<'_>) -> bool {
        self.outboxes.get(seat.cid).is_some_and(|outbox| Arc::ptr_eq(outbox, seat.outbox))
    }
}

/// How a client comes in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Entry {
    /// As a new connection that ends with its socket.
    New,
    /// As a new connection that may outlive its socket.
    Resumable,
    /// As one that is known to be its own, having received so many frames in this life of it.
    Resume { life: u64, received: u64 },
}

/// A socket's place: the connection, and which of its sockets.
#[derive(Clone, Copy)]
pub(crate) struct SeatRef<'a> {
    pub(crate) cid: &'a ConnectionId,
    pub(crate) outbox: &'a Arc<Outbox>,
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
                hub: Hub::new(limits).lives_from(u64::from_le_bytes(random::bytes())),
                outboxes: HashMap::new(),
                stopped: false,
                wakes_at: None,
            }),
            bus: Box::new(bus),
            metrics,
            windows: Notify::new(),
        }
    }

    /// Takes a connection in, or up again; `greeting` is the first thing it hears, and is told where the two
    /// sides stand and which life of a connection that can be resumed has begun.
    pub(crate) fn connect(
        &self,
        cid: &ConnectionId,
        user: &UserId,
        entry: Entry,
        outbox: &Arc<Outbox>,
        greeting: impl FnOnce(Option<Resumed>, Option<u64>) -> ServerFrame,
    ) -> Result<(), Refused> {
        let mut state = lock(&self.state);
        if state.stopped {
            return Err(Refused::Stopping);
        }
        let hub = &mut state.hub;
        let resumption = match entry {
            Entry::New => hub.connect(cid.clone(), user.clone()).map(|()| None),
            Entry::Resumable => hub.connect_resumable(cid.clone(), user.clone()).map(|()| None),
            Entry::Resume { life, received } => hub.resume(cid, user, life, received).map(Some),
        };
        let resumption = resumption.map_err(Refused::Limit)?;
        let resumed = resumption.as_ref().map(|resumption| resumption.resumed);
        outbox.push(encode_server(&greeting(resumed, hub.life(cid))).into());
        if let Some(before) = state.outboxes.insert(cid.clone(), outbox.clone()) {
            before.close(CloseReason::TakenOver);
        }
        if let Some(Resumption { resumed, missed, deliveries, .. }) = resumption {
            self.metrics.resumed_total.add(u64::from(resumed.complete));
            for frame in missed {
                outbox.push(frame);
            }
            self.deliver(&mut state, deliveries);
        }
        self.settle(&state);
        Ok(())
    }

    /// A socket has gone. If its client has not said goodbye, the connection may stay for a while.
    pub(crate) fn leave(&self, seat: SeatRef<'_>, goodbye: bool) {
        let mut state = lock(&self.state);
        if !state.is_current(seat) {
            return;
        }
        state.outboxes.remove(seat.cid);
        let deliveries = if goodbye {
            state.hub.disconnect(seat.cid)
        } else {
            state.hub.lose(Instant::now(), seat.cid)
        };
        self.deliver(&mut state, deliveries);
        self.settle(&state);
    }

    /// Ends the windows of clients that did not come back in time; returns when to look again.
    pub(crate) fn end_windows(&self, now: Instant) -> Option<Instant> {
        let mut state = lock(&self.state);
        let deliveries = state.hub.handle_timeout(now);
        self.deliver(&mut state, deliveries);
        state.wakes_at = state.hub.next_deadline();
        self.settle(&state);
        state.wakes_at
    }

    /// Waits until the windows have to be looked at sooner than was said.
    pub(crate) async fn windows_changed(&self) {
        self.windows.notified().await;
    }

    pub(crate) fn handle_frame(&self, from: SeatRef<'_>, frame: ClientFrame) {
        // The most frequent frame of all has nothing to route.
        if matches!(frame, ClientFrame::KeepAlive { received: None }) {
            return;
        }
        let mut state = lock(&self.state);
        if !state.is_current(from) {
            return;
        }
        let deliveries = state.hub.handle_frame(from.cid, frame);
        self.deliver(&mut state, deliveries);
        self.settle(&state);
    }

    /// A frame of a client was refused; tells the client why, if there is something to tell.
    pub(crate) fn refuse(
        &self,
        from: SeatRef<'_>,
        told: Option<(ErrorCode, String)>,
        reference: Option<RequestRef>,
    ) {
        let mut state = lock(&self.state);
        if !state.is_current(from) {
            return;
        }
        let told = state.hub.refuse_frame(from.cid, told, reference);
        self.deliver(&mut state, told.into_iter().collect());
    }

    /// Tells a client that a message was dropped which neither side counts.
    pub(crate) fn tell(&self, to: SeatRef<'_>, code: ErrorCode, text: String) {
        let mut state = lock(&self.state);
        if state.is_current(to) {
            let told = Delivery::error(to.cid.clone(), code, text, None);
            self.deliver(&mut state, vec![told]);
        }
    }

    pub(crate) fn users(&self, query: &UsersQuery) -> Result<Page<UserEntry>, QueryError> {
        lock(&self.state).hub.users(query)
    }

    pub(crate) fn groups(&self, query: &GroupsQuery) -> Result<Page<GroupEntry>, QueryError> {
        lock(&self.state).hub.groups(query)
    }

    /// Takes no more connections in, and closes those there are, telling each when to come back: the first
    /// after a moment, the others one after the other.
    pub(crate) fn stop(&self, spacing: Duration) {
        /// What a restart takes at least.
        const RESTART: Duration = Duration::from_millis(500);
        let mut state = lock(&self.state);
        state.stopped = true;
        let cids: Vec<_> = state.outboxes.keys().cloned().collect();
        let mut retry_after = RESTART;
        for cid in cids {
            let retry_after_ms = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
            let going_away = ServerFrame::GoingAway(GoingAway { retry_after_ms });
            let delivery = Delivery::new(Address::Connection(cid), &going_away);
            self.deliver(&mut state, vec![delivery]);
            retry_after = retry_after.saturating_add(spacing);
        }
        for outbox in state.outboxes.values() {
            outbox.close(CloseReason::GoingAway);
        }
    }

    fn deliver(&self, state: &mut State, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            let reached = self.deliver_one(state, &delivery);
            if let Some(receipt) = delivery.receipt {
                self.deliver_one(state, &receipt.answer(reached));
            }
        }
    }

    /// Queues a delivery; returns how many connections took it.
    fn deliver_one(&self, state: &mut State, delivery: &Delivery) -> usize {
        if !matches!(delivery.to, Address::Connection(_)) {
            self.bus.publish(delivery);
        }
        let State { hub, outboxes, .. } = state;
        let mut queued = 0;
        let reached = hub.deliver(delivery, |cid, frame| {
            let pushed = outboxes.get(cid).map_or(Pushed::Closed, |o| o.push(frame.clone()));
            match pushed {
                Pushed::Queued => queued += 1,
                // Its task sees that its outbox is closed, and leaves.
                Pushed::Overflow => self.metrics.slow_consumers_total.add(1),
                Pushed::Closed => {}
            }
            pushed == Pushed::Queued
        });
        self.metrics.frames_out_total.add(queued);
        reached
    }

    /// After every change: the counters, and whether a window ends sooner than was thought.
    fn settle(&self, state: &State) {
        self.metrics.connections.set(state.hub.connection_count());
        self.metrics.parked.set(state.hub.parked_count());
        self.metrics.groups.set(state.hub.group_count());
        let sooner = |next| state.wakes_at.is_none_or(|at| next < at);
        if state.hub.next_deadline().is_some_and(sooner) {
            self.windows.notify_one();
        }
    }
}
