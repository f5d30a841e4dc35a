//! Whether the peer is still there: what the service says of it, and what the transports say.
//!
//! A peer whose link to the service is gone may still be on the line, and a line that is interrupted may
//! come back. Only both together mean that the peer is gone.

use std::time::Duration;

use skapi_rtc_protocol::{ErrorCode, RtcSignal};

use super::{
    Ctx,
    call::{Call, Flow, Phase},
    engine::Transport,
};
use crate::{CallEnd, CallEvent, EndReason, RequestError, Side};

/// A peer that hangs up closes its transports too, and that may be seen before its `hungup`, which takes
/// the way through the service. So a lost transport waits this long for the better reason.
const HANGUP_MAY_FOLLOW: Duration = Duration::from_secs(1);

impl Call {
    /// The service says that the peer's connection to it is gone.
    pub(super) fn on_peer_disconnected(&mut self, ctx: &mut Ctx<'_>) -> Flow {
        match self.phase {
            Phase::Established
                if self.engine.transport == Transport::Connected && self.failing.is_none() =>
            {
                self.peer_link_lost = true;
                self.deadline = Some(ctx.now + ctx.config.peer_gone_grace);
                Flow::Continue(())
            }
            _ => peer_gone(),
        }
    }

    /// The service answered a frame that was to reach the peer.
    pub(super) fn on_reached(&mut self, result: Result<(), RequestError>) -> Flow {
        let Err(RequestError::Refused { text, code }) = result else {
            return Flow::Continue(());
        };
        let unknown = code == Some(ErrorCode::UnknownConnection);
        match self.phase {
            Phase::Established if unknown && self.engine.transport == Transport::Interrupted => {
                peer_gone()
            }
            Phase::Preparing | Phase::Dialing { .. } => {
                let reason = match code {
                    Some(ErrorCode::UnknownConnection) => EndReason::Unreachable,
                    _ => EndReason::ServiceRefused(text),
                };
                Flow::Break(CallEnd { reason, by: Side::Remote })
            }
            _ => Flow::Continue(()),
        }
    }

    /// The transports are interrupted.
    pub(super) fn on_interrupted(&mut self, ctx: &mut Ctx<'_>) -> Flow {
        if !self.is_established() || self.engine.transport == Transport::Interrupted {
            return Flow::Continue(());
        }
        self.engine.transport = Transport::Interrupted;
        ctx.out.call_event(self.id, CallEvent::Disconnected);
        if self.peer_link_lost {
            return peer_gone();
        }
        if ctx.answers {
            self.send_to_reach(RtcSignal::None, ctx);
        }
        Flow::Continue(())
    }

    /// The transports are gone for good.
    pub(super) fn on_transport_lost(&mut self, reason: EndReason, ctx: &mut Ctx<'_>) -> Flow {
        if self.peer_link_lost {
            return peer_gone();
        }
        if self.failing.is_none() {
            self.failing = Some(reason);
            self.deadline = Some(ctx.now + HANGUP_MAY_FOLLOW);
        }
        Flow::Continue(())
    }

    /// The peer's link is gone, and the time in which its transports might have followed is over.
    pub(super) fn on_grace_over(&mut self) -> Flow {
        if self.peer_link_lost && self.engine.transport == Transport::Interrupted {
            return peer_gone();
        }
        self.peer_link_lost = false;
        Flow::Continue(())
    }

    /// Our own link came back, maybe under another connection id: a peer that knows how is told, and what
    /// it may not have got is sent again.
    pub(super) fn on_link_back(&mut self, ctx: &mut Ctx<'_>) {
        if self.outlives_link() && self.peer_knows.is_some() {
            self.send(RtcSignal::None, ctx);
            self.send_again(ctx);
        }
    }

    /// Whether the call goes on while our link is down: it needs none, or will catch up.
    pub(super) fn outlives_link(&self) -> bool {
        self.is_up() || self.delivery.is_certain()
    }
}

fn peer_gone() -> Flow {
    Flow::Break(CallEnd { reason: EndReason::PeerGone, by: Side::Remote })
}
