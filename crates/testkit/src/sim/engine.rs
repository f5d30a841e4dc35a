//! A fake engine of one call: carries operations out one after the other, and notes every wrong use.

use std::{collections::VecDeque, time::Duration};

use skapi_rtc_protocol::{IceCandidate, SdpKind, SessionDescription};
use skapi_rtc_signaling::{
    CallId, Generation, Instant, OpId, Role, RtcAction, RtcEvent, RtcOutcome,
};

use super::{
    Fabric, NodeId, Options,
    fabric::{self, Described, Owner, Pc, PcId},
    options::pick,
};

/// The engine of one call.
#[derive(Debug)]
pub(crate) struct FakeEngine {
    node: NodeId,
    /// Absent in a page, which numbers no calls.
    call: Option<CallId>,
    queue: VecDeque<(OpId, RtcAction)>,
    pc: Option<PcId>,
    /// The connection was to be opened, and the engine could not.
    open_failed: bool,
    /// An offer was to be made, and the engine could not.
    offer_failed: bool,
}

/// Something an engine will report.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) after: Duration,
    pub(crate) owner: Owner,
    pub(crate) event: RtcEvent,
}

/// What surrounds an engine.
pub(crate) struct Surroundings<'a> {
    pub(crate) now: Instant,
    pub(crate) slowest_change: &'a mut Duration,
    pub(crate) fabric: &'a mut Fabric,
    pub(crate) rng: &'a mut fastrand::Rng,
    pub(crate) options: &'a Options,
    pub(crate) reports: &'a mut Vec<Report>,
    pub(crate) violations: &'a mut Vec<String>,
}

pub(crate) type Outcome = Result<RtcOutcome, String>;

impl FakeEngine {
    pub(crate) fn new(node: NodeId, call: CallId) -> Self {
        Self {
            node,
            call: Some(call),
            queue: VecDeque::new(),
            pc: None,
            open_failed: false,
            offer_failed: false,
        }
    }

    /// One of a page's, with its peer connection.
    pub(crate) fn of_page(node: NodeId, fabric: &mut Fabric) -> Self {
        let pc = Some(fabric.make(node, None));
        let queue = VecDeque::new();
        Self { node, call: None, queue, pc, open_failed: false, offer_failed: false }
    }

    /// Queues an operation. True if the engine was idle: somebody has to plan its end.
    pub(crate) fn ask(&mut self, op: OpId, action: RtcAction) -> bool {
        self.queue.push_back((op, action));
        self.queue.len() == 1
    }

    /// Whether operations are left.
    pub(crate) fn is_busy(&self) -> bool {
        !self.queue.is_empty()
    }

    /// How often the open connection has started ICE anew.
    pub(crate) fn ice(&self, fabric: &mut Fabric) -> Option<u64> {
        fabric.get(self.pc?).map(|pc| pc.ice)
    }

    /// The open connection.
    pub(crate) fn pc(&self) -> Option<PcId> {
        self.pc
    }

    /// The operation in front has taken its time.
    pub(crate) fn finish_op(&mut self, around: &mut Surroundings<'_>) -> Option<(OpId, Outcome)> {
        let (op, action) = self.queue.pop_front()?;
        let may_fail = !matches!(action, RtcAction::Close | RtcAction::Rollback);
        if may_fail && around.rng.f64() < around.options.failing_ops {
            match action {
                RtcAction::Open { .. } => self.open_failed = true,
                RtcAction::MakeOffer { .. } => self.offer_failed = true,
                _ => {}
            }
            return Some((op, Err("simulated failure".to_owned())));
        }
        Some((op, self.do_now(action, around)))
    }

    /// Whether an own offer has no answer yet.
    pub(crate) fn has_offered(&self, fabric: &mut Fabric) -> bool {
        self.state(fabric).is_some_and(|pc| pc.pending.is_some())
    }

    /// Whether this answers it.
    pub(crate) fn awaits(&self, answer: &SessionDescription, fabric: &mut Fabric) -> bool {
        let offer = Described::read(answer, SdpKind::Answer).map(|answer| answer.offer);
        let own = self.state(fabric).and_then(|pc| pc.pending);
        own.is_some_and(|own| Some(own.offer) == offer)
    }

    /// Whether this is a candidate of the connection that was agreed with.
    pub(crate) fn fits(&self, candidate: &IceCandidate, fabric: &mut Fabric) -> bool {
        let agreed = self.state(fabric).and_then(|pc| pc.agreed);
        agreed.is_some_and(|(_, remote)| {
            candidate.is_end_of_candidates() || fabric::candidate_of(candidate) == Some(remote.pc)
        })
    }

    fn state<'a>(&self, fabric: &'a mut Fabric) -> Option<&'a mut Pc> {
        fabric.get(self.pc?)
    }

    /// Carries an operation out.
    pub(crate) fn do_now(&mut self, action: RtcAction, around: &mut Surroundings<'_>) -> Outcome {
        let settles = matches!(
            action,
            RtcAction::AcceptAnswer(_) | RtcAction::AcceptOffer(_) | RtcAction::Rollback
        );
        let outcome = self.carry_out(action, around);
        if let Some(pc) = self.pc.filter(|_| settles) {
            around.report_changes(pc);
        }
        if let Some(owners) = self.pc.and_then(|pc| around.fabric.try_link(pc)) {
            for owner in owners {
                around.report(owner, RtcEvent::Connected);
            }
        }
        outcome
    }

    fn carry_out(&mut self, action: RtcAction, around: &mut Surroundings<'_>) -> Outcome {
        if let RtcAction::Open { generation, role, .. } = action {
            return self.open(generation, role, around);
        }
        let Some(pc) = self.pc else {
            if self.open_failed {
                return Err("there is no peer connection".to_owned());
            }
            return self.wrong(around, format_args!("{action:?} without a peer connection"));
        };
        match action {
            RtcAction::MakeOffer { ice_restart } => self.make_offer(pc, ice_restart, around),
            RtcAction::AcceptOffer(offer) => self.accept_offer(pc, &offer, around),
            RtcAction::AcceptAnswer(answer) => self.accept_answer(pc, &answer, around),
            RtcAction::SetIceServers(_) => Ok(RtcOutcome::Done),
            RtcAction::Rollback => self.roll_back(pc, around),
            RtcAction::AddCandidate(candidate) => self.add_candidate(pc, &candidate, around),
            RtcAction::Close => {
                self.pc = None;
                if let Some(peer) = around.fabric.close(pc) {
                    around.report_loss(peer);
                }
                Ok(RtcOutcome::Done)
            }
            other => self.wrong(around, format_args!("unknown operation {other:?}")),
        }
    }

    fn open(
        &mut self,
        generation: Generation,
        role: Role,
        around: &mut Surroundings<'_>,
    ) -> Outcome {
        if self.pc.is_some() {
            return self.wrong(around, format_args!("a second connection, the first still open"));
        }
        self.open_failed = false;
        let call = self.call.map(|call| (call, generation));
        let pc = around.fabric.make(self.node, call);
        self.pc = Some(pc);
        if role == Role::Caller {
            // As engines do when the first channels are added, which is a caller's part.
            let owner = around.fabric.get(pc).map(|pc| pc.owner);
            around.reports.extend(owner.map(|owner| Report {
                after: Duration::ZERO,
                owner,
                event: RtcEvent::NegotiationNeeded,
            }));
        }
        Ok(RtcOutcome::Done)
    }

    fn make_offer(
        &mut self,
        pc: PcId,
        ice_restart: bool,
        around: &mut Surroundings<'_>,
    ) -> Outcome {
        if ice_restart {
            around.fabric.restart(pc);
        }
        let offer = around.fabric.describe(pc, None);
        let Some(state) = around.fabric.get(pc) else {
            return self.wrong(around, format_args!("offer of a closed connection"));
        };
        if state.pending.replace(offer).is_some() {
            return self.wrong(around, format_args!("offer while another is pending"));
        }
        state.changes.offer();
        self.offer_failed = false;
        around.gather(pc);
        Ok(RtcOutcome::Description(offer.write()))
    }

    fn accept_offer(
        &mut self,
        pc: PcId,
        offer: &SessionDescription,
        around: &mut Surroundings<'_>,
    ) -> Outcome {
        let Some(offer) = Described::read(offer, SdpKind::Offer) else {
            return self.wrong(around, format_args!("this is no offer: {offer:?}"));
        };
        let Some(state) = around.fabric.get(pc) else {
            return self.wrong(around, format_args!("answer of a closed connection"));
        };
        if state.pending.is_some() {
            return self.wrong(around, format_args!("peer's offer without taking the own back"));
        }
        if state.agreed.is_some_and(|(_, before)| before.ice != offer.ice) {
            around.fabric.restart(pc);
        }
        let answer = around.fabric.describe(pc, Some(offer.number));
        let Some(state) = around.fabric.get(pc) else {
            return self.wrong(around, format_args!("answer of a closed connection"));
        };
        state.agreed = Some((answer, offer));
        around.gather(pc);
        Ok(RtcOutcome::Description(answer.write()))
    }

    fn accept_answer(
        &mut self,
        pc: PcId,
        answer: &SessionDescription,
        around: &mut Surroundings<'_>,
    ) -> Outcome {
        let read = Described::read(answer, SdpKind::Answer);
        let pending = around
            .fabric
            .get(pc)
            .and_then(|state| state.pending.take())
            .filter(|own| Some(own.offer) == read.map(|answer| answer.offer));
        if pending.is_none() && read.is_some_and(|answer| around.fabric.is_late(&answer)) {
            return Err("an answer to a call that is over".to_owned());
        }
        let (Some(answer), Some(own), Some(state)) = (read, pending, around.fabric.get(pc)) else {
            return self.wrong(around, format_args!("answer to an offer that is not pending"));
        };
        state.agreed = Some((own, answer));
        if let Some(since) = state.changes.carried() {
            *around.slowest_change = (around.now - since).max(*around.slowest_change);
        }
        Ok(RtcOutcome::Done)
    }

    fn roll_back(&mut self, pc: PcId, around: &mut Surroundings<'_>) -> Outcome {
        let taken = around.fabric.get(pc).and_then(|state| {
            state.changes.take_back();
            state.pending.take()
        });
        let taken = taken.is_some();
        if taken || self.offer_failed {
            Ok(RtcOutcome::Done)
        } else {
            self.wrong(around, format_args!("nothing to roll back"))
        }
    }

    fn add_candidate(
        &mut self,
        pc: PcId,
        candidate: &IceCandidate,
        around: &mut Surroundings<'_>,
    ) -> Outcome {
        let agreed = around.fabric.get(pc).and_then(|state| state.agreed);
        let Some((_, remote)) = agreed else {
            return self.wrong(around, format_args!("candidate before its description"));
        };
        if candidate.is_end_of_candidates() {
            return Ok(RtcOutcome::Done);
        }
        let of = fabric::candidate_of(candidate);
        if of != Some(remote.pc) && of.is_some_and(|pc| around.fabric.is_of_page(pc)) {
            return Err("a candidate of an earlier connection".to_owned());
        }
        if of != Some(remote.pc) {
            return self
                .wrong(around, format_args!("candidate of another connection: {candidate:?}"));
        }
        around.fabric.count_candidate(pc);
        Ok(RtcOutcome::Done)
    }

    fn wrong(&self, around: &mut Surroundings<'_>, what: std::fmt::Arguments<'_>) -> Outcome {
        let Self { node, call, .. } = self;
        around.violations.push(format!("{node}, {call:?}: {what}"));
        Err(what.to_string())
    }
}

impl Surroundings<'_> {
    fn report(&mut self, owner: Owner, event: RtcEvent) {
        let after = pick(self.rng, &self.options.report_delay);
        self.reports.push(Report { after, owner, event });
    }

    /// The other end was closed. Engines see that as a close, or as a silence that becomes a failure.
    fn report_loss(&mut self, owner: Owner) {
        if self.rng.bool() {
            return self.report(owner, RtcEvent::Closed);
        }
        for (seconds, event) in [(5, RtcEvent::Disconnected), (25, RtcEvent::Failed)] {
            self.reports.push(Report { after: Duration::from_secs(seconds), owner, event });
        }
    }

    /// A negotiation is over: what it has not carried over wants another one (W3C WebRTC §4.7.3).
    fn report_changes(&mut self, pc: PcId) {
        let waits = |pc: &&mut Pc| pc.changes.are_waiting() && pc.pending.is_none();
        if let Some(owner) = self.fabric.get(pc).filter(waits).map(|pc| pc.owner) {
            self.report(owner, RtcEvent::NegotiationNeeded);
        }
    }

    fn gather(&mut self, pc: PcId) {
        let Some(state) = self.fabric.get(pc) else {
            return;
        };
        if std::mem::replace(&mut state.gathered, true) {
            return;
        }
        let (owner, ice) = (state.owner, state.ice);
        let tells_ufrag = self.rng.bool();
        for number in 0..self.rng.usize(self.options.candidates.clone()) {
            let candidate = fabric::candidate(pc, ice, number, tells_ufrag);
            self.report(owner, RtcEvent::Candidate(candidate));
        }
        self.report(owner, RtcEvent::Candidate(IceCandidate::default()));
    }
}
