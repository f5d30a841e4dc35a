//! The driver's side of every call: its engine task and what it shares with the handles.

use std::{collections::HashMap, sync::Arc};

use skapi_rtc_protocol::UserId;
use skapi_rtc_signaling::{CallEnd, CallId, EndReason, OpId, RtcAction, Side};
use tokio::sync::mpsc;

use super::engine::{Engines, run_engine};
use crate::{CallEvent, call::CallShared, runtime};

/// Operations that wait for one call's engine. Only candidates can grow it, and those may be dropped.
const MAX_OPERATIONS: usize = 512;

/// An operation for a call's engine. In a box, since a channel sets aside room for 32 at once.
pub(super) type Operation = Box<(OpId, RtcAction)>;

pub(super) struct CallSlots {
    engines: Option<Engines>,
    slots: HashMap<CallId, Slot>,
}

struct Slot {
    shared: Arc<CallShared>,
    operations: mpsc::Sender<Operation>,
}

impl CallSlots {
    pub(super) fn new(engines: Engines) -> Self {
        Self { engines: Some(engines), slots: HashMap::new() }
    }

    pub(super) fn insert(&mut self, shared: Arc<CallShared>) {
        let Some(engines) = &self.engines else { return };
        let (operations, receiver) = mpsc::channel(MAX_OPERATIONS);
        runtime::spawn(run_engine(engines.clone(), shared.clone(), receiver));
        self.slots.insert(shared.id, Slot { shared, operations });
    }

    /// What a call shares with its handles.
    pub(super) fn shared(&self, call: CallId) -> Option<Arc<CallShared>> {
        self.slots.get(&call).map(|slot| slot.shared.clone())
    }

    /// Hands an operation to a call's engine. False if the engine cannot follow and the call must end.
    pub(super) fn ask(&mut self, call: CallId, op: OpId, action: RtcAction) -> bool {
        let Some(slot) = self.slots.get(&call) else {
            return true;
        };
        let droppable = matches!(action, RtcAction::AddCandidate(_) | RtcAction::Close);
        slot.operations.try_send(Box::new((op, action))).is_ok() || droppable
    }

    /// Tells what happened to a call; the last event lets its engine go once it has closed its connection.
    pub(super) fn tell(&mut self, call: CallId, event: CallEvent, user: Option<UserId>) {
        let Some(slot) = self.slots.get(&call) else {
            return;
        };
        slot.shared.set_user(user);
        let ended = matches!(event, CallEvent::Ended(_));
        slot.shared.tell(event);
        if ended {
            self.slots.remove(&call);
        }
    }

    /// Lets every engine go, and starts no further one.
    pub(super) fn release(&mut self) {
        self.slots.clear();
        self.engines = None;
    }
}

impl Drop for CallSlots {
    /// A session that closes has ended its calls before. One whose runtime was shut down has not, and
    /// whoever waits for the end of a call would wait for ever.
    fn drop(&mut self) {
        for slot in self.slots.values() {
            slot.shared.tell(CallEvent::Ended(CallEnd {
                reason: EndReason::TransportFailed,
                by: Side::Local,
            }));
        }
    }
}
