//! A page with skapi-js 1.5.8: what it does about calls, as its source (`webrtc.ts`, `realtime.ts`) has it.
//!
//! It counts nothing, acknowledges nothing, names no calls and gives no reasons. It answers every hang-up
//! with its own, rings again at every offer, keeps the offers of calls that it did not take, ignores its own
//! user, and closes whatever says that it is disconnected.

use std::collections::{BTreeMap, BTreeSet};

use skapi_rtc_protocol::{
    ConnectionId, IceCandidate, Json, RtcContent, RtcSignal, SessionDescription, UserId,
};
use skapi_rtc_signaling::{RtcAction, RtcEvent, RtcOutcome};

use super::{
    NodeId,
    engine::{FakeEngine, Surroundings},
    fabric::PcId,
};

/// A page of Skapi's.
#[derive(Debug)]
pub struct Page {
    /// Who runs it.
    pub user: UserId,
    /// The connection it has now.
    pub cid: Option<ConnectionId>,
    /// It has lost its connection twice, and tries no more.
    pub gave_up: bool,
    /// Who rings here.
    pub ringing: BTreeSet<ConnectionId>,
    /// It runs `closeRTC` after a call that was not taken, as our guide advises.
    pub takes_advice: bool,
    pub(super) socket: u64,
    /// What it says, to whom.
    pub(super) out: Vec<(ConnectionId, RtcSignal)>,
    node: NodeId,
    peers: BTreeMap<ConnectionId, Peer>,
    /// Whom it calls, and who has not answered.
    calling: BTreeSet<ConnectionId>,
    offers: BTreeMap<ConnectionId, Vec<SessionDescription>>,
    candidates: BTreeMap<ConnectionId, Vec<IceCandidate>>,
}

/// A peer connection of a page's, and what else it keeps of the one at its other end.
#[derive(Debug)]
struct Peer {
    engine: FakeEngine,
    up: bool,
    described: bool,
    /// It may offer again: it has called, and the other side has picked up.
    offers: bool,
}

impl Page {
    pub(super) fn new(node: NodeId, user: UserId, takes_advice: bool) -> Self {
        Self {
            user,
            cid: None,
            gave_up: false,
            ringing: BTreeSet::new(),
            takes_advice,
            socket: 0,
            out: Vec::new(),
            node,
            peers: BTreeMap::new(),
            calling: BTreeSet::new(),
            offers: BTreeMap::new(),
            candidates: BTreeMap::new(),
        }
    }

    /// With whom it has a peer connection, and whether that is up.
    pub fn peers(&self) -> impl Iterator<Item = (&ConnectionId, bool)> {
        self.peers.iter().map(|(cid, peer)| (cid, peer.up))
    }

    /// `connectRTC` of a caller.
    pub(super) fn call(&mut self, cid: ConnectionId, around: &mut Surroundings<'_>) {
        if self.peers.contains_key(&cid) {
            return; // "Data channel with the protocol already exists."
        }
        self.open(&cid, around);
        self.offer(&cid, around);
        self.calling.insert(cid);
    }

    /// `connectRTC` of an incoming call.
    pub(super) fn pick_up(&mut self, cid: &ConnectionId, around: &mut Surroundings<'_>) {
        if !self.ringing.remove(cid) {
            return;
        }
        if !self.peers.contains_key(cid) {
            self.open(cid, around);
        }
        self.answer(cid, None, around);
        self.add_candidates(cid, None, around);
        self.say(cid, RtcSignal::Pickup(self.user.as_str().to_owned()));
    }

    /// `hangup` of an incoming call.
    pub(super) fn reject(&mut self, cid: &ConnectionId, around: &mut Surroundings<'_>) {
        if self.peers.contains_key(cid) {
            self.close(cid, around);
        } else if self.ringing.remove(cid) {
            self.say(cid, RtcSignal::HungUp(self.user.as_str().to_owned()));
        }
        self.take_advice(cid);
    }

    /// `closeRTC`.
    pub(super) fn close(&mut self, cid: &ConnectionId, around: &mut Surroundings<'_>) {
        self.forget(cid);
        if let Some(mut peer) = self.peers.remove(cid) {
            let _ = peer.engine.do_now(RtcAction::Close, around);
            self.say(cid, RtcSignal::HungUp(self.user.as_str().to_owned()));
        }
        self.ringing.remove(cid);
        self.calling.remove(cid);
    }

    /// A track is added. Only a caller whose call was picked up offers it.
    pub(super) fn change(&mut self, cid: &ConnectionId, around: &mut Surroundings<'_>) {
        let stable =
            |peer: &Peer| peer.up && peer.offers && !peer.engine.has_offered(around.fabric);
        if self.peers.get(cid).is_some_and(stable) {
            self.offer(cid, around);
        }
    }

    /// The tab is closed.
    pub(super) fn vanish(&mut self) -> Vec<PcId> {
        self.peers.values().filter_map(|peer| peer.engine.pc()).collect()
    }

    /// A content of somebody's. Gives what should not have been sent to a client of Skapi's.
    pub(super) fn on_rtc(
        &mut self,
        content: &Json,
        user: &UserId,
        from: &ConnectionId,
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        if *user == self.user {
            return Ok(());
        }
        let content = RtcContent::decode(content).map_err(|error| error.to_string())?;
        if content.ack.is_some() || content.round.is_some() {
            return Err("an acknowledgement or a round".to_owned());
        }
        match content.signal {
            RtcSignal::HungUp(who) | RtcSignal::Pickup(who) if who.is_empty() => {
                return Err("an empty text, which it takes for none".to_owned());
            }
            RtcSignal::HungUp(_) => {
                self.ringing.remove(from);
                if self.peers.contains_key(from) {
                    self.close(from, around);
                }
                self.take_advice(from);
            }
            RtcSignal::Candidate(candidate) => self.add_candidates(from, Some(candidate), around),
            RtcSignal::Offer(offer) => {
                // A new call, which its capabilities tell, may come when the page was back under another id.
                let up = self.peers.get(from).is_some_and(|peer| peer.up)
                    && content.capabilities.is_none();
                self.answer(from, Some(offer), around);
                self.ringing.insert(from.clone());
                if up {
                    return Err("an offer in a running call, which rings there".to_owned());
                }
            }
            RtcSignal::Pickup(_) => {
                if self.calling.remove(from)
                    && let Some(peer) = self.peers.get_mut(from)
                {
                    peer.offers = true;
                }
            }
            RtcSignal::Answer(answer) => self.take_answer(from, answer, around),
            // Without effect there: it asks the service whether the page is there.
            RtcSignal::None => {}
            other => return Err(format!("{other:?}")),
        }
        Ok(())
    }

    /// What a peer connection reports.
    pub(super) fn on_report(&mut self, pc: PcId, event: RtcEvent, around: &mut Surroundings<'_>) {
        let of = self.peers.iter().find(|(_, peer)| peer.engine.pc() == Some(pc));
        let Some(cid) = of.map(|(cid, _)| cid.clone()) else { return };
        match event {
            RtcEvent::Candidate(candidate) if !candidate.is_end_of_candidates() => {
                self.say(&cid, RtcSignal::Candidate(candidate));
            }
            RtcEvent::Connected => {
                self.peers.entry(cid).and_modify(|peer| peer.up = true);
            }
            RtcEvent::Disconnected | RtcEvent::Failed | RtcEvent::Closed => {
                self.close(&cid, around)
            }
            _ => {}
        }
    }

    fn open(&mut self, cid: &ConnectionId, around: &mut Surroundings<'_>) {
        let engine = FakeEngine::of_page(self.node, around.fabric);
        let peer = Peer { engine, up: false, described: false, offers: false };
        self.peers.insert(cid.clone(), peer);
    }

    fn offer(&mut self, cid: &ConnectionId, around: &mut Surroundings<'_>) {
        let Some(peer) = self.peers.get_mut(cid) else { return };
        let offer = peer.engine.do_now(RtcAction::MakeOffer { ice_restart: false }, around);
        if let Ok(RtcOutcome::Description(offer)) = offer {
            self.say(cid, RtcSignal::Offer(offer));
        }
    }

    /// Answers what it has kept, and then this. Without a peer connection it keeps it.
    fn answer(
        &mut self,
        cid: &ConnectionId,
        offer: Option<SessionDescription>,
        around: &mut Surroundings<'_>,
    ) {
        let Some(peer) = self.peers.get_mut(cid) else {
            self.offers.entry(cid.clone()).or_default().extend(offer);
            return;
        };
        let kept = self.offers.remove(cid).unwrap_or_default();
        for offer in kept.into_iter().chain(offer) {
            if peer.engine.has_offered(around.fabric) {
                // The browser takes its own offer back by itself (W3C WebRTC §4.4.1.5).
                let _ = peer.engine.do_now(RtcAction::Rollback, around);
            }
            peer.described = true;
            let answer = peer.engine.do_now(RtcAction::AcceptOffer(offer.clone()), around);
            if let Ok(RtcOutcome::Description(answer)) = answer {
                around.fabric.note_answer(&offer, &answer);
                self.out.push((cid.clone(), RtcSignal::Answer(answer)));
            }
        }
        self.add_candidates(cid, None, around);
    }

    fn take_answer(
        &mut self,
        cid: &ConnectionId,
        answer: SessionDescription,
        around: &mut Surroundings<'_>,
    ) {
        if let Some(peer) = self.peers.get_mut(cid)
            && peer.engine.awaits(&answer, around.fabric)
        {
            peer.described = true;
            let _ = peer.engine.do_now(RtcAction::AcceptAnswer(answer), around);
            self.add_candidates(cid, None, around);
        }
    }

    fn add_candidates(
        &mut self,
        cid: &ConnectionId,
        candidate: Option<IceCandidate>,
        around: &mut Surroundings<'_>,
    ) {
        let held = self.candidates.entry(cid.clone()).or_default();
        held.extend(candidate);
        if let Some(peer) = self.peers.get_mut(cid).filter(|peer| peer.described) {
            for candidate in std::mem::take(held) {
                if peer.engine.fits(&candidate, around.fabric) {
                    let _ = peer.engine.do_now(RtcAction::AddCandidate(candidate), around);
                }
            }
        }
    }

    fn take_advice(&mut self, cid: &ConnectionId) {
        if self.takes_advice {
            self.forget(cid);
        }
    }

    fn forget(&mut self, cid: &ConnectionId) {
        self.offers.remove(cid);
        self.candidates.remove(cid);
    }

    fn say(&mut self, cid: &ConnectionId, signal: RtcSignal) {
        self.out.push((cid.clone(), signal));
    }
}
