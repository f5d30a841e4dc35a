//! The rules, as they can be seen from outside.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use skapi_rtc_protocol::CallKey;
use skapi_rtc_signaling::{
    CallEnd, CallEvent, CallId, CallPhase, Config, EndReason, Event, Instant, Side, Usage,
};

use super::{
    Deed,
    run::{Checked, Run},
};
use crate::sim::{Node, NodeId};

/// A hang-up that crosses another, on good links.
const CROSSING: Duration = Duration::from_millis(400);
/// The same when it has to be sent again, or the link has to come back.
const CROSSING_LATE: Duration = Duration::from_secs(60);

impl Run {
    /// What holds at every moment.
    pub(super) fn check_each_step(&self) -> Checked {
        if let Some(what) = self.world.violations.first() {
            return Err(what.clone());
        }
        for node in &self.nodes {
            let it = self.world.node(*node);
            let peers: Vec<_> = it.session.calls().map(|call| call.peer).collect();
            let distinct: BTreeSet<_> = peers.iter().collect();
            if distinct.len() < peers.len() {
                return Err(format!("{node}: two calls with the same connection: {peers:?}"));
            }
            check_events(*node, it)?;
        }
        Ok(())
    }

    /// With nobody doing anything any more, a call is up on both sides or over on both.
    pub(super) fn check_both_ends_stand_alike(&self) -> Checked {
        for (key, ends) in self.by_key() {
            // A machine may have had it twice: over for want of a link, and rung again when that was back.
            let mut standing: BTreeMap<NodeId, Option<CallPhase>> = BTreeMap::new();
            for (node, call) in &ends {
                let it = self.world.node(*node);
                let phase = it.session.call(*call).filter(|_| !it.dead).map(|call| call.phase);
                let known = standing.entry(*node).or_default();
                *known = known.or(phase);
            }
            let phases: Vec<_> = standing.into_values().collect();
            let settled =
                |phase: &Option<CallPhase>| matches!(phase, None | Some(CallPhase::Established));
            if !phases.iter().all(settled) || phases.iter().any(|phase| *phase != phases[0]) {
                return Err(format!("{key}, {ends:?}: they stand at {phases:?}"));
            }
        }
        let faults = self.script.setting.engines_fail
            || self.does(|deed| !matches!(deed, Deed::Change(_)) && is_fault(deed));
        if !faults && !self.world.fabric.all_agree() {
            return Err("two engines hold different descriptions".to_owned());
        }
        Ok(())
    }

    /// Every call that was placed or rang has ended once, and both sides say the same of it.
    pub(super) fn check_ends(&mut self) -> Checked {
        for node in self.nodes.clone() {
            let it = self.world.node(node);
            let rung = it.events.iter().filter_map(|(_, event)| match event {
                Event::Incoming { call, .. } => Some(*call),
                _ => None,
            });
            let placed = self.placed.iter().filter(|(at, _)| *at == node).map(|(_, call)| *call);
            for call in placed.chain(rung) {
                self.seen.calls += 1;
                self.seen.up += usize::from(it.was_up(call));
                let ends = it.ends(call).len();
                if ends != 1 {
                    return Err(format!("{node}, {call}: ended {ends} times"));
                }
            }
        }
        self.check_reasons()
    }

    fn check_reasons(&mut self) -> Checked {
        let cut = self.does(|deed| matches!(deed, Deed::Cut | Deed::CutBehind(_)));
        let untold =
            self.does(|deed| matches!(deed, Deed::Kill | Deed::Restart | Deed::CutPath(_)));
        if (cut && !self.script.setting.resumes) || untold {
            return Ok(()); // a side that cannot be told has its own reason
        }
        let late = cut || self.script.setting.contents_get_lost;
        let window = if late { CROSSING_LATE } else { CROSSING };
        for (key, ends) in self.by_key() {
            let told: Vec<(Instant, CallEnd)> =
                ends.iter().flat_map(|(node, call)| self.world.node(*node).ends(*call)).collect();
            let [(at, a), (other_at, b)] = &told[..] else {
                // One side never knew of it under this key, or has given way under glare: then nothing
                // may go on ringing.
                if told.iter().any(|(_, end)| is_silence(end)) {
                    return Err(format!("{key}, {ends:?}: rang for nobody: {told:?}"));
                }
                continue;
            };
            // A new call that comes before the hang-up of the one before, which was lost, says that this
            // is over, but not why.
            let unsaid = self.script.setting.contents_get_lost;
            let agree = match (a.by, b.by) {
                (Side::Local, Side::Remote) => unsaid || as_told(&a.reason) == b.reason,
                (Side::Remote, Side::Local) => unsaid || as_told(&b.reason) == a.reason,
                (Side::Local, Side::Local) => {
                    self.seen.crossed += 1;
                    (*at - *other_at).max(*other_at - *at) <= window
                }
                (Side::Remote, Side::Remote) => false,
            };
            if !agree {
                return Err(format!("{key}, {ends:?}: ended as {told:?}"));
            }
        }
        Ok(())
    }

    /// Posts arrive once, in the order in which they were sent, and none is lost while connections are
    /// resumed.
    pub(super) fn check_posts(&mut self) -> Checked {
        let may_be_lost = self.script.setting.contents_get_lost
            || !self.script.setting.resumes && self.does(is_fault)
            || self.does(|deed| matches!(deed, Deed::Kill | Deed::Restart));
        let mut arrived: BTreeMap<u64, usize> = BTreeMap::new();
        for node in &self.nodes {
            let mut last: BTreeMap<&str, u64> = BTreeMap::new();
            for (_, event) in &self.world.node(*node).events {
                let Event::Private(post) = event else {
                    continue;
                };
                let number = post.content.as_str().trim_matches('"').parse().unwrap_or(u64::MAX);
                let before = last.insert(post.from.as_str(), number);
                if before.is_some_and(|before| before >= number) {
                    return Err(format!("{node}: post {number} after {before:?}"));
                }
                *arrived.entry(number).or_default() += 1;
            }
        }
        self.seen.posts += arrived.len();
        if let Some((number, times)) = arrived.iter().find(|(_, times)| **times > 1) {
            return Err(format!("post {number} arrived {times} times"));
        }
        match self.posts.keys().find(|number| !arrived.contains_key(number)) {
            Some(number) if !may_be_lost => Err(format!("post {number} was lost")),
            _ => Ok(()),
        }
    }

    /// No call, no engine, no timer.
    pub(super) fn check_nothing_is_left(&mut self) -> Checked {
        if self.world.fabric.open() > 0 {
            return Err("peer connections are left open".to_owned());
        }
        for node in self.nodes.clone() {
            let it = self.world.node(node);
            if it.session.usage() != Usage::default() || it.busy_engines() > 0 {
                return Err(format!("{node}: left behind: {:?}", it.session.usage()));
            }
            // Only the keep-alive is left: one wake-up every 15 seconds.
            let first = it.session.next_deadline();
            let wait = first.map_or(Duration::ZERO, |at| at - self.world.now());
            self.world.run_for(wait);
            let next = self.world.node(node).session.next_deadline();
            if first.is_none() || next != first.map(|at| at + Config::default().keep_alive) {
                return Err(format!("{node}: wakes at {first:?}, then at {next:?}"));
            }
        }
        let connections = self.world.connections();
        if connections != self.nodes.len() {
            return Err(format!("{connections} connections of {} machines", self.nodes.len()));
        }
        Ok(())
    }

    pub(super) fn check_service_is_empty(&self) -> Checked {
        match self.world.connections() {
            0 => Ok(()),
            left => Err(format!("{left} connections are left, all machines being closed")),
        }
    }

    /// The two ends of each call, as far as both have had it under this key to the last.
    fn by_key(&self) -> BTreeMap<CallKey, Vec<(NodeId, CallId)>> {
        let mut by_key: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (number, node) in self.world.nodes.iter().enumerate() {
            for (call, key) in node.keys() {
                by_key.entry(key).or_default().push((NodeId(number), call));
            }
        }
        by_key
    }
}

/// A call is accepted and connected at most once, and nothing follows its end.
fn check_events(node: NodeId, it: &Node) -> Checked {
    let mut connected = BTreeSet::new();
    let mut ended = BTreeSet::new();
    for (_, event) in &it.events {
        let Event::Call { call, event } = event else {
            continue;
        };
        let wrong = ended.contains(call)
            || match event {
                CallEvent::Connected => !connected.insert(*call),
                CallEvent::Reconnecting | CallEvent::Reconnected => !connected.contains(call),
                CallEvent::Ended(_) => !ended.insert(*call),
                _ => false,
            };
        if wrong {
            return Err(format!("{node}, {call}: {event:?} does not belong there"));
        }
    }
    Ok(())
}

fn is_fault(deed: Deed) -> bool {
    matches!(deed, Deed::Cut | Deed::CutBehind(_) | Deed::Kill | Deed::Restart | Deed::CutPath(_))
}

fn is_silence(end: &CallEnd) -> bool {
    matches!(end.reason, EndReason::NoAnswer | EndReason::ConnectTimeout)
}

/// What the other side gives as the reason for this one.
fn as_told(reason: &EndReason) -> EndReason {
    match reason {
        EndReason::HungUp
        | EndReason::Declined
        | EndReason::Busy
        | EndReason::Cancelled
        | EndReason::NoAnswer
        | EndReason::AnsweredElsewhere => reason.clone(),
        _ => EndReason::TransportFailed,
    }
}
