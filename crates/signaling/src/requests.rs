//! Frames that the service answers: who waits for which answer.

use std::time::Duration;

use skapi_rtc_protocol::{ErrorCode, GroupName, RequestRef};

use crate::{CallId, Instant, ordered::OrderedMap};

/// Answers awaited at a time. More would mean that the service has stopped answering.
const MAX_PENDING: usize = 1024;

/// One request of the application's (a join or a post); its answer is
/// [`Event::Request`](crate::Event::Request).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);

/// A request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The service refused it.
    #[error("the service refused: {text}")]
    Refused {
        /// In plain words.
        text: String,
        /// For programs.
        code: Option<ErrorCode>,
    },
    /// The link was lost before the answer came; it may or may not have been carried out.
    #[error("the connection to the service was lost before it answered")]
    LinkLost,
    /// The service did not answer in time.
    #[error("the service did not answer in time")]
    NoAnswer,
    /// A later request of the same kind took its place.
    #[error("a later request took its place")]
    Superseded,
    /// The session was closed.
    #[error("the session was closed")]
    Closed,
}

impl RequestError {
    /// Whether the same request may succeed a moment later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::LinkLost | Self::NoAnswer => true,
            Self::Refused { code, .. } => *code == Some(ErrorCode::TooFast),
            Self::Superseded | Self::Closed => false,
        }
    }
}

/// What an awaited answer is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Joining a group, or none, for a request of the application's or after a reconnect.
    Join(Option<GroupName>, Option<RequestId>),
    /// A post.
    Post(RequestId),
    /// A frame of a call that must reach its peer: an offer that rings, a question whether it is there.
    Reach(CallId),
}

#[derive(Debug, Default)]
pub(crate) struct Requests {
    pending: OrderedMap<RequestRef, (Purpose, Instant)>,
    next_ref: RequestRef,
    next_id: u64,
}

impl Requests {
    pub(crate) fn new_id(&mut self) -> RequestId {
        self.next_id += 1;
        RequestId(self.next_id)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.pending.len() >= MAX_PENDING
    }

    /// Awaits an answer. `None` when too many are awaited already: the frame then goes without.
    pub(crate) fn open(
        &mut self,
        purpose: Purpose,
        now: Instant,
        timeout: Duration,
    ) -> Option<RequestRef> {
        if self.is_full() {
            return None;
        }
        self.next_ref = self.next_ref.wrapping_add(1);
        self.pending.insert(self.next_ref, (purpose, now + timeout));
        Some(self.next_ref)
    }

    pub(crate) fn take(&mut self, reference: RequestRef) -> Option<Purpose> {
        self.pending.remove(&reference).map(|(purpose, _)| purpose)
    }

    /// Those whose time is over.
    pub(crate) fn take_expired(&mut self, now: Instant) -> Vec<Purpose> {
        let expired: Vec<_> =
            self.pending.iter().filter(|(_, (_, at))| *at <= now).map(|(r, _)| *r).collect();
        expired.into_iter().filter_map(|reference| self.take(reference)).collect()
    }

    /// All of them: the link is lost, no answer will come.
    pub(crate) fn take_all(&mut self) -> Vec<Purpose> {
        std::mem::take(&mut self.pending).into_values().map(|(purpose, _)| purpose).collect()
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.pending.values().map(|(_, at)| *at).min()
    }

    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }
}
