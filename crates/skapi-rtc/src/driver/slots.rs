//! The driver's side of every call: its engine task and what it shares with the handles.

use std::{collections::HashMap, sync::Arc};

use skapi_rtc_protocol::UserId;
use skapi_rtc_signaling::{CallEnd, CallId, EndReason, OpId, RtcAction, Side};
use tokio::sync::mpsc;

use super::engine::{Engines, run_engine};
use crate::{
    call::{CallShared, Stage},
    runtime,
};

/// Operations that wait for one call's engine. Only candidates can grow it, and those may be dropped.
const MAX_OPERATIONS: usize = 512;

pub(super) struct CallSlots {
    engines: Option<Engines>,
    slots: HashMap<CallId, Slot>,
}

struct Slot {
    shared: Arc<CallShared>,
    operations: mpsc::Sender<(OpId, RtcAction)>,
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

    /// Hands an operation to a call's engine. False if the engine cannot follow and the call must end.
    pub(super) fn ask(&mut self, call: CallId, op: OpId, action: RtcAction) -> bool {
        let Some(slot) = self.slots.get(&call) else {
            return true;
        };
        let droppable = matches!(action, RtcAction::AddCandidate(_) | RtcAction::Close);
        slot.operations.try_send((op, action)).is_ok() || droppable
    }

    /// Moves a call to a stage; the last one lets its engine go once it has closed its connection.
    pub(super) fn set_stage(&mut self, call: CallId, stage: Stage, user: Option<UserId>) {
        let Some(slot) = self.slots.get(&call) else {
            return;
        };
        slot.shared.set_user(user);
        let ended = matches!(stage, Stage::Ended(_));
        slot.shared.set_stage(stage);
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
            slot.shared.stage.send_replace(Stage::Ended(CallEnd {
                reason: EndReason::TransportFailed,
                by: Side::Local,
            }));
        }
    }
}
