//! Everything together: what is due next happens, and its consequences are planned.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use skapi_rtc_protocol::{
    ClientFrame, ConnectionId, Limits, RtcContent, RtcSignal, UserId, decode_client, decode_server,
};
use skapi_rtc_signaling::{
    CallId, Config, Input, Instant, LinkLoss, Output, Resumption, RtcEvent, Session,
};

use super::{
    Fabric, Lanes, Node, NodeId, Options, Page, Realtime, Service,
    engine::{FakeEngine, Surroundings},
    fabric::{Described, Owner, Part},
    options::pick,
    pages::PageDue,
    paths::{PathDue, PathFault},
};
use crate::Schedule;

/// How long a connection stays without a socket.
pub(crate) const RESUME_WINDOW: Duration = Duration::from_secs(30);

/// A whole simulated world.
#[derive(Debug)]
pub struct World {
    /// The machines.
    pub nodes: Vec<Node>,
    /// The pages of Skapi's.
    pub(super) pages: Vec<Page>,
    /// What engines or the world have found wrong.
    pub violations: Vec<String>,
    /// What happened, if the options asked for it.
    pub trace: Vec<String>,
    /// Chance, for the world and for the users in it.
    pub rng: fastrand::Rng,
    /// The peer connections.
    pub fabric: Fabric,
    /// How often ICE was started anew.
    pub ice_restarts: usize,
    /// Which paths between engines were gone, and when.
    pub path_faults: Vec<PathFault>,
    /// When the service has lost something, and whose it was.
    pub lost: Vec<(Instant, NodeId)>,
    /// How long a change in a running call has taken at most to be carried over.
    pub slowest_change: Duration,
    pub(super) options: Options,
    pub(super) schedule: Schedule<Due>,
    pub(super) sockets: u64,
    /// Sockets that broke and took what was on its way to the service with them.
    swallowed: BTreeSet<u64>,
    pub(super) service: Box<dyn Realtime>,
    pub(super) up: Lanes,
    pub(super) down: Lanes,
    /// When each peer connection's latest report is due.
    reported: BTreeMap<Owner, Instant>,
}

#[derive(Debug)]
pub(super) enum Due {
    SocketOpens { node: NodeId, resumption: Resumption },
    ToService { from: ConnectionId, socket: u64, text: String },
    ToClient { node: NodeId, socket: u64, text: String },
    SocketLost { node: NodeId, socket: u64, noticed: Duration },
    LossNoticed { cid: ConnectionId, socket: u64 },
    Goodbye(ConnectionId),
    WindowOver { cid: ConnectionId, socket: u64 },
    OpEnds { node: NodeId, call: CallId },
    Report { owner: Owner, event: RtcEvent },
    Path(PathDue),
    Page(PageDue),
}

impl World {
    /// A world in which nobody lives yet.
    pub fn new(seed: u64, options: Options) -> Self {
        let service = Service::new(options.greets, options.resumes);
        Self::with(seed, options, service)
    }

    /// A world with this service.
    pub fn with(seed: u64, options: Options, service: impl Realtime + 'static) -> Self {
        Self {
            nodes: Vec::new(),
            pages: Vec::new(),
            violations: Vec::new(),
            trace: Vec::new(),
            rng: fastrand::Rng::with_seed(seed),
            fabric: Fabric::default(),
            ice_restarts: 0,
            path_faults: Vec::new(),
            lost: Vec::new(),
            slowest_change: Duration::ZERO,
            service: Box::new(service),
            options,
            schedule: Schedule::default(),
            sockets: 0,
            swallowed: BTreeSet::new(),
            up: Lanes::default(),
            down: Lanes::default(),
            reported: BTreeMap::new(),
        }
    }

    /// Adds a machine and lets it connect.
    pub fn add(&mut self, user: &str, config: Config) -> NodeId {
        let user = UserId::new(user)
            .unwrap_or_else(|error| panic!("simulated users have plain names: {error}"));
        let session = Session::new(config, self.rng.u64(..));
        self.nodes.push(Node::new(user, session));
        let node = NodeId(self.nodes.len() - 1);
        self.act(node, "connects", Session::connect);
        node
    }

    /// The present moment.
    pub fn now(&self) -> Instant {
        self.schedule.now()
    }

    /// A node.
    pub fn node(&self, node: NodeId) -> &Node {
        &self.nodes[node.0]
    }

    /// A user does something.
    pub fn act<T>(
        &mut self,
        node: NodeId,
        what: &str,
        act: impl FnOnce(&mut Session, Instant) -> T,
    ) -> T {
        let now = self.now();
        self.note(|| format!("{node}: user {what}"));
        let result = act(&mut self.nodes[node.0].session, now);
        self.carry_out(node, None);
        result
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: Duration) {
        let until = self.now() + time;
        while self.step(until) {}
        self.schedule.pass_until(until);
    }

    /// Lets the next thing happen, if it is due by then.
    fn step(&mut self, until: Instant) -> bool {
        let timer = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, it)| it.died.is_none())
            .filter_map(|(node, it)| Some((it.session.next_deadline()?, NodeId(node))))
            .min();
        match (self.schedule.next_at(), timer) {
            (planned, Some((at, node))) if at <= until && planned.is_none_or(|p| at < p) => {
                self.schedule.pass_until(at);
                self.input(node, Input::Timeout, None);
                let next = self.nodes[node.0].session.next_deadline();
                if next.is_some_and(|next| next <= at) {
                    self.violations.push(format!("{node}: its timer does not move on"));
                    return false;
                }
                true
            }
            (Some(planned), _) if planned <= until => {
                if let Some(due) = self.schedule.take_next() {
                    self.happen(due);
                }
                true
            }
            _ => false,
        }
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::SocketOpens { node, resumption } => {
                if self.nodes[node.0].died.is_some() {
                    return;
                }
                self.sockets += 1;
                let (user, socket) = (self.nodes[node.0].user.clone(), self.sockets);
                let now = self.now();
                let (cid, greeting) = self.service.connect(now, user, socket, Some(&resumption));
                self.nodes[node.0].cid = Some(cid);
                self.nodes[node.0].socket = socket;
                self.deliver(greeting);
                self.input(node, Input::LinkUp, None);
            }
            Due::ToService { socket, .. } if self.swallowed.contains(&socket) => {}
            Due::ToService { from, socket, text } => match decode_client(&text, &Limits::default())
            {
                Ok(frame) => {
                    let lost = may_get_lost(&frame) && self.rng.f64() < self.options.lost_contents;
                    if lost {
                        self.note(|| format!("lost: {text}"));
                        self.note_loss(&from);
                    }
                    let out = self.service.handle(&from, socket, frame, lost);
                    self.deliver(out);
                }
                Err(error) => self.violations.push(format!("unreadable: {error}: {text}")),
            },
            Due::ToClient { node, socket, text } => {
                let it = &self.nodes[node.0];
                if it.cid.is_none() || it.socket != socket {
                    return;
                }
                match decode_server(&text, &Limits::default()) {
                    Ok(frame) => {
                        self.input(node, Input::Frame(frame), None);
                    }
                    Err(error) => self.violations.push(format!("unreadable: {error}: {text}")),
                }
            }
            Due::SocketLost { node, socket, noticed } => {
                if self.nodes[node.0].socket == socket
                    && let Some(cid) = self.nodes[node.0].cid.take()
                {
                    if self.rng.bool() {
                        self.swallowed.insert(socket);
                    }
                    self.schedule.after(noticed, Due::LossNoticed { cid, socket });
                    let loss = Input::LinkDown(LinkLoss::lost("cut"));
                    self.input(node, loss, None);
                }
            }
            Due::LossNoticed { cid, socket } => {
                let out = self.service.lose(self.schedule.now(), &cid, socket);
                self.deliver(out);
                self.schedule.after(RESUME_WINDOW, Due::WindowOver { cid, socket });
            }
            Due::WindowOver { cid, socket } => {
                let out = self.service.give_up(self.schedule.now(), &cid, socket);
                self.deliver(out);
            }
            Due::Goodbye(cid) => {
                let out = self.service.disconnect(&cid);
                self.deliver(out);
            }
            Due::OpEnds { node, call } => self.op_ends(node, call),
            Due::Path(due) => self.on_path(due),
            Due::Page(due) => self.on_page(due),
            Due::Report { owner, event } => {
                let Owner { node, part } = owner;
                let (call, generation) = match part {
                    Part::Call(call, generation) => (call, generation),
                    Part::Page(pc) => return self.on_page_report(node, pc, event),
                };
                if self.nodes[node.0].died.is_some() {
                    return;
                }
                let event = Input::RtcEvent { call, generation, event };
                self.input(node, event, Some(call));
            }
        }
    }

    fn op_ends(&mut self, node: NodeId, call: CallId) {
        let mut reports = Vec::new();
        let mut around = Surroundings {
            now: self.schedule.now(),
            slowest_change: &mut self.slowest_change,
            fabric: &mut self.fabric,
            rng: &mut self.rng,
            options: &self.options,
            reports: &mut reports,
            violations: &mut self.violations,
        };
        let Some(engine) = self.nodes[node.0].engines.get_mut(&call) else {
            return;
        };
        let ice_before = engine.ice(around.fabric);
        let done = engine.finish_op(&mut around);
        let restarted = engine.ice(around.fabric).filter(|now| Some(*now) > ice_before);
        let pc = engine.pc();
        if engine.is_busy() {
            let delay = pick(&mut self.rng, &self.options.op_delay);
            self.schedule.after(delay, Due::OpEnds { node, call });
        } else if engine.pc().is_none() {
            self.nodes[node.0].engines.remove(&call);
        }
        for report in reports {
            self.report_after(report.after, report.owner, report.event);
        }
        if let (Some(pc), Some(ice @ 1..)) = (pc, restarted) {
            self.ice_restarted(pc, ice);
        }
        if let Some((op, result)) = done {
            self.input(node, Input::RtcDone { op, result }, Some(call));
        }
    }

    pub(super) fn report(&mut self, owner: Owner, event: RtcEvent) {
        let after = pick(&mut self.rng, &self.options.report_delay);
        self.report_after(after, owner, event);
    }

    /// What one connection reports comes in order.
    pub(super) fn report_after(&mut self, after: Duration, owner: Owner, event: RtcEvent) {
        let last = self.reported.entry(owner).or_insert(Instant::ZERO);
        *last = (self.schedule.now() + after).max(*last);
        self.schedule.at(*last, Due::Report { owner, event });
    }

    fn input(&mut self, node: NodeId, input: Input, engine: Option<CallId>) {
        let now = self.now();
        self.note(|| format!("{node} <- {input:?}"));
        self.nodes[node.0].session.handle_input(now, input);
        self.carry_out(node, engine);
    }

    fn carry_out(&mut self, node: NodeId, engine: Option<CallId>) {
        self.learn_keys(node);
        while let Some(output) = self.nodes[node.0].session.poll_output() {
            self.note(|| format!("{node} -> {output:?}"));
            if let (Some(call), Output::Send(ClientFrame::Rtc { content, .. })) = (engine, &output)
            {
                self.check_description(node, call, RtcContent::decode(content).ok().as_ref());
            }
            match output {
                Output::Connect { resumption, .. } => {
                    let delay = pick(&mut self.rng, &self.options.frame_delay);
                    self.schedule.after(delay, Due::SocketOpens { node, resumption });
                }
                Output::Disconnect => {
                    if let Some(cid) = self.nodes[node.0].cid.take() {
                        // Behind everything that was sent before.
                        let delay = *self.options.frame_delay.end();
                        self.schedule.after(delay, Due::Goodbye(cid));
                    }
                }
                Output::Send(frame) => self.send(node, &frame),
                Output::Rtc { op, call, action } => {
                    let fresh = || FakeEngine::new(node, call);
                    let engine = self.nodes[node.0].engines.entry(call).or_insert_with(fresh);
                    if engine.ask(op, action) {
                        let delay = pick(&mut self.rng, &self.options.op_delay);
                        self.schedule.after(delay, Due::OpEnds { node, call });
                    }
                }
                Output::Event(event) => {
                    let now = self.now();
                    self.nodes[node.0].events.push((now, event));
                }
                _ => {}
            }
        }
    }

    /// Learns which call of a node goes by which key.
    fn learn_keys(&mut self, node: NodeId) {
        let node = &mut self.nodes[node.0];
        let keys = node.session.calls().filter_map(|call| Some((call.call, call.key?)));
        node.keys.extend(keys);
    }

    /// A description that is sent must be one of the peer connection that is open.
    fn check_description(&mut self, node: NodeId, call: CallId, content: Option<&RtcContent>) {
        let Some(RtcSignal::Offer(sent) | RtcSignal::Answer(sent)) = content.map(|c| &c.signal)
        else {
            return;
        };
        let pc = self.nodes[node.0].engines.get(&call).and_then(FakeEngine::pc);
        if Described::read(sent, sent.kind).map(|sent| sent.pc) != pc {
            self.violations.push(format!("{node}, {call}: sends what is not its own: {sent:?}"));
        }
    }

    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        if self.options.trace {
            let at = self.now().since_origin();
            self.trace.push(format!("{at:>12.3?} {}", line()));
        }
    }
}

fn may_get_lost(frame: &ClientFrame) -> bool {
    let ClientFrame::Rtc { content, .. } = frame else {
        return false;
    };
    let begins = |content: RtcContent| {
        matches!(content.signal, RtcSignal::Offer(_)) && content.capabilities.is_some()
    };
    !RtcContent::decode(content).is_ok_and(begins)
}
