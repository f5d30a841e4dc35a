//! The desk at which a test sits: it holds one machine, moves its clock, and plays socket and engine.

use std::{collections::BTreeMap, time::Duration};

use skapi_rtc_protocol::{
    ClientFrame, ConnectionId, ErrorCode, IceCandidate, Ready, Resumed, RtcContent, RtcSignal,
    ServerFrame, SessionDescription, UserId,
};
use skapi_rtc_signaling::{
    CallEnd, CallEvent, CallId, CallPhase, Config, EndReason, Event, Generation, Input, Instant,
    LinkLoss, OpId, Output, PlaceOptions, RtcAction, RtcEvent, RtcOutcome, Session, Side,
};

use super::peer::Peer;

pub(crate) const OWN_CID: &str = "m-own";

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn cid(name: &str) -> ConnectionId {
    ConnectionId::new(name).unwrap()
}

pub(crate) fn sdp(ufrag: &str) -> String {
    format!("v=0\r\na=ice-ufrag:{ufrag}\r\n")
}

pub(crate) fn candidate(name: &str, ufrag: Option<&str>) -> IceCandidate {
    IceCandidate {
        candidate: name.to_owned(),
        username_fragment: ufrag.map(str::to_owned),
        ..IceCandidate::default()
    }
}

pub(crate) fn local(reason: EndReason) -> CallEnd {
    CallEnd { reason, by: Side::Local }
}

pub(crate) fn remote(reason: EndReason) -> CallEnd {
    CallEnd { reason, by: Side::Remote }
}

pub(crate) struct Desk {
    pub(crate) session: Session,
    pub(crate) now: Instant,
    /// `Connect` and `Disconnect`, in the order they came.
    pub(crate) socket: Vec<Output>,
    events: Vec<Event>,
    sent: Vec<ClientFrame>,
    ops: Vec<(OpId, CallId, RtcAction)>,
    generations: BTreeMap<CallId, Generation>,
}

impl Desk {
    /// Nothing has happened yet.
    pub(crate) fn idle(config: Config) -> Self {
        Self {
            session: Session::new(config, 1),
            now: Instant::ZERO,
            socket: Vec::new(),
            events: Vec::new(),
            sent: Vec::new(),
            ops: Vec::new(),
            generations: BTreeMap::new(),
        }
    }

    /// Connected to a service of ours, everything that led there forgotten.
    pub(crate) fn up() -> Self {
        Self::up_with(Config::default())
    }

    pub(crate) fn up_with(config: Config) -> Self {
        let mut desk = Self::idle(config);
        desk.connect();
        desk.link_up();
        desk.greet(OWN_CID);
        desk.forget();
        desk
    }

    /// Connected to Skapi's own service, which neither greets nor answers.
    pub(crate) fn up_at_skapi() -> Self {
        let mut desk = Self::idle(Config::default());
        desk.connect();
        desk.link_up();
        desk.wait(secs(2));
        desk.forget();
        desk
    }

    pub(crate) fn connect(&mut self) {
        self.session.connect(self.now);
        self.collect();
    }

    pub(crate) fn try_link_now(&mut self) {
        self.session.try_link_now(self.now);
        self.collect();
    }

    pub(crate) fn link_up(&mut self) {
        self.input(Input::LinkUp);
    }

    pub(crate) fn greet(&mut self, own: &str) {
        let ready = Ready::new(cid(own), UserId::new("me").unwrap());
        self.frame(ServerFrame::Ready(ready));
    }

    /// Greeted by a service that takes lost connections up again.
    pub(crate) fn greet_resumable(&mut self, own: &str, resumed: Option<Resumed>) {
        let mut ready = Ready::new(cid(own), UserId::new("me").unwrap());
        ready.resume = Some(format!("secret of {own}"));
        ready.resumed = resumed;
        self.frame(ServerFrame::Ready(ready));
    }

    /// Connected to a service that takes lost connections up again.
    pub(crate) fn up_resumable() -> Self {
        let mut desk = Self::idle(Config::default());
        desk.connect();
        desk.link_up();
        desk.greet_resumable(OWN_CID, None);
        desk.forget();
        desk
    }

    /// The link is lost and taken up again; the service has taken this many of our frames.
    pub(crate) fn resume(&mut self, received: u64, complete: bool) {
        self.link_lost();
        self.wait(secs(1));
        self.link_up();
        self.forget();
        self.greet_resumable(OWN_CID, Some(Resumed { received, complete }));
    }

    pub(crate) fn link_lost(&mut self) {
        self.input(Input::LinkDown(LinkLoss::lost("cut")));
    }

    /// The link is lost and comes back as soon as the machine asks for it.
    pub(crate) fn reconnect(&mut self, own: &str) {
        self.link_lost();
        self.wait(secs(1));
        self.link_up();
        self.greet(own);
    }

    pub(crate) fn frame(&mut self, frame: ServerFrame) {
        self.input(Input::Frame(frame));
    }

    pub(crate) fn refuse(&mut self, reference: u32, code: ErrorCode) {
        self.frame(ServerFrame::Error {
            text: "no".to_owned(),
            code: Some(code),
            reference: Some(reference),
        });
    }

    pub(crate) fn done(&mut self, reference: u32) {
        self.frame(ServerFrame::Done { reference });
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.session.handle_input(self.now, input);
        self.collect();
    }

    /// Time passes, and every timer goes off at its moment.
    pub(crate) fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.session.next_deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.input(Input::Timeout);
        }
        self.now = until;
    }

    // What came out.

    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// What was said about calls.
    pub(crate) fn call_events(&mut self) -> Vec<CallEvent> {
        let events = self.events().into_iter();
        events
            .filter_map(|event| match event {
                Event::Call { event, .. } => Some(event),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn sent(&mut self) -> Vec<ClientFrame> {
        std::mem::take(&mut self.sent)
    }

    /// The contents sent to peers.
    pub(crate) fn said(&mut self) -> Vec<RtcContent> {
        let frames = self.sent().into_iter();
        frames
            .filter_map(|frame| match frame {
                ClientFrame::Rtc { content, .. } => Some(RtcContent::decode(&content).unwrap()),
                _ => None,
            })
            .collect()
    }

    /// The signals sent to peers.
    pub(crate) fn signals(&mut self) -> Vec<RtcSignal> {
        self.said().into_iter().map(|content| content.signal).collect()
    }

    pub(crate) fn forget(&mut self) {
        self.events.clear();
        self.sent.clear();
        self.socket.clear();
    }

    // The engine.

    /// The engine carries out everything it was asked for. Gives what that was.
    pub(crate) fn engine_works(&mut self) -> Vec<RtcAction> {
        let mut done = Vec::new();
        while let Some(action) = self.engine_does_one() {
            done.push(action);
        }
        done
    }

    /// The engine carries out the next operation.
    pub(crate) fn engine_does_one(&mut self) -> Option<RtcAction> {
        let (op, _, action) = self.take_op()?;
        let outcome = match &action {
            RtcAction::MakeOffer { .. } => {
                RtcOutcome::Description(SessionDescription::offer(sdp("own")))
            }
            RtcAction::AcceptOffer(_) => {
                RtcOutcome::Description(SessionDescription::answer(sdp("own")))
            }
            _ => RtcOutcome::Done,
        };
        self.finish(op, Ok(outcome));
        Some(action)
    }

    /// The engine fails at the next operation.
    pub(crate) fn engine_fails(&mut self) -> RtcAction {
        let (op, _, action) = self.take_op().expect("an operation to fail at");
        self.finish(op, Err("broken".to_owned()));
        action
    }

    /// Takes the next operation, to be finished later.
    pub(crate) fn take_op(&mut self) -> Option<(OpId, CallId, RtcAction)> {
        (!self.ops.is_empty()).then(|| self.ops.remove(0))
    }

    pub(crate) fn finish(&mut self, op: OpId, result: Result<RtcOutcome, String>) {
        self.input(Input::RtcDone { op, result });
    }

    pub(crate) fn generation(&self, call: CallId) -> Generation {
        self.generations[&call]
    }

    pub(crate) fn reports(&mut self, call: CallId, event: RtcEvent) {
        let generation = self.generation(call);
        self.input(Input::RtcEvent { call, generation, event });
    }

    // Calls.

    pub(crate) fn place(&mut self, peer: &Peer) -> CallId {
        let placed = self.session.place_call(self.now, peer.cid.clone(), PlaceOptions::default());
        self.collect();
        placed.unwrap()
    }

    pub(crate) fn accept(&mut self, call: CallId) {
        self.session.accept(self.now, call).unwrap();
        self.collect();
    }

    pub(crate) fn decline(&mut self, call: CallId, reason: EndReason) {
        self.session.decline(self.now, call, reason).unwrap();
        self.collect();
    }

    pub(crate) fn hang_up(&mut self, call: CallId) {
        self.session.hang_up(self.now, call).unwrap();
        self.collect();
    }

    pub(crate) fn close(&mut self) {
        self.session.close(self.now);
        self.collect();
    }

    /// The peer says something.
    pub(crate) fn hears(&mut self, peer: &Peer, signal: RtcSignal) {
        self.frame(peer.says(signal));
    }

    pub(crate) fn phase(&self, call: CallId) -> Option<CallPhase> {
        self.session.call(call).map(|info| info.phase)
    }

    /// How the call ended: it was said once, last of all, the engine was closed, and nothing is left.
    pub(crate) fn end_of(&mut self, call: CallId) -> CallEnd {
        assert_eq!(self.phase(call), None, "the call goes on");
        let events = self.call_events();
        let Some(CallEvent::Ended(end)) = events.last() else {
            panic!("no end: {events:?}");
        };
        let ends = events.iter().filter(|event| matches!(event, CallEvent::Ended(_)));
        assert_eq!(ends.count(), 1, "{events:?}");
        let last = self.engine_works().pop();
        assert!(matches!(last, None | Some(RtcAction::Close)), "{last:?}");
        let usage = self.session.usage();
        assert_eq!(usage.calls, 0, "{usage:?}");
        end.clone()
    }

    pub(crate) fn collect(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Connect { .. } | Output::Disconnect => self.socket.push(output),
                Output::Send(frame) => self.sent.push(frame),
                Output::Event(event) => self.events.push(event),
                Output::Rtc { op, call, action } => {
                    if let RtcAction::Open { generation, .. } = &action {
                        self.generations.insert(call, *generation);
                    }
                    self.ops.push((op, call, action));
                }
                other => panic!("unknown output {other:?}"),
            }
        }
    }
}
