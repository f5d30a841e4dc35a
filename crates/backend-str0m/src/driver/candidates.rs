//! Candidates of the peer: those that come before their description wait for it.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
};

use skapi_rtc_backend::{CandidateKind, NegotiationError};
use skapi_rtc_protocol::IceCandidate;
use str0m::{Candidate, net::Protocol};
use tracing::debug;

use super::Driver;
use crate::convert::{self, RemoteCandidate};

/// Candidates that may wait for a remote description.
const MAX_EARLY: usize = 256;
/// Addresses of the peer whose kind is remembered.
const MAX_KNOWN: usize = 256;

#[derive(Default)]
pub(super) struct RemoteCandidates {
    /// The ICE user of the remote description, once there is one.
    user: Option<String>,
    early: VecDeque<(Option<String>, Candidate)>,
    kinds: HashMap<SocketAddr, CandidateKind>,
}

impl RemoteCandidates {
    /// The ICE user of the remote description.
    pub(super) fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Where an address of the peer came from; one it did not name was learned from its packets.
    pub(super) fn kind(&self, address: SocketAddr) -> CandidateKind {
        self.kinds.get(&address).copied().unwrap_or(CandidateKind::PeerReflexive)
    }

    /// Where the peer may be, as far as it has said so.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.kinds.keys().map(SocketAddr::ip)
    }

    fn remember(&mut self, candidate: &Candidate) {
        if self.kinds.len() < MAX_KNOWN {
            self.kinds.insert(candidate.addr(), convert::candidate_kind(candidate.kind()));
        }
    }
}

impl Driver {
    pub(super) fn add_candidate(
        &mut self,
        candidate: IceCandidate,
    ) -> Result<(), NegotiationError> {
        if candidate.is_end_of_candidates() {
            // The engine does not use it.
            return Ok(());
        }
        let usable =
            convert::remote_candidate(&candidate).map_err(NegotiationError::BadCandidate)?;
        let RemoteCandidate::Usable(usable) = usable else {
            debug!(candidate.candidate, "this engine cannot use a candidate of the peer");
            return Ok(());
        };
        let user = candidate.username_fragment;
        let known = self.remote_candidates.user();
        if known.is_some() && (user.is_none() || user.as_deref() == known) {
            self.remember(&usable);
            self.rtc.add_remote_candidate(usable);
            return Ok(());
        }
        let early = &mut self.remote_candidates.early;
        if early.len() >= MAX_EARLY {
            return Err(NegotiationError::BadCandidate(format!(
                "{MAX_EARLY} candidates wait for their description already"
            )));
        }
        early.push_back((user, usable));
        Ok(())
    }

    /// A remote description is in place: its candidates go on, and older ones are forgotten.
    pub(super) fn remote_user_is(&mut self, user: Option<&str>, sdp: &str) {
        self.remote_candidates.user = user.map(str::to_owned);
        let lines = sdp.lines().filter_map(|line| line.strip_prefix("a=candidate:"));
        for value in lines {
            let candidate = IceCandidate { candidate: value.to_owned(), ..IceCandidate::default() };
            // The engine has read them, too.
            if let Ok(RemoteCandidate::Usable(candidate)) = convert::remote_candidate(&candidate) {
                self.remember(&candidate);
            }
        }
        for (meant_for, candidate) in std::mem::take(&mut self.remote_candidates.early) {
            if meant_for.is_none() || meant_for.as_deref() == user {
                self.remember(&candidate);
                self.rtc.add_remote_candidate(candidate);
            }
        }
    }

    fn remember(&mut self, candidate: &Candidate) {
        self.remote_candidates.remember(candidate);
        if candidate.proto() == Protocol::Tcp {
            self.may_connect_to(candidate.addr());
        }
        self.expect_from(candidate.addr().ip());
    }
}
