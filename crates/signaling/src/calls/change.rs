//! A change of the running call that does not reach the peer: whoever wanted it is told.
//!
//! The call goes on as it was. An engine says at once that it wants to negotiate again, as long as the
//! application does not take the change back, so `negotiation.rs` offers it again after a while.

use skapi_rtc_protocol::Capability;

use super::{Ctx, call::Call};
use crate::{CallEvent, ChangeError};

/// Where the application's change is.
#[derive(Debug, Default)]
pub(super) struct Change {
    waits: bool,
    /// In the offer that is being made, or is out.
    offered: bool,
    /// The peer takes none, and the application knows.
    hopeless: bool,
}

impl Change {
    /// An offer is made, which carries all that waits.
    pub(super) fn goes_out(&mut self) {
        self.offered |= std::mem::take(&mut self.waits);
    }

    /// The offer is taken back, and another will follow.
    pub(super) fn comes_back(&mut self) {
        self.waits |= std::mem::take(&mut self.offered);
    }

    /// The offer was answered.
    pub(super) fn has_arrived(&mut self) {
        self.offered = false;
    }
}

impl Call {
    /// The engine has something to negotiate.
    pub(super) fn change_wanted(&mut self, ctx: &mut Ctx<'_>) {
        self.negotiation.change.waits = true;
        let takes_changes = self.peer_can(&Capability::Renegotiate);
        let change = &mut self.negotiation.change;
        if !takes_changes && !std::mem::replace(&mut change.hopeless, true) {
            ctx.out.call_event(self.id, CallEvent::ChangeFailed(ChangeError::Unsupported));
        }
    }

    /// The offer comes to nothing.
    pub(super) fn change_failed(&mut self, why: ChangeError, ctx: &mut Ctx<'_>) {
        if std::mem::take(&mut self.negotiation.change.offered) {
            ctx.out.call_event(self.id, CallEvent::ChangeFailed(why));
        }
    }
}
