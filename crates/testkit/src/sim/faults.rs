//! What goes wrong in a world: sockets that break, processes that die.

use std::time::Duration;

use skapi_rtc_protocol::ConnectionId;
use skapi_rtc_signaling::{RtcEvent, Session};

use super::{NodeId, World, engine::FakeEngine, fabric::PcId, options::pick, world::Due};

impl World {
    /// Cuts a node's socket. The node learns of it at once, the service some time later.
    pub fn cut(&mut self, node: NodeId) {
        let noticed = pick(&mut self.rng, &self.options.frame_delay);
        self.cut_noticed_after(node, noticed);
    }

    /// Cuts a node's socket, of which the service does not learn before this long: the node may be back
    /// before.
    pub fn cut_noticed_after(&mut self, node: NodeId, noticed: Duration) {
        let socket = self.nodes[node.0].socket;
        self.schedule.after(Duration::ZERO, Due::SocketLost { node, socket, noticed });
    }

    /// The service dies and is started again: it knows nobody, but its secrets still hold.
    pub fn restart_service(&mut self) {
        self.note(|| "the service is started again".to_owned());
        self.service.restart();
        for node in 0..self.nodes.len() {
            self.cut(NodeId(node));
        }
        for page in self.all_pages() {
            if self.page(page).cid.is_some() {
                self.cut_page(page);
            }
        }
    }

    pub(super) fn note_loss(&mut self, from: &ConnectionId) {
        // Also of a link that its owner takes for lost already.
        if let Some(node) = self.nodes.iter().position(|node| node.was_connected_as(from)) {
            self.lost.push((self.now(), NodeId(node)));
        }
    }

    /// A node's process dies: nothing is said to anybody any more.
    pub fn kill(&mut self, node: NodeId) {
        self.note(|| format!("{node}: dies"));
        let (now, noticed) = (self.now(), pick(&mut self.rng, &self.options.frame_delay));
        let it = &mut self.nodes[node.0];
        it.died = Some(now);
        let pcs: Vec<PcId> = it.engines.values().filter_map(FakeEngine::pc).collect();
        it.engines.clear();
        let socket = it.socket;
        if let Some(cid) = it.cid.take() {
            self.schedule.after(noticed, Due::LossNoticed { cid, socket });
        }
        self.lose_engines(pcs);
    }

    /// Peer connections whose process is gone. Their peers find out by and by.
    pub(super) fn lose_engines(&mut self, pcs: Vec<PcId>) {
        for pc in pcs {
            if let Some(peer) = self.fabric.close(pc) {
                for (seconds, event) in [(5, RtcEvent::Disconnected), (25, RtcEvent::Failed)] {
                    let due = Due::Report { owner: peer, event };
                    self.schedule.after(Duration::from_secs(seconds), due);
                }
            }
        }
    }

    /// Ends every session, as applications do at their end.
    pub fn close_all(&mut self) {
        for node in 0..self.nodes.len() {
            if self.nodes[node].died.is_none() {
                self.act(NodeId(node), "closes", Session::close);
            }
        }
        for page in self.all_pages() {
            self.page_leaves(page);
        }
    }

    /// How many connections the service knows.
    pub fn connections(&self) -> usize {
        self.service.connections()
    }
}
