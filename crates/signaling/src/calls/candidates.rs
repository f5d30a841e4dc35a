//! Candidates that come before their time: held in order, bounded, and let go when their description is
//! in place.

use std::collections::VecDeque;

use skapi_rtc_protocol::{IceCandidate, SessionDescription};

/// Candidates held for one description. Browsers gather 8 to 24; far beyond that is no honest peer.
const MAX_HELD: usize = 128;

/// The peer's candidates: applied only to a remote description that is in place, and only to the one
/// they belong to.
#[derive(Debug, Default)]
pub(super) struct RemoteCandidates {
    held: VecDeque<IceCandidate>,
    description: Description,
}

#[derive(Debug, Default)]
enum Description {
    /// None yet, or one is being put in place.
    #[default]
    Pending,
    /// In place, with this ICE user name fragment where it names one.
    Applied { ufrag: Option<String> },
}

impl RemoteCandidates {
    /// Gives the candidate back if it can be applied now; otherwise keeps it.
    pub(super) fn offer(&mut self, candidate: IceCandidate) -> Option<IceCandidate> {
        match &self.description {
            Description::Applied { ufrag } => {
                belongs(&candidate, ufrag.as_deref()).then_some(candidate)
            }
            Description::Pending => {
                if self.held.len() < MAX_HELD {
                    self.held.push_back(candidate);
                }
                None
            }
        }
    }

    /// A description is about to be put in place: hold everything until it is.
    pub(super) fn suspend(&mut self) {
        self.description = Description::Pending;
    }

    /// The description is in place. Gives what was held for it, in order; the rest belonged to others.
    pub(super) fn release(&mut self, description: &SessionDescription) -> Vec<IceCandidate> {
        self.resume(description.ice_ufrag().map(str::to_owned))
    }

    /// The description was refused and the one before still stands.
    pub(super) fn resume(&mut self, ufrag: Option<String>) -> Vec<IceCandidate> {
        let released = std::mem::take(&mut self.held)
            .into_iter()
            .filter(|candidate| belongs(candidate, ufrag.as_deref()))
            .collect();
        self.description = Description::Applied { ufrag };
        released
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Our candidates: sent only after the description they belong to.
#[derive(Debug, Default)]
pub(super) struct LocalCandidates {
    held: VecDeque<IceCandidate>,
    described: bool,
}

impl LocalCandidates {
    /// Gives the candidate back if it can be sent now; otherwise keeps it.
    pub(super) fn offer(&mut self, candidate: IceCandidate) -> Option<IceCandidate> {
        if self.described {
            return Some(candidate);
        }
        if self.held.len() < MAX_HELD {
            self.held.push_back(candidate);
        }
        None
    }

    /// The description was sent. Gives what was held, in order.
    pub(super) fn release(&mut self) -> VecDeque<IceCandidate> {
        self.described = true;
        std::mem::take(&mut self.held)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

fn belongs(candidate: &IceCandidate, ufrag: Option<&str>) -> bool {
    match (candidate.username_fragment.as_deref(), ufrag) {
        (Some(own), Some(described)) if !own.is_empty() => own == described,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(name: &str, ufrag: Option<&str>) -> IceCandidate {
        IceCandidate {
            candidate: name.to_owned(),
            username_fragment: ufrag.map(str::to_owned),
            ..IceCandidate::default()
        }
    }

    #[test]
    fn remote_candidates_wait_and_keep_their_order() {
        let mut remote = RemoteCandidates::default();
        for name in ["a", "b", "c"] {
            assert_eq!(remote.offer(candidate(name, None)), None);
        }
        let released = remote.release(&SessionDescription::answer(""));
        let names: Vec<_> = released.iter().map(|c| c.candidate.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert!(remote.offer(candidate("d", None)).is_some());
    }

    #[test]
    fn candidates_of_another_description_are_dropped() {
        let mut remote = RemoteCandidates::default();
        remote.offer(candidate("old", Some("aaaa")));
        remote.offer(candidate("new", Some("bbbb")));
        let released = remote.release(&SessionDescription::answer("a=ice-ufrag:bbbb\r\n"));
        assert_eq!(released, [candidate("new", Some("bbbb"))]);
        assert_eq!(remote.offer(candidate("late", Some("aaaa"))), None);
    }

    #[test]
    fn what_a_peer_can_make_us_hold_is_bounded() {
        let mut remote = RemoteCandidates::default();
        for _ in 0..10 * MAX_HELD {
            remote.offer(candidate("x", None));
        }
        assert_eq!(remote.release(&SessionDescription::answer("")).len(), MAX_HELD);
    }

    #[test]
    fn local_candidates_follow_their_description() {
        let mut local = LocalCandidates::default();
        assert_eq!(local.offer(candidate("a", None)), None);
        assert_eq!(local.release(), [candidate("a", None)]);
        assert!(local.offer(candidate("b", None)).is_some());
    }
}
