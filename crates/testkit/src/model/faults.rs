//! What faults allow: when a word has arrived at the latest, and what may have been lost with a link or a path.

use std::time::Duration;

use skapi_rtc_signaling::Instant;

use super::{history::End, reference::Reference};
use crate::sim::NodeId;

/// From a machine to the service, or from there to a machine, at most.
const LEG: Duration = Duration::from_millis(200);
/// How long a path may be gone, and a call that is up still be found again.
const SEARCH: Duration = Duration::from_secs(35);
/// How long after a content was lost others may be late.
pub(super) const LATE: Duration = Duration::from_secs(60);

impl Reference<'_> {
    /// When something that is said at a moment has arrived at the latest; `None` if it may be late, or lost.
    pub(super) fn arrives(&self, from: &End, at: Instant) -> Option<Instant> {
        self.way(from.node, from.peer, from.began, at)
    }

    pub(super) fn way(
        &self,
        ours: NodeId,
        theirs: NodeId,
        began: Instant,
        at: Instant,
    ) -> Option<Instant> {
        let lost = |(when, whose): &(Instant, NodeId)| {
            [ours, theirs].contains(whose) && at < *when + LATE && *when < at + LATE
        };
        // Two who both have other names than when the call began cannot find each other.
        let renamed = |node| {
            let mut outages = self.0.outages[&node].iter().filter(|outage| outage.renamed);
            outages.any(|outage| outage.until + LATE > began && outage.from < at + LATE)
        };
        // Who has another name says so once.
        let unheard = |node: NodeId| {
            let mut outages = self.0.outages[&node].iter().filter(|outage| outage.renamed);
            outages.any(|outage| {
                let after = outage.until..outage.until + LATE;
                outage.from < at
                    && self.0.lost.iter().any(|(when, of)| *of == node && after.contains(when))
            })
        };
        if self.0.lost.iter().any(lost)
            || renamed(ours) && renamed(theirs)
            || unheard(ours)
            || unheard(theirs)
        {
            return None;
        }
        self.passes(theirs, at, self.passes(ours, at, at)?)
    }

    /// An outage delays what is on its way to the moment when the link is back. A new connection may have
    /// lost it, and then it is said again.
    pub(super) fn passes(&self, node: NodeId, said: Instant, at: Instant) -> Option<Instant> {
        let mut by = at + LEG;
        for outage in &self.0.outages[&node] {
            let again = if outage.broken { LATE } else { LEG };
            if outage.from <= by && said <= outage.until + again {
                if outage.broken {
                    return None;
                }
                by = by.max(outage.until + LEG);
            }
        }
        Some(by)
    }

    pub(super) fn link_is_down(&self, node: NodeId, at: Instant) -> bool {
        self.0.outages[&node].iter().any(|outage| outage.from <= at && at <= outage.until)
    }

    pub(super) fn link_is_lost(&self, node: NodeId, at: Instant) -> bool {
        let mut outages = self.0.outages[&node].iter();
        outages.any(|outage| outage.broken && outage.from <= at && at <= outage.until)
    }

    /// Whether the engines had no path for longer than they can search, or while there was no call yet. An
    /// engine that fails may spoil the search.
    pub(super) fn path_is_gone(&self, end: &End, at: Instant) -> bool {
        let faults = self.0.path_faults.iter().filter(|fault| {
            fault.ends.contains(&end.node) && fault.ends.contains(&end.peer) && fault.from < at
        });
        let gone: Duration = faults.clone().map(|fault| fault.time).sum();
        let searches = end.told_up.is_some() && !self.0.engines_fail;
        if searches { gone >= SEARCH } else { !gone.is_zero() }
    }

    /// Whether nothing went wrong between two machines in this time but links that were taken up again.
    pub(super) fn is_calm(&self, a: NodeId, b: NodeId, from: Instant, until: Instant) -> bool {
        let ours = |node: &NodeId| *node == a || *node == b;
        let meets = |start: Instant, end: Instant| start <= until && from <= end;
        let broken = [a, b].into_iter().flat_map(|node| &self.0.outages[&node]);
        !(self.0.engines_fail
            || broken.filter(|outage| outage.broken).any(|o| meets(o.from, o.until + LATE))
            || self.0.lost.iter().any(|(at, whose)| ours(whose) && meets(*at, *at + LATE))
            || self.0.path_faults.iter().any(|fault| {
                fault.ends.iter().all(ours) && meets(fault.from, fault.from + fault.time + LATE)
            }))
    }
}
