//! Frames on their way, up to the service and down from it.

use skapi_rtc_protocol::{ClientFrame, ConnectionId, ServerFrame, encode_client, encode_server};

use super::{Endpoint, NodeId, World, options::pick, service::Delivery, world::Due};

impl World {
    pub(super) fn deliver(&mut self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            self.transmit(delivery);
        }
    }

    fn transmit(&mut self, delivery: Delivery) {
        if let Some(page) = self.find_page(&delivery.to) {
            return self.transmit_to_page(page, delivery);
        }
        let Delivery { from, to, frame } = delivery;
        let Some(node) = self.nodes.iter().position(|n| n.cid.as_ref() == Some(&to)) else {
            return;
        };
        let (node, socket) = (NodeId(node), self.nodes[node].socket);
        self.transmit_to(from, to, &frame, |text| Due::ToClient { node, socket, text });
    }

    pub(super) fn transmit_to(
        &mut self,
        from: Endpoint,
        to: ConnectionId,
        frame: &ServerFrame,
        due: impl FnOnce(String) -> Due,
    ) {
        let delay = pick(&mut self.rng, &self.options.frame_delay);
        // Both sides count what comes by a socket, so nothing on it may overtake.
        let from = if self.options.resumes { Endpoint::Service } else { from };
        let at = self.down.arrival(self.schedule.now(), from, Endpoint::Client(to), delay);
        self.schedule.at(at, due(encode_server(frame)));
    }

    pub(super) fn send(&mut self, node: NodeId, frame: &ClientFrame) {
        let Some(from) = self.nodes[node.0].cid.clone() else {
            self.violations.push(format!("{node}: sends without a socket: {frame:?}"));
            return;
        };
        let to = match frame {
            ClientFrame::Rtc { to, .. } => Endpoint::Client(to.clone()),
            _ => Endpoint::Service,
        };
        let socket = self.nodes[node.0].socket;
        self.send_up(from, socket, to, frame);
    }

    pub(super) fn send_up(
        &mut self,
        from: ConnectionId,
        socket: u64,
        to: Endpoint,
        frame: &ClientFrame,
    ) {
        // Both sides count what goes by a socket, so nothing on it may overtake.
        let to = if self.options.resumes { Endpoint::Service } else { to };
        let delay = pick(&mut self.rng, &self.options.frame_delay);
        let lane = Endpoint::Client(from.clone());
        let at = self.up.arrival(self.schedule.now(), lane, to, delay);
        let text = encode_client(frame);
        self.schedule.at(at, Due::ToService { from, socket, text });
    }
}
