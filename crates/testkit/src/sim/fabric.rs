//! Which simulated peer connections find each other.

use std::collections::{BTreeMap, BTreeSet};

use skapi_rtc_protocol::{IceCandidate, SdpKind, SessionDescription};
use skapi_rtc_signaling::{CallId, Generation, Instant};

use super::{NodeId, changes::Changes};

/// One simulated peer connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PcId(pub(crate) u64);

/// One description, readable to every engine of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Described {
    /// Whose it is.
    pub(crate) pc: PcId,
    /// Which one.
    pub(crate) number: u64,
    /// The offer it answers; its own number for an offer.
    pub(crate) offer: u64,
    /// How often ICE was started anew.
    pub(crate) ice: u64,
}

/// Whom an engine's report is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Owner {
    pub(crate) node: NodeId,
    pub(crate) part: Part,
}

/// Which connection of a machine's or page's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Call(CallId, Generation),
    /// One of a page's, by its own number.
    Page(PcId),
}

#[derive(Debug)]
pub(crate) struct Pc {
    pub(crate) owner: Owner,
    /// An own offer without an answer.
    pub(crate) pending: Option<Described>,
    /// The descriptions both sides have agreed on, own and peer's.
    pub(crate) agreed: Option<(Described, Described)>,
    pub(crate) gathered: bool,
    /// How often ICE was started anew.
    pub(crate) ice: u64,
    /// ICE has given up; only another start can help.
    pub(crate) failed: bool,
    /// Its owner was told that the path is interrupted.
    pub(crate) interrupted: bool,
    /// It does not hear its peer, which hears it.
    pub(crate) deaf: bool,
    /// What was added to it.
    pub(crate) changes: Changes,
    /// Candidates of the peer's that were added.
    candidates: usize,
    linked_to: Option<PcId>,
}

/// All peer connections that are open.
#[derive(Debug, Default)]
pub struct Fabric {
    pcs: BTreeMap<PcId, Pc>,
    /// Between which nodes nothing gets through, and until when.
    cut: BTreeMap<[NodeId; 2], Instant>,
    last_pc: u64,
    last_description: u64,
    /// Answers of pages by their numbers: whose offer each answers, and the page's own connection.
    answers: BTreeMap<u64, (PcId, PcId)>,
    /// The connections of pages, closed ones too.
    of_pages: BTreeSet<PcId>,
}

impl Fabric {
    /// How many peer connections are open.
    pub fn open(&self) -> usize {
        self.pcs.len()
    }

    /// A page has answered. Once the offer's connection is closed, the answer may meet the next call between the two,
    /// and nothing in it tells.
    pub(crate) fn note_answer(&mut self, offer: &SessionDescription, answer: &SessionDescription) {
        let offer = Described::read(offer, SdpKind::Offer);
        let answer = Described::read(answer, SdpKind::Answer);
        if let (Some(offer), Some(answer)) = (offer, answer) {
            self.answers.insert(answer.number, (offer.pc, answer.pc));
        }
    }

    /// A page's candidates do not say for which call they are.
    pub(crate) fn is_of_page(&self, pc: PcId) -> bool {
        self.of_pages.contains(&pc)
    }

    pub(crate) fn is_late(&self, answer: &Described) -> bool {
        self.answers.get(&answer.number).is_some_and(|(offer, _)| !self.pcs.contains_key(offer))
    }

    pub(crate) fn make(&mut self, node: NodeId, call: Option<(CallId, Generation)>) -> PcId {
        self.last_pc += 1;
        let id = PcId(self.last_pc);
        let part = call.map_or(Part::Page(id), |(call, generation)| Part::Call(call, generation));
        let owner = Owner { node, part };
        if call.is_none() {
            self.of_pages.insert(id);
        }
        let pc = Pc {
            owner,
            pending: None,
            agreed: None,
            gathered: false,
            ice: 0,
            failed: false,
            interrupted: false,
            deaf: false,
            changes: Changes::default(),
            candidates: 0,
            linked_to: None,
        };
        self.pcs.insert(id, pc);
        id
    }

    pub(crate) fn get(&mut self, id: PcId) -> Option<&mut Pc> {
        self.pcs.get_mut(&id)
    }

    /// Closes a connection; says whose was linked to it.
    pub(crate) fn close(&mut self, id: PcId) -> Option<Owner> {
        self.pcs.remove(&id)?;
        self.pcs.values().find(|pc| pc.linked_to == Some(id)).map(|pc| pc.owner)
    }

    /// Starts ICE anew: the path there is ends, and another one needs new candidates.
    pub(crate) fn restart(&mut self, id: PcId) {
        if let Some(pc) = self.pcs.get_mut(&id) {
            pc.ice += 1;
            pc.gathered = false;
            pc.failed = false;
            pc.interrupted = false;
            pc.deaf = false;
            pc.candidates = 0;
            pc.linked_to = None;
        }
    }

    /// Whether the path to the peer of this connection is cut.
    pub(crate) fn is_cut(&self, id: PcId) -> bool {
        let ends = self.pcs.get(&id).and_then(|pc| {
            let peer = self.pcs.get(&pc.agreed?.1.pc)?;
            Some(between(pc.owner.node, peer.owner.node))
        });
        ends.is_some_and(|ends| self.cut.contains_key(&ends))
    }

    /// Cuts the path between two nodes.
    pub(crate) fn cut(&mut self, a: NodeId, b: NodeId, until: Instant) {
        let end = self.cut.entry(between(a, b)).or_insert(until);
        *end = until.max(*end);
    }

    /// Lets it be again, unless it was cut for longer meanwhile.
    pub(crate) fn mend(&mut self, a: NodeId, b: NodeId, now: Instant) -> bool {
        let over = self.cut.get(&between(a, b)).is_some_and(|until| *until <= now);
        over && self.cut.remove(&between(a, b)).is_some()
    }

    pub(crate) fn is_linked(&self, id: PcId) -> bool {
        let peer = self.pcs.get(&id).and_then(|pc| pc.linked_to);
        peer.is_some_and(|peer| self.pcs.contains_key(&peer))
    }

    /// Whose connection this one is linked with.
    pub(crate) fn linked_to(&self, id: PcId) -> Option<NodeId> {
        let peer = self.pcs.get(&id)?.linked_to?;
        Some(self.pcs.get(&peer)?.owner.node)
    }

    pub(crate) fn unlink(&mut self, id: PcId) {
        if let Some(pc) = self.pcs.get_mut(&id) {
            pc.linked_to = None;
        }
    }

    /// The connections between two nodes.
    pub(crate) fn between(&self, a: NodeId, b: NodeId) -> Vec<PcId> {
        let agreed = self.pcs.iter().filter_map(|(id, pc)| {
            let peer = self.pcs.get(&pc.agreed?.1.pc)?;
            Some((*id, between(pc.owner.node, peer.owner.node)))
        });
        agreed.filter(|(_, ends)| *ends == between(a, b)).map(|(id, _)| id).collect()
    }

    /// A new description of this connection, as an offer or as the answer to one.
    pub(crate) fn describe(&mut self, pc: PcId, answers: Option<u64>) -> Described {
        self.last_description += 1;
        let number = self.last_description;
        let ice = self.pcs.get(&pc).map_or(0, |pc| pc.ice);
        Described { pc, number, offer: answers.unwrap_or(number), ice }
    }

    pub(crate) fn count_candidate(&mut self, id: PcId) {
        if let Some(pc) = self.pcs.get_mut(&id) {
            pc.candidates += 1;
        }
    }

    /// Links this connection with the one it has agreed with, if now nothing is missing on either side.
    /// Says whose they are.
    pub(crate) fn try_link(&mut self, id: PcId) -> Option<[Owner; 2]> {
        let own = self.pcs.get(&id)?;
        let (local, remote) = own.agreed?;
        let peer = self.pcs.get(&remote.pc)?;
        let complete = own.linked_to.is_none()
            && peer.linked_to.is_none()
            && !(own.failed || peer.failed || self.is_cut(id))
            && peer.agreed == Some((remote, local))
            && own.candidates > 0
            && peer.candidates > 0;
        if !complete {
            return None;
        }
        let owners = [own.owner, peer.owner];
        self.get(id)?.linked_to = Some(remote.pc);
        self.get(remote.pc)?.linked_to = Some(id);
        Some(owners)
    }

    /// Whether a page's connection has answered what is over.
    fn has_answered_late(&self, id: PcId) -> bool {
        let is_over = |(offer, page): &(PcId, PcId)| *page == id && !self.pcs.contains_key(offer);
        self.answers.values().any(is_over)
    }

    /// Whether both sides of every link have agreed on the same descriptions, but for pages that have answered
    /// what was over.
    pub fn all_agree(&self) -> bool {
        self.pcs.iter().all(|(id, pc)| match (pc.linked_to, pc.agreed) {
            (Some(other), Some((local, remote))) => {
                let spoilt = [id, &other].iter().any(|pc| self.has_answered_late(**pc));
                let same = |other: &Pc| other.agreed == Some((remote, local));
                spoilt || self.pcs.get(&other).is_none_or(same)
            }
            _ => true,
        })
    }
}

impl Described {
    pub(crate) fn write(self) -> SessionDescription {
        let Self { pc, number, offer, ice } = self;
        let ufrag = ufrag(pc, ice);
        let sdp =
            format!("v=0\r\na=ice-ufrag:{ufrag}\r\na=sim:{} {number} {offer} {ice}\r\n", pc.0);
        if number == offer {
            SessionDescription::offer(sdp)
        } else {
            SessionDescription::answer(sdp)
        }
    }

    pub(crate) fn read(description: &SessionDescription, kind: SdpKind) -> Option<Self> {
        let line = description.sdp.lines().find_map(|line| line.strip_prefix("a=sim:"))?;
        let mut numbers = line.split(' ').map_while(|number| number.parse().ok());
        let read = Self {
            pc: PcId(numbers.next()?),
            number: numbers.next()?,
            offer: numbers.next()?,
            ice: numbers.next()?,
        };
        (description.kind == kind).then_some(read)
    }
}

/// The candidate with this number; some engines do not tell which description it belongs to.
pub(crate) fn candidate(pc: PcId, ice: u64, number: usize, tells_ufrag: bool) -> IceCandidate {
    IceCandidate {
        candidate: format!("candidate:{} {number}", pc.0),
        sdp_mid: Some("0".to_owned()),
        sdp_m_line_index: Some(0),
        username_fragment: tells_ufrag.then(|| ufrag(pc, ice)),
    }
}

/// Whose candidate this is.
pub(crate) fn candidate_of(candidate: &IceCandidate) -> Option<PcId> {
    let rest = candidate.candidate.strip_prefix("candidate:")?;
    rest.split(' ').next()?.parse().ok().map(PcId)
}

fn ufrag(pc: PcId, ice: u64) -> String {
    format!("u{}-{ice}", pc.0)
}

fn between(a: NodeId, b: NodeId) -> [NodeId; 2] {
    [a.min(b), a.max(b)]
}
