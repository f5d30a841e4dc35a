//! A path that was lost is found again: when ICE is started anew, by whom, and when that is given up.
//!
//! ```text
//!   Fine ── interrupted ──▶ Patient ── grace over ──▶ Asking ◀── not connected in time ──┐
//!    ▲ │                     │   └─ failed, link back ─▶ │                               │
//!    │ │ addresses changed,  │                           │ caller: the peer is there     │
//!    │ │ or failed           │                           │ callee: the peer's new offer  │
//!    │ └─────────────────────│─────────────────────▶     ▼                               │
//!    └────── connected ──────┴──────────────────────── Restarting ───────────────────────┘
//!
//!   Patient, Asking, Restarting ── `reconnect_timeout` after the interruption ──▶ the call ends
//! ```
//!
//! The offer of a restart ends the path that is interrupted, which may come back by itself. So it is made
//! only when the peer has just been heard, and can answer; until then each side asks again and again.
//! Only the caller offers, so restarts never collide. `docs/protocol.md` has the words.

use std::time::Duration;

use skapi_rtc_protocol::{Capability, RtcSignal, Transports};

use super::{
    Ctx,
    call::{Call, Flow},
    engine::Transport,
};
use crate::{CallEnd, CallEvent, EndReason, Instant, Role, RtcAction, Side, backoff};

/// The first and the longest pause between two questions. They cost a frame each.
const ASKING: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(4));

/// How long a restart may take to find a path, at first and at last: engines try each pair of addresses
/// for about as long.
const RESTARTING: (Duration, Duration) = (Duration::from_secs(8), Duration::from_secs(16));

#[derive(Debug, Default)]
pub(super) struct Restart {
    state: State,
    /// When the search ends; set while the user knows of the interruption.
    give_up_at: Option<Instant>,
    /// Questions, and restarts, since the interruption.
    asked: u32,
    restarted: u32,
    /// A caller whose own transports are well has asked back.
    asked_back: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Fine,
    Patient {
        until: Instant,
    },
    Asking {
        again_at: Instant,
    },
    Restarting {
        until: Instant,
    },
}

impl Restart {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let step = match self.state {
            State::Fine => None,
            State::Patient { until } | State::Restarting { until } => Some(until),
            State::Asking { again_at } => Some(again_at),
        };
        [step, self.give_up_at].into_iter().flatten().min()
    }

    /// The transports are connected.
    pub(super) fn over(&mut self) {
        *self = Self::default();
    }
}

impl Call {
    /// The transports are interrupted.
    pub(super) fn on_interrupted(&mut self, ctx: &mut Ctx<'_>) -> Flow {
        if !self.is_established() || self.engine.transport == Transport::Interrupted {
            return Flow::Continue(());
        }
        self.interrupted(ctx);
        self.away_and_interrupted(ctx);
        if self.restart.state == State::Fine {
            self.restart.state = State::Patient { until: ctx.now + ctx.config.disconnected_grace };
        }
        if !self.can_restart() {
            self.restart.over();
            return self.ask_whether_it_is_there(ctx);
        }
        self.send_now(RtcSignal::None, ctx);
        Flow::Continue(())
    }

    /// The transports have failed; without a restart they do not come back.
    pub(super) fn on_failed(&mut self, ctx: &mut Ctx<'_>) -> Flow {
        if !self.can_restart() {
            let reason = if self.is_established() {
                EndReason::TransportFailed
            } else {
                self.diagnosis.why_never_up()
            };
            return self.on_transport_lost(reason, ctx);
        }
        if self.engine.transport != Transport::Interrupted {
            self.interrupted(ctx);
        }
        self.ask(ctx);
        Flow::Continue(())
    }

    /// The machine has other addresses, so the path may be one that is gone, and the engine does not
    /// search by itself.
    pub(super) fn on_addresses_changed(&mut self, ctx: &mut Ctx<'_>) {
        if self.can_restart() {
            self.ask(ctx);
        }
    }

    /// Our link came back: what was asked meanwhile is lost.
    pub(super) fn restart_on_link_back(&mut self, ctx: &mut Ctx<'_>) {
        if matches!(self.restart.state, State::Patient { .. } | State::Asking { .. }) {
            self.ask(ctx);
        }
    }

    /// The peer says how its transports are.
    pub(super) fn on_peer_transports(&mut self, peers: &Transports, ctx: &mut Ctx<'_>) {
        if !self.can_restart() || matches!(self.restart.state, State::Restarting { .. }) {
            return;
        }
        let ours_lost = self.restart.state != State::Fine;
        match (self.role, peers) {
            (Role::Callee, Transports::Lost) => {
                let own = if ours_lost { Transports::Lost } else { Transports::Ready };
                self.send_now(RtcSignal::Restart(own), ctx);
            }
            (Role::Caller, Transports::Lost | Transports::Ready) if ours_lost => {
                self.begin_restart(ctx);
            }
            (Role::Caller, Transports::Lost) if self.restart.asked_back => self.begin_restart(ctx),
            (Role::Caller, Transports::Lost) => {
                self.restart.asked_back = true;
                self.send_now(RtcSignal::Restart(Transports::Lost), ctx);
            }
            (Role::Caller, Transports::Ready) => self.restart.asked_back = false,
            _ => {}
        }
    }

    /// The peer's offer starts ICE anew.
    pub(super) fn on_peer_restarts(&mut self, ctx: &mut Ctx<'_>) {
        self.renew_ice_servers(ctx);
        if self.restart.state != State::Fine {
            self.await_restart(ctx);
        }
    }

    pub(super) fn on_restart_timeout(&mut self, ctx: &mut Ctx<'_>) -> Flow {
        if self.restart.give_up_at.is_some_and(|at| at <= ctx.now) {
            let reason = EndReason::TransportFailed;
            return Flow::Break(CallEnd { reason, by: Side::Local });
        }
        match self.restart.state {
            State::Patient { until } | State::Asking { again_at: until } if until <= ctx.now => {
                self.ask(ctx);
            }
            State::Restarting { until } if until <= ctx.now => {
                if self.engine.transport == Transport::Connected {
                    // It was not interrupted before either, or the engine does not tell twice.
                    self.restart.over();
                } else {
                    self.ask(ctx);
                }
            }
            _ => {}
        }
        Flow::Continue(())
    }

    /// TURN credentials expire, and a restart gathers anew.
    pub(super) fn renew_ice_servers(&mut self, ctx: &mut Ctx<'_>) {
        let servers = ctx.ice_servers();
        if ctx.own.is_some() && self.engine.ice_servers != servers {
            self.engine.ice_servers.clone_from(&servers);
            self.engine.ask(RtcAction::SetIceServers(servers), ctx.out);
        }
    }

    pub(super) fn can_restart(&self) -> bool {
        self.is_established() && self.peer_can(&Capability::Restart)
    }

    fn interrupted(&mut self, ctx: &mut Ctx<'_>) {
        self.engine.transport = Transport::Interrupted;
        self.restart.give_up_at = Some(ctx.now + ctx.config.reconnect_timeout);
        ctx.out.call_event(self.id, CallEvent::Reconnecting);
    }

    fn ask(&mut self, ctx: &mut Ctx<'_>) {
        let pause = backoff::jittered(ASKING.0, ASKING.1, self.restart.asked, ctx.rng);
        self.restart.asked += 1;
        self.restart.state = State::Asking { again_at: ctx.now + pause };
        self.send_now(RtcSignal::Restart(Transports::Lost), ctx);
    }

    fn begin_restart(&mut self, ctx: &mut Ctx<'_>) {
        self.restart.asked_back = false;
        self.await_restart(ctx);
        self.negotiate_restart(ctx);
    }

    fn await_restart(&mut self, ctx: &mut Ctx<'_>) {
        let patience =
            backoff::jittered(RESTARTING.0, RESTARTING.1, self.restart.restarted, ctx.rng);
        self.restart.restarted += 1;
        self.restart.state = State::Restarting { until: ctx.now + patience };
    }
}
