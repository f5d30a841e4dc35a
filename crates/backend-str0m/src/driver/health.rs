//! How the connection is doing, and over which pair of addresses.
//!
//! The engine notices a lost peer after 15 s or more; so the driver looks itself at how long the peer has
//! been silent, which an answered sign of life every keepalive interval breaks.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use skapi_rtc_backend::{CandidateKind, CandidatePair, CandidateStats, ConnectionState, PeerEvent};
use str0m::{IceConnectionState, net::Transmit};

use super::Driver;
use crate::{Config, kind::is_encrypted, path::Path};

pub(super) struct Health {
    pub(super) ice: IceConnectionState,
    /// Whether DTLS is up.
    pub(super) secured: bool,
    state: ConnectionState,
    heard: Instant,
    lost_since: Option<Instant>,
    /// The path that was chosen.
    pub(super) path: Option<Path>,
    selected: Option<CandidatePair>,
    disconnected_after: Duration,
    failed_after: Duration,
}

impl Health {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            ice: IceConnectionState::New,
            secured: false,
            state: ConnectionState::New,
            heard: Instant::now(),
            lost_since: None,
            path: None,
            selected: None,
            disconnected_after: config.disconnected_after,
            failed_after: config.failed_after,
        }
    }

    /// Something came from this address.
    pub(super) fn heard(&mut self, now: Instant, source: SocketAddr) {
        if self.path.is_none_or(|path| path.remote == source) {
            self.heard = now;
        }
    }

    /// Checks begin, at first or anew.
    pub(super) fn checking(&mut self, now: Instant) {
        if self.state == ConnectionState::Failed {
            self.heard = now;
        }
    }

    /// Whether every connectivity check should leave as soon as it can.
    pub(super) fn is_connecting(&self) -> bool {
        !self.secured || matches!(self.ice, IceConnectionState::New | IceConnectionState::Checking)
    }

    pub(super) fn selected_pair(&self) -> Option<CandidatePair> {
        self.selected.clone()
    }

    /// What the state has become, if that is news.
    fn evaluate(&mut self, now: Instant) -> Option<ConnectionState> {
        use ConnectionState::{Connected, Connecting, Disconnected, Failed, New};
        let reachable = match self.ice {
            IceConnectionState::New => return None,
            IceConnectionState::Disconnected => false,
            _ => true,
        };
        let was_connected = matches!(self.state, Connected | Disconnected);
        let silent = was_connected && now.duration_since(self.heard) >= self.disconnected_after;
        if reachable && !silent {
            self.lost_since = None;
        } else {
            self.lost_since.get_or_insert(now);
        }
        let lost_for_good =
            self.lost_since.is_some_and(|since| now.duration_since(since) >= self.failed_after);
        let checked =
            matches!(self.ice, IceConnectionState::Connected | IceConnectionState::Completed);
        let next = match self.state {
            Failed if !reachable || silent => Failed,
            _ if lost_for_good => Failed,
            Connected | Disconnected if self.lost_since.is_some() => Disconnected,
            // An ICE restart goes on beside the old pair.
            Connected | Disconnected => Connected,
            _ if checked && self.secured => Connected,
            New | Connecting | Failed | ConnectionState::Closed => Connecting,
        };
        self.change(next)
    }

    /// The engine has given up.
    pub(super) fn fail(&mut self) -> Option<ConnectionState> {
        self.ice = IceConnectionState::New;
        self.change(ConnectionState::Failed)
    }

    fn change(&mut self, next: ConnectionState) -> Option<ConnectionState> {
        (std::mem::replace(&mut self.state, next) != next).then_some(next)
    }

    /// When the state changes if nothing else happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match (self.lost_since, self.state) {
            (_, ConnectionState::Failed) => None,
            (Some(since), _) => Some(since + self.failed_after),
            (None, ConnectionState::Connected) => Some(self.heard + self.disconnected_after),
            _ => None,
        }
    }
}

impl Driver {
    /// Tells the application how the connection is doing, when that has changed.
    pub(super) fn watch_health(&mut self, now: Instant) {
        if let Some(state) = self.health.evaluate(now) {
            if state == ConnectionState::Connected {
                self.tracks.connected();
            }
            self.state_changed(state);
            self.shared.emit(PeerEvent::State(state));
        }
    }

    /// What carries encrypted data goes over the pair that was chosen.
    pub(super) fn note_pair(&mut self, transmit: &Transmit) {
        let path = Path::of(transmit);
        if !is_encrypted(&transmit.contents) || self.health.path == Some(path) {
            return;
        }
        self.health.path = Some(path);
        self.fit_window();
        self.network.carry_on(path);
        let candidate = |kind, address: SocketAddr| {
            CandidateStats::new(kind, path.protocol_name(), address.to_string())
        };
        // What comes through a NAT leaves from the same socket as what does not.
        let relayed = self.relays.is_relayed(path);
        let kind = if relayed { CandidateKind::Relay } else { CandidateKind::Host };
        let local = candidate(kind, path.local);
        let remote = candidate(self.remote_candidates.kind(path.remote), path.remote);
        let selected = CandidatePair::new(local, remote);
        self.health.selected = Some(selected.clone());
        self.shared.emit(PeerEvent::SelectedPair(selected));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

    fn connected() -> (Health, Instant) {
        let now = Instant::now();
        let config = Config::default().timeouts(Duration::from_secs(4), Duration::from_secs(15));
        let mut health = Health::new(&config);
        assert_eq!(health.evaluate(now), None);
        health.ice = IceConnectionState::Checking;
        assert_eq!(health.evaluate(now), Some(ConnectionState::Connecting));
        health.ice = IceConnectionState::Connected;
        assert_eq!(health.evaluate(now), None, "not before DTLS");
        health.secured = true;
        health.heard(now, PEER);
        assert_eq!(health.evaluate(now), Some(ConnectionState::Connected));
        (health, now)
    }

    #[test]
    fn silence_disconnects_and_then_fails() {
        let (mut health, start) = connected();
        let silent = health.deadline().unwrap();
        assert_eq!(silent, start + Duration::from_secs(4));
        assert_eq!(health.evaluate(silent), Some(ConnectionState::Disconnected));
        let lost = health.deadline().unwrap();
        assert_eq!(lost, silent + Duration::from_secs(15));
        assert_eq!(health.evaluate(lost), Some(ConnectionState::Failed));
        assert_eq!(health.deadline(), None);
    }

    #[test]
    fn a_word_from_the_peer_connects_again() {
        let (mut health, _) = connected();
        let silent = health.deadline().unwrap();
        assert_eq!(health.evaluate(silent), Some(ConnectionState::Disconnected));
        health.heard(silent, PEER);
        assert_eq!(health.evaluate(silent), Some(ConnectionState::Connected));
    }

    #[test]
    fn a_restart_of_a_running_connection_changes_nothing_and_a_failed_one_connects_again() {
        let (mut health, now) = connected();
        health.ice = IceConnectionState::Checking;
        assert_eq!(health.evaluate(now), None);
        health.ice = IceConnectionState::Disconnected;
        assert_eq!(health.evaluate(now), Some(ConnectionState::Disconnected));
        let lost = health.deadline().unwrap();
        assert_eq!(health.evaluate(lost), Some(ConnectionState::Failed));
        health.ice = IceConnectionState::Checking;
        health.checking(lost);
        assert_eq!(health.evaluate(lost), Some(ConnectionState::Connecting));
        health.ice = IceConnectionState::Completed;
        assert_eq!(health.evaluate(lost), Some(ConnectionState::Connected));
    }
}
