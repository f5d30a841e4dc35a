//! What users did in a run, what each side of each call was told, and which faults there were: all that
//! the reference goes by.

use std::{collections::BTreeMap, time::Duration};

use skapi_rtc_protocol::{CallKey, ConnectionId};
use skapi_rtc_signaling::{CallEnd, CallEvent, CallId, Event, Instant, Side};

use crate::sim::{Node, NodeId, Outage, PathFault, World};

/// What a user did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Did {
    /// Called this machine.
    Placed(NodeId, Option<CallKey>),
    Accepted,
    /// Cancelled, declined or hung up, as the call stood.
    Ended,
}

/// Somebody did something about a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Act {
    pub(super) at: Instant,
    pub(super) node: NodeId,
    pub(super) call: CallId,
    pub(super) did: Did,
}

/// One side of a call: what its user did and was told.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub(super) node: NodeId,
    pub(super) call: CallId,
    /// When its user called, or it began to ring.
    pub(super) began: Instant,
    /// The other side's machine.
    pub(super) peer: NodeId,
    /// Its user called; otherwise it rang.
    pub(super) placed: bool,
    /// It was placed, and gave way to the call of the other side.
    pub(super) gave_way: bool,
    pub(super) accepted: Option<Instant>,
    pub(super) ended_by_user: Option<Instant>,
    /// When it was told that it rings there, that the other side has accepted, and that it is up.
    pub(super) told_ringing: Option<Instant>,
    pub(super) told_accepted: Option<Instant>,
    pub(super) told_up: Option<Instant>,
    pub(super) end: Option<(Instant, CallEnd)>,
    /// When its machine died.
    pub(super) died: Option<Instant>,
}

impl End {
    /// When it knew that both sides want the call.
    pub(super) fn agreed(&self) -> Option<Instant> {
        self.accepted.or(self.told_accepted)
    }

    /// When it ended the call itself, if it was not told to by the other side.
    pub(super) fn ended_itself(&self) -> Option<(Instant, &CallEnd)> {
        self.end.as_ref().filter(|(_, end)| end.by == Side::Local).map(|(at, end)| (*at, end))
    }

    /// When it was over; never, as long as it goes on.
    pub(super) fn end_at(&self) -> Instant {
        let ended = self.end.as_ref().map(|(at, _)| *at);
        ended.or(self.died).unwrap_or(Instant::ZERO + NEVER)
    }

    pub(super) fn is_live_at(&self, at: Instant) -> bool {
        self.began <= at && at < self.end_at()
    }
}

/// A whole run.
#[derive(Debug)]
pub(super) struct History {
    /// The calls between machines of ours, by their names on the wire.
    pub(super) ends: BTreeMap<CallKey, Vec<End>>,
    /// All of a machine's, those with pages too.
    pub(super) all: Vec<End>,
    pub(super) outages: BTreeMap<NodeId, Vec<Outage>>,
    pub(super) lost: Vec<(Instant, NodeId)>,
    pub(super) path_faults: Vec<PathFault>,
    pub(super) engines_fail: bool,
    pub(super) rejects_when_busy: bool,
}

/// Whoever calls and is no machine of ours.
const A_PAGE: NodeId = NodeId(usize::MAX);

/// Later than any run.
const NEVER: Duration = Duration::from_secs(1_000_000);

impl History {
    pub(super) fn new(
        world: &World,
        acts: &[Act],
        engines_fail: bool,
        rejects_when_busy: bool,
    ) -> Self {
        let mut history = Self {
            ends: BTreeMap::new(),
            all: Vec::new(),
            outages: BTreeMap::new(),
            lost: world.lost.clone(),
            path_faults: world.path_faults.clone(),
            engines_fail,
            rejects_when_busy,
        };
        for (number, node) in world.nodes.iter().enumerate() {
            let id = NodeId(number);
            history.outages.insert(id, node.outages());
            let mut ends = ends(id, world, acts);
            history.all.extend(ends.values().cloned());
            for (call, key) in node.keys() {
                let end = ends.remove(&call).filter(|end| !end.peer.is_page());
                let Some(mut end) = end else { continue };
                end.gave_way &= acts.iter().any(|act| {
                    (act.node, act.call) == (id, call)
                        && matches!(act.did, Did::Placed(_, placed) if placed != Some(key))
                });
                history.ends.entry(key).or_default().push(end);
            }
        }
        history
    }

    /// The calls that both sides ended before they heard of it.
    pub(super) fn crossed(&self) -> usize {
        let both =
            |ends: &&Vec<End>| ends.iter().filter(|end| end.ended_itself().is_some()).count() > 1;
        self.ends.values().filter(both).count()
    }

    /// The calls that a machine had at a moment, but for this one and what began after it.
    pub(super) fn others_at(&self, node: NodeId, at: Instant, not: CallId) -> usize {
        let all = self.all.iter();
        all.filter(|end| end.node == node && end.is_live_at(at))
            .filter(|end| end.call < not || end.call > not && end.began < at)
            .count()
    }
}

/// The ends that a machine had, from what its user did and was told.
fn ends(node: NodeId, world: &World, acts: &[Act]) -> BTreeMap<CallId, End> {
    let mut ends = BTreeMap::new();
    let begin = |call, began, peer, placed| End {
        node,
        call,
        began,
        peer,
        gave_way: placed,
        placed,
        accepted: None,
        ended_by_user: None,
        told_ringing: None,
        told_accepted: None,
        told_up: None,
        end: None,
        died: world.node(node).died,
    };
    for act in acts.iter().filter(|act| act.node == node) {
        if let Did::Placed(to, _) = act.did {
            ends.insert(act.call, begin(act.call, act.at, to, true));
        }
    }
    for (at, event) in &world.node(node).events {
        match event {
            Event::Incoming { call, from, .. } => {
                let caller = world.nodes.iter().position(|node| has_been(node, from));
                let peer = caller.map_or(A_PAGE, NodeId);
                ends.insert(*call, begin(*call, *at, peer, false));
            }
            Event::Call { call, event } => {
                let Some(end) = ends.get_mut(call) else { continue };
                match event {
                    CallEvent::Ringing => end.told_ringing = Some(*at),
                    CallEvent::Accepted => end.told_accepted = Some(*at),
                    CallEvent::Connected => end.told_up = Some(*at),
                    CallEvent::Ended(how) => end.end = Some((*at, how.clone())),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    for act in acts.iter().filter(|act| act.node == node) {
        let Some(end) = ends.get_mut(&act.call) else { continue };
        match act.did {
            Did::Placed(..) => {}
            Did::Accepted => end.accepted = end.accepted.or(Some(act.at)),
            Did::Ended => end.ended_by_user = end.ended_by_user.or(Some(act.at)),
        }
    }
    ends
}

fn has_been(node: &Node, cid: &ConnectionId) -> bool {
    node.events.iter().any(|(_, event)| {
        matches!(event, Event::Connected { ready: Some(ready), .. } if ready.cid == *cid)
    })
}
