//! Calls between our machines and a page of Skapi's: what its user does, and the rules for such calls.
//!
//! They end in a call that works or in a clean failure, which a second try mends.

use std::time::Duration;

use skapi_rtc_protocol::ConnectionId;
use skapi_rtc_signaling::{CallId, CallPhase, Event, PlaceOptions};

use super::{
    Deed,
    run::{Checked, Run},
};
use crate::sim::NodeId;

/// How long a call between two that are well takes to come up, once it was picked up.
const COMES_UP: Duration = Duration::from_secs(5);

impl Run {
    /// The user of a page does something.
    pub(super) fn act_page(&mut self, page: NodeId, deed: Deed) {
        let slot = self.nodes.len();
        match deed {
            Deed::Place(peer) => self.page_calls(page, self.other(slot, peer)),
            Deed::PlaceBoth(peer) => {
                let peer = self.other(slot, peer);
                self.page_calls(page, peer);
                self.place(peer, page);
            }
            Deed::Accept(which) => {
                let ringing = self.world.page(page).ringing.iter().cloned().collect();
                if let Some(cid) = pick(ringing, which) {
                    self.world.page_picks_up(page, &cid);
                }
            }
            Deed::Decline(which) => {
                let ringing = self.world.page(page).ringing.iter().cloned().collect();
                if let Some(cid) = pick(ringing, which) {
                    self.world.page_rejects(page, &cid);
                }
            }
            Deed::HangUp(which) => {
                if let Some(cid) = pick(self.page_peers(page), which) {
                    self.world.page_closes(page, &cid);
                }
            }
            Deed::Change(which) => {
                if let Some(cid) = pick(self.page_peers(page), which) {
                    self.world.page_changes(page, &cid);
                }
            }
            Deed::CutPath(which) => {
                self.world.cut_path(page, self.other(slot, which), super::run::silence(which));
            }
            Deed::Deafen(which) => {
                self.world.deafen(page, self.other(slot, which), super::run::silence(which));
            }
            Deed::Cut | Deed::CutBehind(_) => self.world.cut_page(page),
            Deed::Kill => self.page = Some(self.world.close_page(page)),
            Deed::Restart => self.world.restart_service(),
            Deed::Post(_) => {}
        }
    }

    pub(super) fn page_calls(&mut self, page: NodeId, peer: NodeId) {
        if let Some(cid) = self.world.cid_of(peer) {
            self.world.page_calls(page, cid);
        }
    }

    fn page_peers(&self, page: NodeId) -> Vec<ConnectionId> {
        self.world.page(page).peers().map(|(cid, _)| cid.clone()).collect()
    }

    /// With nobody doing anything any more, a call with a page is up and works, or is gone on both sides.
    pub(super) fn check_mixed(&mut self) -> Checked {
        let Some(page) = self.page else { return Ok(()) };
        let mut up = 0;
        for node in self.nodes.clone() {
            for call in self.world.node(node).session.calls().collect::<Vec<_>>() {
                let with_page = Some(&call.peer) == self.world.page(page).cid.as_ref();
                if with_page && call.phase != CallPhase::Established {
                    return Err(format!("{node}, {}: stands at {:?}", call.call, call.phase));
                }
                let linked = self.world.is_with_page(node, call.call);
                up += usize::from(linked);
                if with_page && !self.troubled() && !self.world.has_path(node, call.call) {
                    return Err(format!("{node}, {}: up with a page, and no path", call.call));
                }
            }
        }
        if self.troubled() {
            return Ok(()); // what is said to a page is said once
        }
        let peers: Vec<_> = self.world.page(page).peers().collect();
        if peers.len() != up || peers.iter().any(|(_, up)| !up) {
            return Err(format!("the page has {peers:?}, of ours {up} are up with it"));
        }
        let rings = |cid: &&ConnectionId| !peers.iter().any(|(peer, _)| peer == cid);
        match self.world.page(page).ringing.iter().find(rings) {
            Some(cid) => Err(format!("{cid:?} rings for nobody at the page")),
            None => Ok(()),
        }
    }

    pub(super) fn page_hangs_up(&mut self) {
        let Some(page) = self.page else { return };
        for cid in self.page_peers(page) {
            self.world.page_closes(page, &cid);
        }
    }

    /// Whatever was before, the next call comes up, in both directions.
    pub(super) fn check_second_try(&mut self) -> Checked {
        let Some(page) = self.page.filter(|page| self.world.page(*page).cid.is_some()) else {
            return Ok(());
        };
        self.world.be_kind();
        for node in self.nodes.clone() {
            for theirs in [false, true] {
                let at = self.world.now();
                let Some(cid) = self.world.cid_of(node) else { continue };
                if theirs {
                    self.page_calls(page, node);
                    self.world.run_for(Duration::from_secs(1));
                    if let Some(call) = self.rings_since(node, at) {
                        let _ = self.world.act(node, "accepts", |s, now| s.accept(now, call));
                    }
                } else {
                    self.place(node, page);
                    self.world.run_for(Duration::from_secs(1));
                    self.world.page_picks_up(page, &cid);
                }
                self.world.run_for(COMES_UP);
                let calls: Vec<_> = self.world.node(node).session.calls().collect();
                let works = calls.len() == 1 && self.world.has_path(node, calls[0].call);
                let up = self.world.page(page).peers().any(|(peer, up)| *peer == cid && up);
                if !works || !up {
                    let who = if theirs { "the page's" } else { "ours" };
                    return Err(format!(
                        "{node}: a second try, {who}, does not come up: {calls:?}"
                    ));
                }
                self.hang_up(node, calls[0].call);
                self.world.run_for(COMES_UP);
            }
        }
        Ok(())
    }

    fn rings_since(&self, node: NodeId, at: skapi_rtc_signaling::Instant) -> Option<CallId> {
        self.world.node(node).events.iter().rev().find_map(|(when, event)| match event {
            Event::Incoming { call, .. } if *when >= at => Some(*call),
            _ => None,
        })
    }

    pub(super) fn place(&mut self, node: NodeId, peer: NodeId) {
        let Some(to) = self.world.cid_of(peer) else {
            return;
        };
        let placed = self.world.act(node, "places a call", |session, now| {
            session.place_call(now, to, PlaceOptions::default())
        });
        if let Ok(call) = placed {
            let key = self.world.node(node).session.call(call).and_then(|call| call.key);
            self.note_placed(node, call, peer, key);
        }
    }

    /// Whether something may have been lost for good that was said to or by a page.
    fn troubled(&self) -> bool {
        let setting = self.script.setting;
        let fault = |deed| {
            !matches!(deed, Deed::Place(_) | Deed::PlaceBoth(_) | Deed::Accept(_) | Deed::Post(_))
                && !matches!(deed, Deed::Decline(_) | Deed::HangUp(_) | Deed::Change(_))
        };
        setting.engines_fail || setting.contents_get_lost || self.does(fault)
    }
}

fn pick(of: Vec<ConnectionId>, which: usize) -> Option<ConnectionId> {
    of.get(which.checked_rem(of.len())?).cloned()
}
