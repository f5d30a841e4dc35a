//! Why a call never came up: what was there to connect, and how far that got.

use skapi_rtc_protocol::{IceCandidate, SessionDescription};

use crate::{EndReason, Side, TriedPair};

/// Addresses of a side that are noted, and pairs of them that are told. Engines try more.
const MAX_NOTED: usize = 16;
const MAX_PAIRS: usize = 32;

/// What there was to connect.
#[derive(Debug, Default)]
pub(super) struct Diagnosis {
    ours: Vec<Address>,
    peers: Vec<Address>,
    path_found: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Address {
    kind: String,
    transport: String,
    host: String,
    port: String,
}

impl Diagnosis {
    pub(super) fn note_ours(&mut self, candidate: &IceCandidate) {
        if !self.path_found {
            note(&mut self.ours, &candidate.candidate);
        }
    }

    pub(super) fn note_peers(&mut self, candidate: &IceCandidate) {
        if !self.path_found {
            note(&mut self.peers, &candidate.candidate);
        }
    }

    /// Candidates that were gathered in time stand in the description itself.
    pub(super) fn note_our_description(&mut self, description: &SessionDescription) {
        note_all(&mut self.ours, description);
    }

    pub(super) fn note_peers_description(&mut self, description: &SessionDescription) {
        note_all(&mut self.peers, description);
    }

    /// A pair of addresses answers; what is left is the handshake over it.
    pub(super) fn path_found(&mut self) {
        // What there was to choose from does not matter any more.
        *self = Self { path_found: true, ..Self::default() };
    }

    pub(super) fn why_never_up(&self) -> EndReason {
        if self.path_found {
            return EndReason::HandshakeFailed;
        }
        if self.ours.is_empty() {
            return EndReason::NoCandidates(Side::Local);
        }
        if self.peers.is_empty() {
            return EndReason::NoCandidates(Side::Remote);
        }
        let all = self.ours.iter().flat_map(|own| self.peers.iter().map(move |peer| (own, peer)));
        let tried = all.filter(|(own, peer)| own.fits(peer));
        let tried = tried
            .map(|(own, peer)| TriedPair { local: own.to_string(), remote: peer.to_string() })
            .take(MAX_PAIRS)
            .collect();
        EndReason::NoPath { tried }
    }
}

fn note_all(noted: &mut Vec<Address>, description: &SessionDescription) {
    for line in description.sdp.lines() {
        if let Some(candidate) = line.strip_prefix("a=candidate:") {
            note(noted, candidate);
        }
    }
}

fn note(noted: &mut Vec<Address>, candidate: &str) {
    if let Some(address) = Address::read(candidate)
        && noted.len() < MAX_NOTED
        && !noted.contains(&address)
    {
        noted.push(address);
    }
}

impl Address {
    /// `candidate:<foundation> <component> <transport> <priority> <address> <port> typ <type>`, RFC 8839
    /// §5.1. None of it is vouched for, so none of it is kept beyond a reasonable length.
    fn read(candidate: &str) -> Option<Self> {
        const MAX_WORD: usize = 64;
        let mut words = candidate.split_ascii_whitespace().skip(2);
        let mut word = || words.next().filter(|word| word.len() <= MAX_WORD).map(str::to_owned);
        let transport = word()?.to_ascii_lowercase();
        let _priority = word()?;
        let (host, port) = (word()?, word()?);
        let _typ = word()?;
        Some(Self { kind: word()?, transport, host, port })
    }

    /// Whether two addresses can be a pair at all. A name may stand for either family.
    fn fits(&self, other: &Self) -> bool {
        let is_name = |host: &str| host.ends_with(".local");
        let one_family = self.host.contains(':') == other.host.contains(':');
        self.transport == other.transport
            && (one_family || is_name(&self.host) || is_name(&other.host))
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, transport, host, port } = self;
        if host.contains(':') {
            write!(f, "{kind} {transport} [{host}]:{port}")
        } else {
            write!(f, "{kind} {transport} {host}:{port}")
        }
    }
}
