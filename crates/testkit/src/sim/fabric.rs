//! Which simulated peer connections find each other.

use std::collections::{BTreeMap, BTreeSet};

use skapi_rtc_protocol::{IceCandidate, SdpKind, SessionDescription};
use skapi_rtc_signaling::{CallId, Generation};

use super::NodeId;

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
    pub(crate) call: CallId,
    pub(crate) generation: Generation,
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
    /// Candidates of the peer's that were added.
    candidates: usize,
    linked_to: Option<PcId>,
}

/// All peer connections that are open.
#[derive(Debug, Default)]
pub struct Fabric {
    pcs: BTreeMap<PcId, Pc>,
    /// Between which nodes nothing gets through.
    cut: BTreeSet<[NodeId; 2]>,
    last_pc: u64,
    last_description: u64,
}

impl Fabric {
    /// How many peer connections are open.
    pub fn open(&self) -> usize {
        self.pcs.len()
    }

    pub(crate) fn make(&mut self, owner: Owner) -> PcId {
        self.last_pc += 1;
        let id = PcId(self.last_pc);
        let pc = Pc {
            owner,
            pending: None,
            agreed: None,
            gathered: false,
            ice: 0,
            failed: false,
            interrupted: false,
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
        ends.is_some_and(|ends| self.cut.contains(&ends))
    }

    /// Cuts the path between two nodes, or lets it be again.
    pub(crate) fn set_cut(&mut self, a: NodeId, b: NodeId, cut: bool) {
        if cut {
            self.cut.insert(between(a, b));
        } else {
            self.cut.remove(&between(a, b));
        }
    }

    pub(crate) fn is_linked(&self, id: PcId) -> bool {
        self.pcs.get(&id).is_some_and(|pc| pc.linked_to.is_some())
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

    /// Whether both sides of every link have agreed on the same descriptions.
    pub fn all_agree(&self) -> bool {
        self.pcs.values().all(|pc| match (pc.linked_to, pc.agreed) {
            (Some(other), Some((local, remote))) => {
                self.pcs.get(&other).is_none_or(|other| other.agreed == Some((remote, local)))
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
