//! Our own candidates: the sockets' addresses, what STUN servers see of them, and where TURN servers relay.

use std::{future::pending, io, net::SocketAddr, time::Instant};

use skapi_rtc_backend::{PeerEvent, TransportPolicy};
use skapi_rtc_protocol::IceCandidate;
use str0m::{
    Candidate, CandidateKind,
    net::{Protocol, TcpType},
};
use tokio::{net::lookup_host, task::JoinSet};
use tracing::debug;

use super::Driver;
use crate::{
    IceTcp,
    addresses::{addresses, way_to},
    convert,
    path::Path,
    servers::{Servers, TurnServer},
    stream::ACTIVE_PORT,
    stun::{self, WAITS},
};

/// Addresses of one server that are asked.
const MAX_ADDRESSES: usize = 4;

pub(super) struct Gathering {
    servers: Servers,
    policy: TransportPolicy,
    /// Names that are being looked up.
    lookups: JoinSet<io::Result<Found>>,
    questions: Vec<Question>,
    /// The user that the candidates of this round are for; empty before the first one.
    user: String,
    /// Whether the end of this round is still to be told.
    going_on: bool,
    found: Vec<Candidate>,
}

/// A server whose name was looked up.
pub(super) struct Found {
    /// None for one that has only to say what it sees.
    turn: Option<TurnServer>,
    addresses: Vec<SocketAddr>,
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
    pub(super) fn new(servers: Servers, policy: TransportPolicy) -> Self {
        Self {
            servers,
            policy,
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

    /// A server whose name was looked up, if it was found. Cancel-safe.
    pub(super) async fn resolved(&mut self) -> Option<Found> {
        match self.lookups.join_next().await {
            Some(Ok(Ok(found))) => Some(found),
            Some(Ok(Err(error))) => {
                debug!(%error, "a server's name was not found");
                None
            }
            Some(Err(_)) => None,
            None => pending().await,
        }
    }

    /// Looks a server's name up, for [`resolved`](Self::resolved).
    pub(super) fn look_up(&mut self, address: String, turn: Option<TurnServer>) {
        self.lookups.spawn(async move {
            let addresses = lookup_host(address).await?.collect();
            Ok(Found { turn, addresses })
        });
    }

    /// A candidate is not to be told again.
    pub(super) fn forget(&mut self, candidate: &Candidate) {
        self.found.retain(|found| found != candidate);
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
        if self.gathering.policy == TransportPolicy::Relay {
            return;
        }
        self.network.refresh(&self.config);
        let sockets = self.network.locals().map(|local| Candidate::host(local, "udp"));
        let listeners = self.network.listeners().into_iter();
        let listeners = listeners.map(|local| convert::tcp_candidate(local, TcpType::Passive));
        let candidates: Vec<_> = sockets.chain(listeners).collect();
        self.gathering.found.reserve_exact(candidates.len());
        for candidate in candidates {
            match candidate {
                Ok(candidate) => {
                    if let Some(candidate) = self.rtc.add_local_candidate(candidate) {
                        self.gathering.found.push(candidate.clone());
                    }
                }
                Err(error) => debug!(%error, "the engine cannot use an address"),
            }
        }
    }

    /// The peer listens on TCP at this address: whoever connects to it needs a candidate, of which the peer need not
    /// know.
    pub(super) fn may_connect_to(&mut self, remote: SocketAddr) {
        if self.config.ice_tcp == IceTcp::Off {
            return;
        }
        // One is enough: the engine has room for only so many pairs.
        let sources: Vec<_> = self.network.locals().map(|local| local.ip()).collect();
        let Some(ip) = way_to(remote, &sources) else { return };
        match convert::tcp_candidate(SocketAddr::new(ip, ACTIVE_PORT), TcpType::Active) {
            Ok(candidate) => drop(self.rtc.add_local_candidate(candidate)),
            Err(error) => debug!(%error, %ip, "the engine cannot use an address"),
        }
    }

    /// A description with this user is in place: tells the candidates that go with it, and asks the servers.
    pub(super) fn gather_for(&mut self, user: &str) {
        if self.gathering.user == user {
            return;
        }
        user.clone_into(&mut self.gathering.user);
        self.network.listen_as(user);
        let gathering = &mut self.gathering;
        let missing = self.relays.start(&gathering.servers.turn, &addresses(&self.config));
        let relays = &self.relays;
        gathering.found.retain(|candidate| {
            candidate.kind() != CandidateKind::Relayed || relays.is_current(candidate)
        });
        self.leave_out_outdated();
        let gathering = &mut self.gathering;
        for candidate in &gathering.found {
            self.shared.emit(PeerEvent::Candidate(convert::local_candidate(candidate, user)));
        }
        gathering.going_on = true;
        gathering.questions.clear();
        gathering.lookups.abort_all();
        gathering.lookups = JoinSet::new();
        if gathering.policy == TransportPolicy::All {
            for server in gathering.servers.stun.clone() {
                gathering.look_up(server, None);
            }
        }
        for server in missing {
            gathering.look_up(server.address.clone(), Some(server));
        }
        self.end_when_done();
    }

    /// A server's name was looked up.
    pub(super) fn ask_found(&mut self, found: Option<Found>) {
        match found {
            Some(Found { turn: Some(server), addresses }) => self.allocate(&server, &addresses),
            Some(Found { turn: None, addresses }) => self.ask_server(addresses),
            None => {}
        }
        self.end_when_done();
    }

    /// Asks a server from every socket that can reach it.
    fn ask_server(&mut self, addresses: Vec<SocketAddr>) {
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
        let network = &mut self.network;
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
            let path = Path::udp(question.local, question.server);
            network.ask(path, question.transaction, &request);
            true
        });
        self.end_when_done();
    }

    /// Whether a datagram was the answer of a STUN server.
    pub(super) fn is_server_answer(&mut self, path: Path, contents: &[u8]) -> bool {
        let local = path.local;
        if self.gathering.questions.is_empty() || path.protocol != Protocol::Udp {
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
            self.tell_candidate(candidate);
        }
    }

    /// Tells a candidate that the engine knows.
    pub(super) fn tell_candidate(&mut self, candidate: Candidate) {
        let told = convert::local_candidate(&candidate, &self.gathering.user);
        self.gathering.found.push(candidate);
        self.shared.emit(PeerEvent::Candidate(told));
    }

    /// Tells the end, once no server has anything more to say.
    pub(super) fn end_when_done(&mut self) {
        let gathering = &mut self.gathering;
        let asking = !gathering.questions.is_empty() || self.relays.are_asking();
        if gathering.going_on && gathering.lookups.is_empty() && !asking {
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
