//! A call's peer connection: operations out, results and events in.

use skapi_rtc_protocol::{IceServer, RtcSignal, SessionDescription};

use super::{
    Ctx,
    call::{Call, Flow, Phase},
};
use crate::{
    CallEnd, CallEvent, CallId, EndReason, Generation, OpId, Output, RtcAction, RtcEvent,
    RtcOutcome, Side, outbox::Outbox,
};

#[derive(Debug)]
pub(super) struct Engine {
    call: CallId,
    next_op: u32,
    generation: u32,
    open: bool,
    /// The operation that makes the peer connection, until it is done.
    pub(super) opening: Option<OpId>,
    /// The STUN and TURN servers it goes by.
    pub(super) ice_servers: Vec<IceServer>,
    /// What the engine last said about its transports.
    pub(super) transport: Transport,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Connecting,
    Connected,
    Interrupted,
}

impl Engine {
    pub(super) fn new(call: CallId) -> Self {
        Self {
            call,
            next_op: 0,
            generation: 0,
            open: false,
            opening: None,
            ice_servers: Vec::new(),
            transport: Transport::Connecting,
        }
    }

    /// A new peer connection; what an earlier one reports no longer counts.
    pub(super) fn next_generation(&mut self) -> Generation {
        self.generation += 1;
        self.open = true;
        self.transport = Transport::Connecting;
        Generation(self.generation)
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    pub(super) fn is_current(&self, generation: Generation) -> bool {
        self.open && generation == Generation(self.generation)
    }

    pub(super) fn closed(&mut self) {
        self.open = false;
        self.opening = None;
    }

    pub(super) fn ask(&mut self, action: RtcAction, out: &mut Outbox) -> OpId {
        self.next_op += 1;
        let op = OpId { call: self.call, number: self.next_op };
        out.push(Output::Rtc { op, call: self.call, action });
        op
    }
}

impl Call {
    pub(super) fn open_engine(&mut self, ctx: &mut Ctx<'_>) {
        let generation = self.engine.next_generation();
        let ice_servers = ctx.ice_servers();
        self.engine.ice_servers.clone_from(&ice_servers);
        let action = RtcAction::Open { generation, role: self.role, ice_servers };
        let op = self.engine.ask(action, ctx.out);
        self.engine.opening = Some(op);
    }

    pub(super) fn close_engine(&mut self, ctx: &mut Ctx<'_>) {
        if self.engine.is_open() {
            self.engine.ask(RtcAction::Close, ctx.out);
            self.engine.closed();
        }
    }

    pub(super) fn on_rtc_done(
        &mut self,
        op: OpId,
        result: Result<RtcOutcome, String>,
        ctx: &mut Ctx<'_>,
    ) -> Flow {
        if self.engine.opening == Some(op) {
            self.engine.opening = None;
            return match result {
                Ok(_) => Flow::Continue(()),
                Err(what) => engine_failed(what),
            };
        }
        self.on_negotiated(op, result, ctx)
    }

    pub(super) fn on_rtc_event(
        &mut self,
        generation: Generation,
        event: RtcEvent,
        ctx: &mut Ctx<'_>,
    ) -> Flow {
        if !self.engine.is_current(generation) {
            return Flow::Continue(());
        }
        match event {
            RtcEvent::Candidate(candidate) => {
                self.diagnosis.note_ours(&candidate);
                if let Some(candidate) = self.local.offer(candidate) {
                    self.send(RtcSignal::Candidate(candidate), ctx);
                }
                Flow::Continue(())
            }
            RtcEvent::PathFound => {
                self.diagnosis.path_found();
                Flow::Continue(())
            }
            RtcEvent::Connected => {
                self.on_connected(ctx);
                Flow::Continue(())
            }
            RtcEvent::Disconnected => self.on_interrupted(ctx),
            RtcEvent::Failed => self.on_failed(ctx),
            RtcEvent::AddressesChanged => {
                self.on_addresses_changed(ctx);
                Flow::Continue(())
            }
            RtcEvent::Closed => {
                let reason = EndReason::EngineFailed("the peer connection was closed".to_owned());
                self.on_transport_lost(reason, ctx)
            }
            RtcEvent::NegotiationNeeded => {
                self.on_negotiation_needed(ctx);
                Flow::Continue(())
            }
        }
    }

    fn on_connected(&mut self, ctx: &mut Ctx<'_>) {
        let before = std::mem::replace(&mut self.engine.transport, Transport::Connected);
        if self.failing.take().is_some() {
            let patience = ctx.config.connect_timeout;
            self.deadline = (!self.is_established()).then(|| ctx.now + patience);
        }
        self.restart.over();
        match self.phase {
            Phase::Connecting => self.establish(ctx),
            Phase::Established if before == Transport::Interrupted => {
                ctx.out.call_event(self.id, CallEvent::Reconnected);
            }
            _ => {}
        }
    }

    /// The answer is made or being applied; from here on it is up to the engines.
    pub(super) fn start_connecting(&mut self, ctx: &mut Ctx<'_>) {
        self.phase = Phase::Connecting;
        if self.engine.transport == Transport::Connected {
            self.establish(ctx);
        }
    }

    fn establish(&mut self, ctx: &mut Ctx<'_>) {
        self.phase = Phase::Established;
        self.deadline = None;
        ctx.out.call_event(self.id, CallEvent::Connected);
        self.negotiate_if_needed(ctx);
    }

    /// The first description went out: its candidates may follow.
    pub(super) fn release_local_candidates(&mut self, ctx: &mut Ctx<'_>) {
        for candidate in self.local.release() {
            self.send(RtcSignal::Candidate(candidate), ctx);
        }
    }

    /// A remote description is in place: its candidates may be applied.
    pub(super) fn release_remote_candidates(
        &mut self,
        description: &SessionDescription,
        ctx: &mut Ctx<'_>,
    ) {
        for candidate in self.remote.release(description) {
            self.engine.ask(RtcAction::AddCandidate(candidate), ctx.out);
        }
    }
}

pub(super) fn engine_failed(what: String) -> Flow {
    Flow::Break(CallEnd { reason: EndReason::EngineFailed(what), by: Side::Local })
}
