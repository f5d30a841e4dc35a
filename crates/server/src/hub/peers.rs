//! Which connections have lately exchanged rtc contents: they are told what becomes of each other's link.

use std::collections::{HashMap, VecDeque};

use skapi_rtc_protocol::{ConnectionId, LinkState, ServerFrame};

use super::{Address, Delivery, Hub};

/// How many are remembered of one connection. Beyond, the one is forgotten with which nothing was
/// exchanged for the longest time: it learns of a lost link later, by its own means.
const MAX_PEERS: usize = 64;

/// The peers of each connection that has any, the latest last. Whoever is a peer of another has it for
/// one, unless either has forgotten.
#[derive(Debug, Default)]
pub(super) struct Peers(HashMap<ConnectionId, VecDeque<ConnectionId>>);

impl Peers {
    /// The two exchange something. True if that is news to the second.
    pub(super) fn note(&mut self, from: &ConnectionId, to: &ConnectionId) -> bool {
        if from == to {
            return false;
        }
        self.put(from, to);
        self.put(to, from)
    }

    fn put(&mut self, of: &ConnectionId, peer: &ConnectionId) -> bool {
        let peers = self.0.entry(of.clone()).or_default();
        if peers.back() == Some(peer) {
            return false;
        }
        let known = peers.iter().position(|known| known == peer);
        let known_before = known.and_then(|at| peers.remove(at)).is_some();
        if peers.len() == MAX_PEERS {
            peers.pop_front();
        }
        peers.push_back(peer.clone());
        !known_before
    }

    fn of(&self, cid: &ConnectionId) -> impl Iterator<Item = &ConnectionId> {
        self.0.get(cid).into_iter().flatten()
    }

    /// Forgets a connection, and that it was anybody's peer.
    pub(super) fn remove(&mut self, cid: &ConnectionId) {
        for peer in self.0.remove(cid).into_iter().flatten() {
            let Some(peers) = self.0.get_mut(&peer) else { continue };
            peers.retain(|other| other != cid);
            if peers.is_empty() {
                self.0.remove(&peer);
            }
        }
    }
}

impl Hub {
    /// Tells the peers of a connection what has become of its link: those that can be resumed themselves,
    /// since others do not know the frame.
    pub(super) fn tell_peers(&self, of: &ConnectionId, state: LinkState) -> Vec<Delivery> {
        let mut peers = self.peers.of(of).filter(|peer| self.resumable.contains(peer)).peekable();
        if peers.peek().is_none() {
            return Vec::new();
        }
        let frame = Delivery::link(of.clone(), of.clone(), state).frame;
        let to = |peer: &ConnectionId| Delivery {
            to: Address::Connection(peer.clone()),
            frame: frame.clone(),
            receipt: None,
        };
        peers.map(to).collect()
    }

    /// What the sender of an rtc content is told of the one it is for, when that is without a socket and
    /// the sender was not told when it lost it.
    pub(super) fn note_peers(
        &mut self,
        from: &ConnectionId,
        to: &ConnectionId,
    ) -> Option<Delivery> {
        let news = self.peers.note(from, to);
        let tells = news && self.resumable.is_parked(to) && self.resumable.contains(from);
        tells.then(|| Delivery::link(from.clone(), to.clone(), LinkState::Lost))
    }
}

impl Delivery {
    fn link(to: ConnectionId, of: ConnectionId, state: LinkState) -> Self {
        Self::new(Address::Connection(to), &ServerFrame::Link { state, of })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cid(n: usize) -> ConnectionId {
        ConnectionId::new(format!("c{n}")).unwrap()
    }

    #[test]
    fn as_many_are_remembered_as_there_is_room_for_the_latest_of_them() {
        let mut peers = Peers::default();
        for n in 1..=MAX_PEERS {
            assert!(peers.note(&cid(n), &cid(0)));
        }
        assert!(!peers.note(&cid(0), &cid(1)), "known");
        assert!(peers.note(&cid(MAX_PEERS + 1), &cid(0)));
        assert_eq!(peers.of(&cid(0)).count(), MAX_PEERS);
        assert!(!peers.of(&cid(0)).any(|peer| *peer == cid(2)), "the oldest");
        assert!(peers.of(&cid(0)).any(|peer| *peer == cid(1)), "spoken with since");
    }

    #[test]
    fn nothing_is_left_of_who_is_gone() {
        let mut peers = Peers::default();
        peers.note(&cid(1), &cid(2));
        peers.note(&cid(1), &cid(3));
        peers.note(&cid(1), &cid(1));
        peers.remove(&cid(1));
        assert!(peers.0.is_empty(), "{peers:?}");
    }
}
