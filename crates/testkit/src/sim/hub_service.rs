//! The real hub as the service of a simulated world.

use std::{collections::BTreeMap, time::Instant as StdInstant};

use bytes::Bytes;
use skapi_rtc_protocol::{
    ClientFrame, ConnectionId, Limits, Ready, ServerFrame, UserId, decode_server,
};
use skapi_rtc_server::{Delivery as HubDelivery, Hub, HubLimits};
use skapi_rtc_signaling::{Instant, Resumption};

use super::{Delivery, Endpoint, Realtime};

/// The hub, and what the server around it knows: sockets and secrets.
#[derive(Debug)]
pub struct HubService {
    hub: Hub,
    /// How many there were before.
    hubs: u64,
    limits: HubLimits,
    /// What virtual time counts from.
    origin: StdInstant,
    opened: u64,
    /// The socket of each connection, even when it is lost.
    sockets: BTreeMap<ConnectionId, u64>,
}

/// Stands for a signature: such a secret is good for the connection that it names.
const SECRET: &str = "secret-";

impl HubService {
    /// A hub with nobody in it.
    pub fn new(limits: HubLimits) -> Self {
        Self {
            hub: Hub::new(limits.clone()),
            hubs: 0,
            limits,
            origin: StdInstant::now(),
            opened: 0,
            sockets: BTreeMap::new(),
        }
    }

    fn at(&self, now: Instant) -> StdInstant {
        self.origin + now.since_origin()
    }

    fn deliver(&mut self, deliveries: Vec<HubDelivery>) -> Vec<Delivery> {
        let mut out = Vec::new();
        for delivery in deliveries {
            let reached = self.deliver_one(&delivery, &mut out);
            if let Some(receipt) = delivery.receipt {
                self.deliver_one(&receipt.answer(reached), &mut out);
            }
        }
        out
    }

    fn deliver_one(&mut self, delivery: &HubDelivery, out: &mut Vec<Delivery>) -> usize {
        self.hub.deliver(delivery, |cid, frame| {
            out.push(of_service(cid, frame));
            true
        })
    }

    fn is_current(&self, cid: &ConnectionId, socket: u64) -> bool {
        self.sockets.get(cid) == Some(&socket)
    }
}

impl Realtime for HubService {
    fn connect(
        &mut self,
        _now: Instant,
        user: UserId,
        socket: u64,
        resumption: Option<&Resumption>,
    ) -> (ConnectionId, Vec<Delivery>) {
        self.opened += 1;
        let secret = resumption.and_then(|resumption| resumption.secret.as_deref());
        let known = secret.and_then(|secret| {
            let (life, cid) = secret.strip_prefix(SECRET)?.split_once('-')?;
            Some((life.parse::<u64>().ok()?, ConnectionId::new(cid).ok()?))
        });
        let mut ready = Ready::new(
            known.clone().map(|(_, cid)| cid).unwrap_or_else(|| {
                ConnectionId::new(format!("{}-{}", user.as_str(), self.opened)).unwrap_or_else(
                    |error| unreachable!("simulated users have plain names: {error}"),
                )
            }),
            user.clone(),
        );
        let cid = ready.cid.clone();
        let (mut missed, mut told) = (Vec::new(), Vec::new());
        let connected = match (known, resumption) {
            (Some((life, cid)), Some(resumption)) => {
                self.hub.resume(&cid, &user, life, resumption.received).map(|resumption| {
                    ready.resumed = Some(resumption.resumed);
                    missed = resumption.missed;
                    told = resumption.deliveries;
                })
            }
            (_, Some(_)) => self.hub.connect_resumable(cid.clone(), user),
            _ => self.hub.connect(cid.clone(), user),
        };
        connected.unwrap_or_else(|error| unreachable!("the hub has room for everybody: {error}"));
        self.sockets.insert(cid.clone(), socket);
        let window = self.limits.resume.window;
        let life = self.hub.life(&cid).filter(|_| !window.is_zero());
        ready.resume = life.map(|life| format!("{SECRET}{life}-{}", cid.as_str()));
        let mut out = vec![Delivery {
            from: Endpoint::Service,
            to: cid.clone(),
            frame: ServerFrame::Ready(ready),
        }];
        out.extend(missed.iter().map(|frame| of_service(&cid, frame)));
        out.extend(self.deliver(told));
        (cid, out)
    }

    fn handle(
        &mut self,
        from: &ConnectionId,
        socket: u64,
        frame: ClientFrame,
        lost: bool,
    ) -> Vec<Delivery> {
        if !self.is_current(from, socket) {
            return Vec::new();
        }
        if lost {
            self.hub.refuse_frame(from, None, None);
            return Vec::new();
        }
        let deliveries = self.hub.handle_frame(from, frame);
        self.deliver(deliveries)
    }

    fn lose(&mut self, now: Instant, cid: &ConnectionId, socket: u64) -> Vec<Delivery> {
        if !self.is_current(cid, socket) {
            return Vec::new();
        }
        let deliveries = self.hub.lose(self.at(now), cid);
        self.deliver(deliveries)
    }

    fn give_up(&mut self, now: Instant, _cid: &ConnectionId, _socket: u64) -> Vec<Delivery> {
        let deliveries = self.hub.handle_timeout(self.at(now));
        self.deliver(deliveries)
    }

    fn disconnect(&mut self, cid: &ConnectionId) -> Vec<Delivery> {
        let deliveries = self.hub.disconnect(cid);
        self.deliver(deliveries)
    }

    fn restart(&mut self) {
        self.hubs += 1;
        self.hub = Hub::new(self.limits.clone()).lives_from(self.hubs << 32);
        self.sockets.clear();
    }

    fn connections(&self) -> usize {
        self.hub.connection_count()
    }
}

fn of_service(to: &ConnectionId, frame: &Bytes) -> Delivery {
    let text = std::str::from_utf8(frame).unwrap_or_default();
    let frame = decode_server(text, &Limits::default())
        .unwrap_or_else(|error| unreachable!("the hub writes frames: {error}: {text}"));
    Delivery { from: Endpoint::Service, to: to.clone(), frame }
}
