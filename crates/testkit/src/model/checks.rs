//! The rules, as they can be seen from outside.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use skapi_rtc_protocol::CallKey;
use skapi_rtc_signaling::{CallEvent, CallId, CallPhase, ChangeError, Config, Event, Usage};

use super::{
    Deed,
    history::Did,
    run::{Checked, Run},
};
use crate::sim::{Node, NodeId};

/// How long it takes until a change in a running call is in place, on good links.
const CHANGING: Duration = Duration::from_secs(4);

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
    pub(super) fn check_both_ends_stand_alike(&mut self) -> Checked {
        for (key, ends) in self.by_key() {
            // A machine may have had it twice: over for want of a link, and rung again when that was back.
            let mut standing: BTreeMap<NodeId, Option<CallPhase>> = BTreeMap::new();
            for (node, call) in &ends {
                let it = self.world.node(*node);
                let phase =
                    it.session.call(*call).filter(|_| it.died.is_none()).map(|call| call.phase);
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
            || (self.page.is_some() && self.script.setting.contents_get_lost)
            || self.does(|deed| !matches!(deed, Deed::Change(_)) && is_fault(deed));
        if !faults && !self.world.fabric.all_agree() {
            return Err("two engines hold different descriptions".to_owned());
        }
        self.check_changes()
    }

    /// What was added to a call has been offered and answered, in the time that two offers take that meet; or the
    /// application was told that this peer, a page, takes no changes.
    fn check_changes(&mut self) -> Checked {
        if self.script.setting.engines_fail
            || self.script.setting.contents_get_lost
            || self.does(is_fault)
        {
            return Ok(());
        }
        if self.world.slowest_change > CHANGING {
            return Err(format!("a change has taken {:?}", self.world.slowest_change));
        }
        for node in self.nodes.clone() {
            let calls: Vec<_> = self.world.node(node).session.calls().collect();
            for call in calls {
                let refused = CallEvent::ChangeFailed(ChangeError::Unsupported);
                let refused =
                    self.world.node(node).of_call(call.call).any(|(_, event)| *event == refused);
                let page = self.page.and_then(|page| self.world.page(page).cid.clone());
                if refused && page != Some(call.peer) {
                    return Err(format!("{node}, {}: only pages take no changes", call.call));
                }
                if !refused && self.world.has_changes(node, call.call) {
                    return Err(format!("{node}, {}: a change was not carried over", call.call));
                }
            }
        }
        Ok(())
    }

    /// Every call that was placed or rang has ended once.
    pub(super) fn check_ends(&mut self) -> Checked {
        for node in self.nodes.clone() {
            let it = self.world.node(node);
            let rung = it.events.iter().filter_map(|(_, event)| match event {
                Event::Incoming { call, .. } => Some(*call),
                _ => None,
            });
            let placed = self.acts.iter().filter(|act| act.node == node);
            let placed =
                placed.filter(|act| matches!(act.did, Did::Placed(..))).map(|act| act.call);
            for call in placed.chain(rung) {
                self.seen.calls += 1;
                self.seen.up += usize::from(it.was_up(call));
                let ends = it.ends(call).len();
                if ends != 1 {
                    return Err(format!("{node}, {call}: ended {ends} times"));
                }
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
        let page = self.page.filter(|page| self.world.page(*page).cid.is_some());
        let expected = self.nodes.len() + usize::from(page.is_some());
        let connections = self.world.connections();
        if connections != expected {
            return Err(format!("{connections} connections, and {expected} who have one"));
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
    matches!(deed, Deed::Cut | Deed::CutBehind(_) | Deed::Kill | Deed::Restart)
        || matches!(deed, Deed::CutPath(_) | Deed::Deafen(_))
}
