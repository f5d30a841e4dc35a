//! Whether the peer is still there: what the service says of it, and what the transports say.
//!
//! A peer whose link to the service is gone may still be on the line, and a line that is interrupted may
//! come back. Only both together mean that the peer is gone; one that can start ICE anew has a while to
//! come back all the same, because a change of networks takes both.
//!
//! A service of ours tells at once that a peer has lost its socket, and when it has come back. A process
//! that was killed looks like that. Who changes networks as a rule does not: nobody is there to close the
//! old socket.

use std::time::Duration;

use skapi_rtc_protocol::{ErrorCode, LinkState, RtcSignal};

use super::{
    Ctx,
    call::{Call, Flow, Phase},
    engine::Transport,
};
use crate::{CallEnd, EndReason, Instant, RequestError, Side};

/// A peer that hangs up closes its transports too, and that may be seen before its `hungup`, which takes
/// the way through the service. So a lost transport waits this long for the better reason.
const HANGUP_MAY_FOLLOW: Duration = Duration::from_secs(1);

impl Call {
    /// The service says that the peer's connection to it is gone.
    pub(super) fn on_peer_disconnected(&mut self, ctx: &mut Ctx<'_>) -> Flow {
        self.peer_away_until = None;
        self.lose_sight_of_peer();
        let on_the_line = self.engine.transport == Transport::Connected && self.failing.is_none();
        // A service that takes connections up again has waited for this one already.
        let waited = ctx.own.is_some_and(|own| own.resume.is_some());
        match self.phase {
            Phase::Established if on_the_line || (self.can_restart() && !waited) => {
                self.await_sign_of_life(ctx);
                Flow::Continue(())
            }
            _ => peer_gone(),
        }
    }

    /// The service says that the peer has lost its socket, or is back.
    pub(super) fn on_peer_link(&mut self, state: &LinkState, ctx: &mut Ctx<'_>) {
        match state {
            LinkState::Lost => {
                let until = ctx.now + ctx.config.peer_gone_grace;
                self.peer_away_until.get_or_insert(until);
            }
            LinkState::Back => {
                self.peer_away_until = None;
                self.restart_on_link_back(ctx);
            }
            _ => {}
        }
    }

    /// Our own connection is another one now: what was said of the peer's is old.
    pub(super) fn forget_peer_link(&mut self) {
        self.peer_away_until = None;
    }

    /// The transports are interrupted while the peer may be away: they too may come back by themselves.
    pub(super) fn away_and_interrupted(&mut self, ctx: &Ctx<'_>) {
        let grace = ctx.now + ctx.config.disconnected_grace;
        self.peer_away_until = self.peer_away_until.map(|until| until.max(grace));
    }

    /// When a peer that is away is given up: not as long as it is on the line.
    pub(super) fn away_deadline(&self) -> Option<Instant> {
        let on_the_line = self.is_established() && self.engine.transport == Transport::Connected;
        self.peer_away_until.filter(|_| !on_the_line)
    }

    pub(super) fn on_away_timeout(&mut self, ctx: &Ctx<'_>) -> Flow {
        if self.away_deadline().is_none_or(|until| until > ctx.now) {
            return Flow::Continue(());
        }
        if ctx.own.is_none() {
            // Nobody could have told us that it is back.
            self.peer_away_until = Some(ctx.now + ctx.config.peer_gone_grace);
            return Flow::Continue(());
        }
        peer_gone()
    }

    /// The service answered a frame that was to reach the peer.
    pub(super) fn on_reached(
        &mut self,
        result: Result<(), RequestError>,
        ctx: &mut Ctx<'_>,
    ) -> Flow {
        let Err(RequestError::Refused { text, code }) = result else {
            return Flow::Continue(());
        };
        let unknown = code == Some(ErrorCode::UnknownConnection);
        match self.phase {
            Phase::Established if unknown && self.engine.transport == Transport::Interrupted => {
                if !self.can_restart() {
                    return peer_gone();
                }
                self.await_sign_of_life(ctx);
                Flow::Continue(())
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

    /// The transports are interrupted, and only the peer's link can tell whether it is still there.
    pub(super) fn ask_whether_it_is_there(&mut self, ctx: &mut Ctx<'_>) -> Flow {
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

    /// The peer's link is gone, and the time in which it might have come back, or its transports might
    /// have followed, is over.
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
        self.restart_on_link_back(ctx);
    }

    fn await_sign_of_life(&mut self, ctx: &Ctx<'_>) {
        if !self.peer_link_lost {
            self.peer_link_lost = true;
            self.deadline = Some(ctx.now + ctx.config.peer_gone_grace);
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
