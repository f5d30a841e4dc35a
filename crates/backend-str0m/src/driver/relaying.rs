//! Relayed candidates: allocations at TURN servers, and what goes through them.
//!
//! Each has a socket of its own. That keeps what a server says apart from what peers say, and lets an ICE restart with
//! other credentials have a new allocation while the old one still carries the call: a server has one for each address
//! from which it is asked.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use str0m::{
    Candidate,
    net::{Protocol, Transmit},
};
use tracing::debug;

use super::Driver;
use crate::{
    addresses::{addresses, way_to},
    network::Network,
    path::Path,
    servers::TurnServer,
    turn::{Client, News},
};

/// Allocations that candidates are made of. More do not help, and each costs the server a port.
const MAX_CURRENT: usize = 4;
/// Allocations altogether, with those of former rounds.
const MAX_RELAYS: usize = 8;
/// Allocations of a round that are replaced when they are lost.
const MAX_REPLACED: usize = 4;
/// How long after another pair was chosen an allocation that is not wanted any more goes: what the peer sent before it
/// knew is still on its way.
const RETIRE_AFTER: Duration = Duration::from_secs(3);

#[derive(Default)]
pub(super) struct Relays {
    relays: Vec<Relay>,
    /// The user of the engine's ICE when what was outdated was left out.
    user: String,
    /// How many were replaced in this round.
    replaced: usize,
    /// The datagram that is being wrapped.
    wrapped: Vec<u8>,
}

struct Relay {
    client: Client,
    account: TurnServer,
    /// From the socket that the server knows to the server.
    path: Path,
    /// What the engine knows.
    candidate: Option<Candidate>,
    /// Whether its server is none of those that are to be used, or its socket is on a network that is gone.
    outdated: bool,
    /// Since when an outdated one is not used.
    idle_since: Option<Instant>,
}

impl Relay {
    /// Whether a path to a peer begins at this server.
    fn relays(&self, path: Path) -> bool {
        path.protocol == Protocol::Udp && self.client.relayed() == Some(path.local)
    }
}

impl Relays {
    /// Starts a round: says which of the servers have no allocation yet.
    pub(super) fn start(&mut self, wanted: &[TurnServer], usable: &[IpAddr]) -> Vec<TurnServer> {
        self.replaced = 0;
        let now = Instant::now();
        for relay in &mut self.relays {
            // What was left out once is not known to the engine any more.
            relay.outdated |=
                !wanted.contains(&relay.account) || !usable.contains(&relay.path.local.ip());
            relay.idle_since = None;
            if !relay.outdated {
                // Whoever starts ICE anew may do so because the server was.
                relay.client.check(now);
            }
        }
        let missing = wanted.iter().filter(|account| {
            !self.relays.iter().any(|relay| !relay.outdated && relay.account == **account)
        });
        missing.cloned().collect()
    }

    /// Whether a candidate is worth telling.
    pub(super) fn is_current(&self, candidate: &Candidate) -> bool {
        self.current().any(|relay| relay.candidate.as_ref() == Some(candidate))
    }

    /// Whether a server has still to say if it relays.
    pub(super) fn are_asking(&self) -> bool {
        self.current().any(|relay| relay.client.is_asking())
    }

    /// Whether a path to a peer begins at a server.
    pub(super) fn is_relayed(&self, path: Path) -> bool {
        self.relays.iter().any(|relay| relay.relays(path))
    }

    /// Whether what comes on this path comes from a server.
    pub(super) fn is_path(&self, path: Path) -> bool {
        let to_us = (path.protocol, path.local);
        self.relays.iter().any(|relay| (relay.path.protocol, relay.path.local) == to_us)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let retirement = |relay: &Relay| relay.idle_since.map(|since| since + RETIRE_AFTER);
        let deadlines =
            self.relays.iter().flat_map(|relay| [relay.client.deadline(), retirement(relay)]);
        deadlines.flatten().min()
    }

    /// The datagram of a peer in one that came to a socket of ours, with the path on which the peer sent it.
    pub(super) fn unwrap<'a>(
        &mut self,
        now: Instant,
        path: Path,
        contents: &'a [u8],
    ) -> Option<(Path, &'a [u8])> {
        let Some(relay) = self.relays.iter_mut().find(|relay| relay.path == path) else {
            debug!(source = %path.remote, "somebody else than the TURN server sent something");
            return None;
        };
        let (peer, contents) = relay.client.take(now, contents)?;
        Some((Path::udp(relay.client.relayed()?, peer), contents))
    }

    fn permit(&mut self, now: Instant, ip: IpAddr) {
        for relay in &mut self.relays {
            relay.client.permit(now, ip);
        }
    }

    fn send_messages(&mut self, network: &mut Network) {
        for relay in &mut self.relays {
            while let Some(message) = relay.client.poll_message() {
                network.send_at_once(relay.path, &message);
            }
        }
    }

    fn current(&self) -> impl Iterator<Item = &Relay> {
        self.relays.iter().filter(|relay| !relay.outdated)
    }

    fn take(&mut self, local: SocketAddr) -> Option<Relay> {
        let index = self.relays.iter().position(|relay| relay.path.local == local)?;
        Some(self.relays.remove(index))
    }

    /// The oldest outdated one that is not used, if there are more than there may be.
    fn one_too_many(&self, used: Option<SocketAddr>) -> Option<SocketAddr> {
        let is_idle = |relay: &&Relay| relay.outdated && relay.client.relayed() != used;
        let oldest = self.relays.iter().find(is_idle);
        oldest.filter(|_| self.relays.len() > MAX_RELAYS).map(|relay| relay.path.local)
    }

    /// Marks those that are outdated and not used; gives those that have been for long enough.
    fn retired(&mut self, now: Instant, used: Option<SocketAddr>) -> Option<SocketAddr> {
        self.relays.iter_mut().find_map(|relay| {
            let idle = relay.outdated && used.is_some() && relay.client.relayed() != used;
            if !idle {
                relay.idle_since = None;
                return None;
            }
            let since = *relay.idle_since.get_or_insert(now);
            (now >= since + RETIRE_AFTER).then_some(relay.path.local)
        })
    }
}

impl Driver {
    /// Asks a server for an allocation, from one socket of each family.
    pub(super) fn allocate(&mut self, account: &TurnServer, servers: &[SocketAddr]) {
        let now = Instant::now();
        let usable = addresses(&self.config);
        let families = [SocketAddr::is_ipv4, SocketAddr::is_ipv6];
        for server in families.into_iter().filter_map(|is| servers.iter().copied().find(is)) {
            let Some(ip) = way_to(server, &usable) else {
                debug!(%server, "there is no address from which to reach a TURN server");
                continue;
            };
            let is_there = |relay: &Relay| {
                relay.account == *account && relay.path.remote.is_ipv4() == server.is_ipv4()
            };
            if self.relays.current().any(is_there) {
                continue;
            }
            if self.relays.current().count() >= MAX_CURRENT {
                debug!(%server, "there are enough TURN servers without this one");
                continue;
            }
            let local = match self.network.add_relay(ip, &self.config) {
                Ok(local) => local,
                Err(error) => {
                    debug!(%error, %ip, "no socket for a TURN server");
                    continue;
                }
            };
            let (username, password) = (account.username.clone(), account.password.clone());
            self.relays.relays.push(Relay {
                client: Client::new(now, username, password, fastrand::Rng::new()),
                account: account.clone(),
                path: Path::udp(local, server),
                candidate: None,
                outdated: false,
                idle_since: None,
            });
        }
        let used = self.health.path.map(|path| path.local);
        while let Some(local) = self.relays.one_too_many(used) {
            self.release(local);
        }
        self.relays.send_messages(&mut self.network);
    }

    /// Lets datagrams from a candidate of the peer through.
    pub(super) fn expect_from(&mut self, ip: IpAddr) {
        self.relays.permit(Instant::now(), ip);
        self.relays.send_messages(&mut self.network);
    }

    /// Sends what the engine has to say, by way of a server if it comes from an address there.
    pub(super) fn transmit(&mut self, transmit: &Transmit) {
        let path = Path::of(transmit);
        let Relays { relays, wrapped, .. } = &mut self.relays;
        let relay = relays.iter_mut().find(|relay| relay.relays(path));
        let Some(relay) = relay else {
            self.network.push(path, &transmit.contents);
            return;
        };
        let leaves = relay.client.wrap(Instant::now(), path.remote, &transmit.contents, wrapped);
        while let Some(message) = relay.client.poll_message() {
            self.network.send_at_once(relay.path, &message);
        }
        if leaves {
            self.network.push(relay.path, wrapped);
        }
    }

    /// Does what the allocations have to do now; whether that changed the engine.
    pub(super) fn serve_relays(&mut self, now: Instant) -> bool {
        if self.relays.relays.is_empty() {
            return false;
        }
        let mut news = Vec::new();
        for relay in &mut self.relays.relays {
            if relay.client.deadline().is_some_and(|deadline| deadline <= now) {
                relay.client.pass_time(now);
            }
            while let Some(one) = relay.client.poll_news() {
                news.push((relay.path.local, one));
            }
        }
        self.relays.send_messages(&mut self.network);
        let mut changed = !news.is_empty();
        for (local, news) in news {
            match news {
                News::Allocated(relayed) => self.allocated(now, local, relayed),
                News::Over => self.lost(local),
            }
        }
        let used = self.health.path.map(|path| path.local);
        while let Some(local) = self.relays.retired(now, used) {
            self.release(local);
            changed = true;
        }
        changed
    }

    fn allocated(&mut self, now: Instant, local: SocketAddr, relayed: SocketAddr) {
        if !self.relays.current().any(|relay| relay.path.local == local) {
            return self.release(local);
        }
        let candidate = match Candidate::relayed(relayed, local, "udp") {
            Ok(candidate) => self.rtc.add_local_candidate(candidate).cloned(),
            Err(error) => {
                debug!(%error, "a TURN server relays at an unusable address");
                None
            }
        };
        let relay = self.relays.relays.iter_mut().find(|relay| relay.path.local == local);
        let (Some(candidate), Some(relay)) = (candidate, relay) else {
            return self.release(local);
        };
        relay.candidate = Some(candidate.clone());
        for ip in self.remote_candidates.addresses() {
            relay.client.permit(now, ip);
        }
        self.tell_candidate(candidate);
        self.relays.send_messages(&mut self.network);
        self.end_when_done();
    }

    /// When ICE has started anew in the engine: what is outdated has no part in it. What is sent goes on over the pair
    /// of before until there is another.
    pub(super) fn leave_out_outdated(&mut self) {
        let user = self.rtc.direct_api().local_ice_credentials().ufrag;
        if self.relays.user == user {
            return;
        }
        self.relays.user = user;
        let outdated = self.relays.relays.iter_mut().filter(|relay| relay.outdated);
        for candidate in outdated.filter_map(|relay| relay.candidate.take()) {
            self.rtc.direct_api().invalidate_candidate(&candidate);
        }
    }

    /// Gives an allocation back.
    fn release(&mut self, local: SocketAddr) {
        let relay = self.relays.relays.iter_mut().find(|relay| relay.path.local == local);
        if let Some(relay) = relay {
            relay.client.release();
        }
        self.relays.send_messages(&mut self.network);
        self.forget(local);
    }

    /// An allocation is gone, or never was; one that was is asked for again.
    fn lost(&mut self, local: SocketAddr) {
        let was_there = |relay: &&Relay| relay.path.local == local && relay.candidate.is_some();
        let account = self.relays.current().find(was_there).map(|relay| relay.account.clone());
        if let Some(account) = account.filter(|_| self.relays.replaced < MAX_REPLACED) {
            self.relays.replaced += 1;
            self.gathering.look_up(account.address.clone(), Some(account));
        }
        self.forget(local);
    }

    fn forget(&mut self, local: SocketAddr) {
        let relay = self.relays.take(local);
        self.network.remove_relay(local);
        if let Some(candidate) = relay.and_then(|relay| relay.candidate) {
            self.gathering.forget(&candidate);
            self.rtc.direct_api().invalidate_candidate(&candidate);
        }
        self.end_when_done();
    }

    /// Gives all allocations back, without waiting for their servers.
    pub(super) fn release_relays(&mut self) {
        for relay in &mut self.relays.relays {
            relay.client.release();
        }
        self.relays.send_messages(&mut self.network);
    }
}
