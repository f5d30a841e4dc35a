//! Time that is over: which of a call's timers is next, and what it means in the call's phase.

use super::{
    Calls, Ctx,
    call::{Call, Flow, Phase},
};
use crate::{CallEnd, EndReason, Instant, Side};

impl Calls {
    pub(crate) fn on_timeout(&mut self, ctx: &mut Ctx<'_>) {
        let due: Vec<_> = self
            .calls
            .values()
            .filter(|call| call.next_deadline().is_some_and(|deadline| deadline <= ctx.now))
            .map(|call| call.id)
            .collect();
        for id in due {
            self.step(id, ctx, Call::on_timeout);
            self.step(id, ctx, Call::on_delivery_timeout);
        }
        self.echoes.forget_old(ctx.now);
        self.farewells.on_timeout(ctx.now, ctx.out);
        self.asks.on_timeout(ctx.now, ctx.out);
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let calls = self.calls.values().filter_map(|call| call.next_deadline()).min();
        let others = [
            self.echoes.next_deadline(),
            self.farewells.next_deadline(),
            self.asks.next_deadline(),
        ];
        others.into_iter().flatten().chain(calls).min()
    }
}

impl Call {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let timers = [
            self.deadline,
            self.delivery.next_deadline(),
            self.negotiation.next_deadline(),
            self.restart.next_deadline(),
            self.away_deadline(),
            self.handover.next_deadline(),
        ];
        timers.into_iter().flatten().min()
    }

    pub(super) fn on_timeout(&mut self, ctx: &mut Ctx<'_>) -> Flow {
        self.on_negotiation_timeout(ctx);
        self.on_handover_timeout(ctx);
        self.on_restart_timeout(ctx)?;
        self.on_away_timeout(ctx)?;
        self.on_phase_timeout(ctx)
    }

    fn on_phase_timeout(&mut self, ctx: &Ctx<'_>) -> Flow {
        if self.deadline.is_none_or(|deadline| deadline > ctx.now) {
            return Flow::Continue(());
        }
        self.deadline = None;
        let reason = match self.phase {
            _ if self.failing.is_some() => self.failing.take().unwrap_or(EndReason::HungUp),
            Phase::Dialing { .. } if let Some(lost_for) = ctx.link_lost_for => {
                EndReason::SignalingLost { lost_for }
            }
            Phase::Dialing { accepted: true, .. } | Phase::Answering => EndReason::ConnectTimeout,
            Phase::Connecting => self.diagnosis.why_never_up(),
            Phase::Preparing | Phase::Dialing { .. } | Phase::Ringing { .. } => EndReason::NoAnswer,
            Phase::Established => return self.on_grace_over(),
        };
        Flow::Break(CallEnd { reason, by: Side::Local })
    }
}
