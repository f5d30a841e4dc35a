//! Our own candidates: the sockets' addresses, and what STUN servers see of them.

use std::{
    future::pending,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use skapi_rtc_backend::PeerEvent;
use skapi_rtc_protocol::IceCandidate;
use str0m::Candidate;
use tokio::{net::lookup_host, task::JoinSet};
use tracing::debug;

use super::Driver;
use crate::{convert, servers::Servers, stun};

/// How long after each other a server is asked again, and after the last time given up.
const WAITS: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_millis(1000),
    Duration::from_millis(2000),
];
/// Addresses of one server that are asked.
const MAX_ADDRESSES: usize = 4;

pub(super) struct Gathering {
    servers: Servers,
    /// Names that are being looked up.
    lookups: JoinSet<io::Result<Vec<SocketAddr>>>,
    questions: Vec<Question>,
    /// The user that the candidates of this round are for; empty before the first one.
    user: String,
    /// Whether the end of this round is still to be told.
    going_on: bool,
    found: Vec<Candidate>,
}

/// A STUN server that was asked from one of our sockets.
struct Question {
    transaction: stun::TransactionId,
    local: SocketAddr,
    server: SocketAddr,
    asked: usize,
    again: Instant,
}

impl Gathering {
    pub(super) fn new(servers: Servers) -> Self {
        Self {
            servers,
            lookups: JoinSet::new(),
            questions: Vec::new(),
            user: String::new(),
            going_on: false,
            found: Vec::new(),
        }
    }

    /// Asks these servers from the next round on.
    pub(super) fn use_servers(&mut self, servers: Servers) {
        self.servers = servers;
    }

    /// The addresses of a server whose name was looked up. Cancel-safe.
    pub(super) async fn resolved(&mut self) -> Vec<SocketAddr> {
        match self.lookups.join_next().await {
            Some(Ok(Ok(addresses))) => addresses,
            Some(Ok(Err(error))) => {
                debug!(%error, "a STUN server's name was not found");
                Vec::new()
            }
            Some(Err(_)) => Vec::new(),
            None => pending().await,
        }
    }

    /// When something is to be asked again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.questions.iter().map(|question| question.again).min()
    }
}

impl Driver {
    /// Before the first description, and before one that starts ICE anew: the addresses that the
    /// description can name.
    pub(super) fn gather_locals(&mut self) {
        self.network.refresh(&self.config);
        let locals: Vec<_> = self.network.locals().collect();
        self.gathering.found.reserve_exact(locals.len());
        for local in locals {
            match Candidate::host(local, "udp") {
                Ok(candidate) => {
                    if let Some(candidate) = self.rtc.add_local_candidate(candidate) {
                        self.gathering.found.push(candidate.clone());
                    }
                }
                Err(error) => debug!(%error, %local, "the engine cannot use an address"),
            }
        }
    }

    /// A description with this user is in place: tells the candidates that go with it, and asks the STUN
    /// servers.
    pub(super) fn gather_for(&mut self, user: &str) {
        if self.gathering.user == user {
            return;
        }
        user.clone_into(&mut self.gathering.user);
        self.network.listen_as(user);
        for candidate in &self.gathering.found {
            self.shared.emit(PeerEvent::Candidate(convert::local_candidate(candidate, user)));
        }
        self.gathering.going_on = true;
        self.gathering.questions.clear();
        self.gathering.lookups.abort_all();
        self.gathering.lookups = JoinSet::new();
        for server in self.gathering.servers.0.clone() {
            self.gathering.lookups.spawn(async move { Ok(lookup_host(server).await?.collect()) });
        }
        self.end_when_done();
    }

    /// Asks a server from every socket that can reach it.
    pub(super) fn ask_server(&mut self, addresses: Vec<SocketAddr>) {
        let locals: Vec<_> = self.network.locals().collect();
        for server in addresses.into_iter().take(MAX_ADDRESSES) {
            for local in locals.iter().filter(|local| local.is_ipv4() == server.is_ipv4()) {
                let transaction = std::array::from_fn(|_| fastrand::u8(..));
                self.gathering.questions.push(Question {
                    transaction,
                    local: *local,
                    server,
                    asked: 0,
                    again: Instant::now(),
                });
            }
        }
        self.gather_again(Instant::now());
    }

    /// Asks again where no answer came in time.
    pub(super) fn gather_again(&mut self, now: Instant) {
        let network = &self.network;
        self.gathering.questions.retain_mut(|question| {
            if question.again > now {
                return true;
            }
            let Some(wait) = WAITS.get(question.asked) else {
                debug!(server = %question.server, "a STUN server does not answer");
                return false;
            };
            question.asked += 1;
            question.again = now + *wait;
            let request = stun::request(question.transaction);
            network.ask(question.local, question.server, question.transaction, &request);
            true
        });
        self.end_when_done();
    }

    /// Whether a datagram was the answer of a STUN server.
    pub(super) fn is_server_answer(&mut self, local: SocketAddr, contents: &[u8]) -> bool {
        if self.gathering.questions.is_empty() {
            return false;
        }
        let Some((transaction, mapped)) = stun::answer(contents) else {
            return false;
        };
        let questions = &mut self.gathering.questions;
        let Some(index) = questions.iter().position(|q| q.transaction == transaction) else {
            return false;
        };
        questions.swap_remove(index);
        match Candidate::server_reflexive(mapped, local, "udp") {
            // The same as the socket's own where there is no NAT; then the engine refuses it.
            Ok(candidate) if mapped != local => self.found_reflexive(candidate),
            Ok(_) => {}
            Err(error) => debug!(%error, "a STUN server answered with an unusable address"),
        }
        self.end_when_done();
        true
    }

    fn found_reflexive(&mut self, candidate: Candidate) {
        if let Some(candidate) = self.rtc.add_local_candidate(candidate).cloned() {
            let told = convert::local_candidate(&candidate, &self.gathering.user);
            self.gathering.found.push(candidate);
            self.shared.emit(PeerEvent::Candidate(told));
        }
    }

    fn end_when_done(&mut self) {
        let gathering = &mut self.gathering;
        if gathering.going_on && gathering.lookups.is_empty() && gathering.questions.is_empty() {
            gathering.going_on = false;
            let end = IceCandidate {
                sdp_m_line_index: Some(0),
                username_fragment: Some(gathering.user.clone()),
                ..IceCandidate::default()
            };
            self.shared.emit(PeerEvent::Candidate(end));
        }
    }
}
