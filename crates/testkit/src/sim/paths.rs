//! Paths between engines that are cut for a while, and what the engines make of it.

use std::time::Duration;

use skapi_rtc_signaling::{CallId, Instant, RtcEvent};

use super::{
    NodeId, World,
    engine::FakeEngine,
    fabric::{Pc, PcId},
    world::Due,
};

/// How long after the last sign of life engines speak of an interruption.
const DISCONNECTED_AFTER: Duration = Duration::from_secs(4);
/// How long after the last sign of life, or a start of ICE, they give up.
const FAILED_AFTER: Duration = Duration::from_secs(19);

/// A path between the engines of two nodes that was gone, at least in one direction.
#[derive(Debug, Clone, Copy)]
pub struct PathFault {
    /// Between whom.
    pub ends: [NodeId; 2],
    /// Since when.
    pub from: Instant,
    /// For how long.
    pub time: Duration,
}

/// Something about a path that is due.
#[derive(Debug, Clone, Copy)]
pub(super) enum PathDue {
    Back {
        a: NodeId,
        b: NodeId,
    },
    /// The path has been silent for a while, if it was not back meanwhile.
    Silent {
        pc: PcId,
        ice: u64,
    },
    /// What could not be heard can be again.
    Hears {
        pc: PcId,
        ice: u64,
    },
    /// No path was found in all the time since ICE was started.
    GivenUp {
        pc: PcId,
        ice: u64,
    },
}

impl World {
    /// Cuts the path between two nodes' engines for a while. The way to the service is another.
    pub fn cut_path(&mut self, a: NodeId, b: NodeId, time: Duration) {
        self.note(|| format!("the path between {a} and {b} is cut for {time:?}"));
        self.path_faults.push(PathFault { ends: [a, b], from: self.now(), time });
        self.fabric.cut(a, b, self.now() + time);
        self.plan(time, PathDue::Back { a, b });
        for pc in self.fabric.between(a, b) {
            if self.fabric.is_linked(pc) {
                let ice = self.fabric.get(pc).map_or(0, |pc| pc.ice);
                self.plan(DISCONNECTED_AFTER, PathDue::Silent { pc, ice });
                self.plan(FAILED_AFTER, PathDue::GivenUp { pc, ice });
            }
        }
    }

    /// One node's engines do not hear another's for a while, which itself notices nothing.
    pub fn deafen(&mut self, node: NodeId, peer: NodeId, time: Duration) {
        self.note(|| format!("{node} does not hear {peer} for {time:?}"));
        self.path_faults.push(PathFault { ends: [node, peer], from: self.now(), time });
        for pc in self.fabric.between(node, peer) {
            let linked = self.fabric.is_linked(pc);
            let state = self.fabric.get(pc).filter(|pc| pc.owner.node == node && linked);
            if let Some(state) = state {
                state.deaf = true;
                state.interrupted = true;
                let (owner, ice) = (state.owner, state.ice);
                self.report(owner, RtcEvent::Disconnected);
                self.plan(time, PathDue::Hears { pc, ice });
                self.plan(FAILED_AFTER - DISCONNECTED_AFTER, PathDue::GivenUp { pc, ice });
            }
        }
    }

    /// Whether a call's engine has a path to its peer.
    pub fn has_path(&self, node: NodeId, call: CallId) -> bool {
        let pc = self.node(node).engines.get(&call).and_then(FakeEngine::pc);
        pc.is_some_and(|pc| self.fabric.is_linked(pc) && !self.fabric.is_cut(pc))
    }

    pub(super) fn on_path(&mut self, due: PathDue) {
        match due {
            PathDue::Back { a, b } => {
                if !self.fabric.mend(a, b, self.now()) {
                    return;
                }
                for pc in self.fabric.between(a, b) {
                    self.link(pc);
                    let linked = self.fabric.is_linked(pc);
                    let state =
                        self.fabric.get(pc).filter(|pc| pc.interrupted && !pc.deaf && linked);
                    if let Some(state) = state {
                        state.interrupted = false;
                        let owner = state.owner;
                        self.report(owner, RtcEvent::Connected);
                    }
                }
            }
            PathDue::Silent { pc, ice } => {
                let silent = self.fabric.is_linked(pc) && self.fabric.is_cut(pc);
                if let Some(state) = self.fabric.get(pc).filter(|pc| silent && pc.ice == ice) {
                    state.interrupted = true;
                    let owner = state.owner;
                    self.report(owner, RtcEvent::Disconnected);
                }
            }
            PathDue::Hears { pc, ice } => {
                let works = self.fabric.is_linked(pc) && !self.fabric.is_cut(pc);
                if let Some(state) = self.fabric.get(pc).filter(|pc| pc.deaf && pc.ice == ice) {
                    state.deaf = false;
                    if works && std::mem::take(&mut state.interrupted) {
                        let owner = state.owner;
                        self.report(owner, RtcEvent::Connected);
                    }
                }
            }
            PathDue::GivenUp { pc, ice } => {
                let works = self.fabric.is_linked(pc) && !self.fabric.is_cut(pc);
                let gives_up = |pc: &&mut Pc| (pc.deaf || !works) && !pc.failed && pc.ice == ice;
                let state = self.fabric.get(pc).filter(gives_up);
                if let Some(state) = state {
                    state.failed = true;
                    state.interrupted = false;
                    let owner = state.owner;
                    self.fabric.unlink(pc);
                    self.report(owner, RtcEvent::Failed);
                }
            }
        }
    }

    /// Links a connection with its peer if nothing is missing, and says so to both.
    pub(super) fn link(&mut self, pc: PcId) {
        for owner in self.fabric.try_link(pc).into_iter().flatten() {
            self.report(owner, RtcEvent::Connected);
        }
    }

    /// An engine has started ICE anew, and gives up when that leads nowhere.
    pub(super) fn ice_restarted(&mut self, pc: PcId, ice: u64) {
        self.ice_restarts += 1;
        self.plan(FAILED_AFTER, PathDue::GivenUp { pc, ice });
    }

    fn plan(&mut self, after: Duration, due: PathDue) {
        self.schedule.after(after, Due::Path(due));
    }
}
