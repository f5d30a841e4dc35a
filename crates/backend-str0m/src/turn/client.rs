//! One allocation at a TURN server: an address that relays for us, as long as it lasts.
//!
//! ```text
//!            turned away: with credentials
//!              ┌──────┐
//!              ▼      │      granted                  refused, or not renewed in time
//!   new ────► Asking ─┴───────────────► Holding ─────────────────────────┐
//!               │                          │ release                     ▼
//!               └── refused, no answer ────┴──────────────────────────► Over
//! ```

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use tracing::debug;

use super::{
    access::Access,
    message::{self, Answer, Incoming},
    peers::{Peers, Way},
    requests::{self, Requests, Wish},
};
use crate::kind::is_encrypted;

/// How often one request is tried with other credentials.
const MAX_TURNED_AWAY: usize = 3;
/// The credentials are missing or wrong (RFC 8489 §14.8).
const UNAUTHORIZED: u16 = 401;
/// The server wants to see a newer nonce.
const STALE_NONCE: u16 = 438;

/// The longest that an allocation is believed to last: a clock that is wrong must not keep it from being renewed.
const MAX_LIFETIME: Duration = Duration::from_secs(3600);
/// The longest between two renewals of an allocation, and of a channel, which lasts 10 minutes (RFC 8656 §12).
const MAX_RENEWAL: Duration = Duration::from_secs(5 * 60);
/// The longest between two renewals of a permission, which lasts 5 minutes (RFC 8656 §9).
const MAX_PERMISSION_RENEWAL: Duration = Duration::from_secs(2 * 60);
/// The shortest between two renewals, whatever the server says.
const MIN_RENEWAL: Duration = Duration::from_millis(500);

/// What has become of an allocation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Peers reach us at this address.
    Allocated(SocketAddr),
    /// It is not, or no longer, there.
    Over,
}

pub(crate) struct Client {
    access: Access,
    requests: Requests,
    state: State,
    peers: Peers,
    outbox: VecDeque<Vec<u8>>,
    news: VecDeque<News>,
}

enum State {
    Asking,
    Holding(Lease),
    Over,
}

struct Lease {
    relayed: SocketAddr,
    /// Between two renewals.
    every: Duration,
    renew: Instant,
    expires: Instant,
}

impl Client {
    /// Asks for an allocation. `random` tells its requests from those of others.
    pub(crate) fn new(
        now: Instant,
        username: String,
        password: String,
        random: fastrand::Rng,
    ) -> Self {
        let mut client = Self {
            access: Access::new(username, password),
            requests: Requests::new(random),
            state: State::Asking,
            peers: Peers::default(),
            outbox: VecDeque::new(),
            news: VecDeque::new(),
        };
        client.ask(now, Wish::Allocate);
        client
    }

    /// The address at which peers reach us.
    pub(crate) fn relayed(&self) -> Option<SocketAddr> {
        match &self.state {
            State::Holding(lease) => Some(lease.relayed),
            State::Asking | State::Over => None,
        }
    }

    /// Whether it is not known if there is an allocation.
    pub(crate) fn is_asking(&self) -> bool {
        match self.state {
            State::Asking => true,
            State::Holding(_) => self.requests.has(Wish::Refresh),
            State::Over => false,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// What is to be sent to the server.
    pub(crate) fn poll_message(&mut self) -> Option<Vec<u8>> {
        self.outbox.pop_front()
    }

    pub(crate) fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// When [`pass_time`](Self::pass_time) has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let lease = match &self.state {
            State::Over => return None,
            State::Asking => None,
            State::Holding(lease) => Some(lease.renew.min(lease.expires)),
        };
        [self.requests.deadline(), lease, self.peers.deadline()].into_iter().flatten().min()
    }

    pub(crate) fn pass_time(&mut self, now: Instant) {
        let outbox = &mut self.outbox;
        for wish in self.requests.repeat(now, |message| outbox.push_back(message)) {
            self.unanswered(now, wish);
        }
        let State::Holding(lease) = &mut self.state else { return };
        if lease.expires <= now {
            debug!(relayed = %lease.relayed, "an allocation has lapsed");
            return self.end();
        }
        let (every, renew) = (lease.every, lease.renew <= now);
        if renew {
            lease.renew = now + every;
        }
        if renew {
            self.ask_once(now, Wish::Refresh);
        }
        let next = now + every.min(MAX_PERMISSION_RENEWAL);
        let (permissions, channels) = self.peers.renew(now, next);
        for ip in permissions {
            self.ask_once(now, Wish::Permit(ip));
        }
        for (peer, number) in channels {
            self.ask_once(now, Wish::Bind(peer, number));
        }
    }

    /// Lets datagrams from an address through, from which some are expected.
    pub(crate) fn permit(&mut self, now: Instant, ip: IpAddr) {
        self.let_through(now, ip, false);
    }

    /// Asks whether the allocation is still there: a server that was started anew knows of none.
    pub(crate) fn check(&mut self, now: Instant) {
        if matches!(self.state, State::Holding(_)) {
            self.ask_once(now, Wish::Refresh);
        }
    }

    /// Puts a datagram to a peer into one to the server; whether it can leave. What is asked for meanwhile has to be
    /// sent first.
    pub(crate) fn wrap(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        contents: &[u8],
        wrapped: &mut Vec<u8>,
    ) -> bool {
        if !self.let_through(now, peer.ip(), true) {
            return false;
        }
        if let Some(number) = self.peers.channel_to(peer) {
            return message::write_channel_data(wrapped, number, contents).is_some();
        }
        if is_encrypted(contents)
            && let Some(number) = self.peers.bind(now, peer)
        {
            self.ask_once(now, Wish::Bind(peer, number));
        }
        let transaction = self.requests.transaction();
        message::write_indication(wrapped, transaction, peer, contents).is_some()
    }

    /// Takes what the server has sent; gives the datagram of a peer that is in it.
    pub(crate) fn take<'a>(
        &mut self,
        now: Instant,
        contents: &'a [u8],
    ) -> Option<(SocketAddr, &'a [u8])> {
        match Incoming::read(contents)? {
            Incoming::Answer(answer) => {
                self.answered(now, &answer);
                None
            }
            Incoming::Channel { number, contents } => {
                Some((self.peers.channel_from(number)?, contents))
            }
            Incoming::Indication { peer, contents } => {
                self.peers.is_permitted(peer.ip()).then_some((peer, contents))
            }
        }
    }

    /// Gives the allocation back: the server gets one message and is not waited for.
    pub(crate) fn release(&mut self) {
        if self.is_over() {
            return;
        }
        let was_known = self.access.is_challenged();
        self.end();
        self.news.clear();
        if was_known {
            let transaction = self.requests.transaction();
            let message = self.access.sign(requests::request(Wish::Release, transaction));
            self.outbox.push_back(message);
        }
    }

    fn let_through(&mut self, now: Instant, ip: IpAddr, sends: bool) -> bool {
        let State::Holding(lease) = &self.state else { return false };
        if lease.relayed.is_ipv4() != ip.is_ipv4() {
            return false;
        }
        match self.peers.permit(now, ip, sends) {
            Way::Shut => return false,
            Way::Ask => self.ask_once(now, Wish::Permit(ip)),
            Way::Open => {}
        }
        true
    }

    fn answered(&mut self, now: Instant, answer: &Answer<'_>) {
        let Some(index) = self.requests.find(answer) else { return };
        // Refusals are often not signed. Whoever could forge one on the way could as well drop the request.
        if answer.error.is_none() && !self.access.has_signed(&answer.message) {
            debug!("an answer was not signed by the TURN server");
            return;
        }
        let was_known = self.access.is_challenged();
        let pending = self.requests.remove(index);
        let wish = pending.wish;
        let may_try_again = match answer.error {
            Some(STALE_NONCE) => true,
            Some(UNAUTHORIZED) => !was_known,
            _ => false,
        };
        match answer.error {
            Some(_)
                if may_try_again
                    && pending.turned_away < MAX_TURNED_AWAY
                    && self.access.take_challenge(&answer.message) =>
            {
                self.ask_again(now, wish, pending.turned_away + 1);
            }
            Some(code) => {
                debug!(?wish, code, "a TURN server refuses");
                self.refused(now, wish);
            }
            None => self.granted(now, wish, answer),
        }
    }

    fn granted(&mut self, now: Instant, wish: Wish, answer: &Answer<'_>) {
        let lifetime = answer.message.lifetime().map(|seconds| Duration::from_secs(seconds.into()));
        let lifetime = lifetime.filter(|time| !time.is_zero()).map(|time| time.min(MAX_LIFETIME));
        match (wish, lifetime) {
            (Wish::Allocate, Some(lifetime)) => match answer.message.xor_relayed_address() {
                Some(relayed) => {
                    self.state = State::Holding(Lease::new(relayed, now, lifetime));
                    self.news.push_back(News::Allocated(relayed));
                }
                None => self.refused(now, wish),
            },
            (Wish::Refresh, Some(lifetime)) => {
                if let State::Holding(lease) = &mut self.state {
                    *lease = Lease::new(lease.relayed, now, lifetime);
                }
            }
            (Wish::Allocate | Wish::Refresh, None) => self.refused(now, wish),
            (Wish::Release, _) => {}
            (Wish::Permit(ip), _) => {
                self.peers.permitted(ip, now + self.every().min(MAX_PERMISSION_RENEWAL));
            }
            (Wish::Bind(peer, _), _) => self.peers.bound(peer, now + self.every()),
        }
    }

    fn refused(&mut self, now: Instant, wish: Wish) {
        match wish {
            Wish::Allocate | Wish::Refresh => self.end(),
            Wish::Release => {}
            Wish::Permit(ip) => self.peers.permission_refused(now, ip),
            Wish::Bind(peer, _) => self.peers.binding_refused(now, peer),
        }
    }

    fn unanswered(&mut self, now: Instant, wish: Wish) {
        debug!(?wish, "a TURN server does not answer");
        match wish {
            Wish::Allocate => self.end(),
            // Until the allocation lapses there is time.
            Wish::Refresh => {
                if let State::Holding(lease) = &mut self.state {
                    lease.renew = now + (lease.every / 10).max(MIN_RENEWAL);
                }
            }
            Wish::Release => {}
            Wish::Permit(ip) => self.peers.permission_unanswered(ip),
            // Without a channel it goes on with the longer header.
            Wish::Bind(peer, _) => self.peers.binding_unanswered(peer),
        }
    }

    fn every(&self) -> Duration {
        match &self.state {
            State::Holding(lease) => lease.every,
            State::Asking | State::Over => MAX_RENEWAL,
        }
    }

    fn ask_once(&mut self, now: Instant, wish: Wish) {
        if !self.requests.has(wish) {
            self.ask(now, wish);
        }
    }

    fn ask(&mut self, now: Instant, wish: Wish) {
        self.ask_again(now, wish, 0);
    }

    fn ask_again(&mut self, now: Instant, wish: Wish, turned_away: usize) {
        let message = self.requests.add(now, wish, turned_away, &self.access);
        self.outbox.push_back(message);
    }

    fn end(&mut self) {
        self.state = State::Over;
        self.requests.clear();
        self.peers = Peers::default();
        self.outbox.clear();
        self.news.push_back(News::Over);
    }
}

impl Lease {
    fn new(relayed: SocketAddr, now: Instant, lifetime: Duration) -> Self {
        let every = (lifetime / 2).clamp(MIN_RENEWAL, MAX_RENEWAL);
        Self { relayed, every, renew: now + every, expires: now + lifetime }
    }
}
