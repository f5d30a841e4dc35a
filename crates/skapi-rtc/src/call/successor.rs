//! The call that goes on in the place of another one, when the peer has changed to another device.

use std::sync::{Arc, Weak};

use super::{Call, CallShared, Lease, connected, ended};

/// The call that is to take a call's place.
#[derive(Debug, Default)]
pub(super) enum Successor {
    #[default]
    None,
    /// Nobody has it yet: it is hung up with the last handle of the call whose place it takes.
    Kept(Arc<Lease>),
    /// The application has it.
    Given(Weak<Lease>),
}

impl Call {
    /// Waits for the end of the call, and gives the one that takes its place: the peer goes on with it on another
    /// of its devices, which called anew and was accepted, with the tracks that this call sends. `None` when the call
    /// was simply over. Ask whenever a call ends by something else than your own [`hangup`](Self::hangup): the
    /// other device may have been about to take over when the path to the first one was lost.
    ///
    /// The peer's device opens the channels of the new call. Whoever drops the last handle of a call without having
    /// asked for its successor hangs that up, too. Cancel-safe.
    pub async fn successor(&self) -> Option<Call> {
        ended(self.shared()).await;
        let lease = self.shared().successor()?;
        connected(&lease.shared).await.ok()?;
        self.shared().successor_given(&lease);
        Some(Call::new(lease))
    }
}

impl CallShared {
    pub(crate) fn set_successor(&self, lease: Arc<Lease>) {
        let old = std::mem::replace(&mut self.lock().successor, Successor::Kept(lease));
        drop(old); // outside the lock: it may be hung up by that
    }

    fn successor(&self) -> Option<Arc<Lease>> {
        match &self.lock().successor {
            Successor::None => None,
            Successor::Kept(lease) => Some(lease.clone()),
            Successor::Given(lease) => lease.upgrade(),
        }
    }

    fn successor_given(&self, lease: &Arc<Lease>) {
        let given = Successor::Given(Arc::downgrade(lease));
        let kept = std::mem::replace(&mut self.lock().successor, given);
        drop(kept);
    }
}
