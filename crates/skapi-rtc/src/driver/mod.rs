//! The one loop in which signaling, transport and engines meet.
//!
//! The driver owns the [`Session`]. It feeds it what happens, carries out what it says, and never waits
//! for anybody while doing so: engines work in tasks of their own, the socket has one, and what the
//! application does not read in time is kept or counted by the event port.

mod engine;
mod handover;
mod input;
mod news;
mod place;
mod slots;

use std::{collections::HashMap, sync::Arc, time::Duration};

use skapi_rtc_protocol::{ClientFrame, Ready};
use skapi_rtc_signaling::{Input, LinkLoss, Output, RequestId, Resumption, Session, UserCallId};
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use self::input::{Command, DriverInput, Reply};
use self::{engine::Engines, handover::Told, slots::CallSlots};
use crate::{
    ConnectError, Endpoint, PostError, RealtimeEvent, SocketError,
    call::UserStage,
    events::EventPort,
    realtime::WeakHandle,
    runtime::{self, Clock},
    token::Tokens,
    transport::{LinkCause, LinkEvent, Transport, run_link},
};

/// Frames on their way to the socket. A service that takes none for so long is as good as gone.
const MAX_FRAMES: usize = 1024;
/// Frames of the service that wait for the driver.
const MAX_RECEIVED: usize = 64;
/// How long closing waits for the socket and the engines.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a driver is made of.
pub(crate) struct Parts {
    pub(crate) session: Session,
    pub(crate) endpoint: Endpoint,
    pub(crate) tokens: Tokens,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) backend: Option<Arc<dyn skapi_rtc_backend::Backend>>,
    pub(crate) policy: skapi_rtc_backend::TransportPolicy,
    pub(crate) events: EventPort,
    pub(crate) inputs: mpsc::Receiver<DriverInput>,
    pub(crate) input_sender: mpsc::Sender<DriverInput>,
    pub(crate) handle: WeakHandle,
    pub(crate) ready: watch::Sender<Option<Ready>>,
    /// Told how the first attempt to connect went.
    pub(crate) first: oneshot::Sender<Result<(), ConnectError>>,
    pub(crate) retry_first: bool,
}

pub(crate) struct Driver {
    clock: Clock,
    session: Session,
    endpoint: Arc<Endpoint>,
    tokens: Tokens,
    transport: Arc<dyn Transport>,
    events: EventPort,
    inputs: mpsc::Receiver<DriverInput>,
    link: Option<LinkHandle>,
    calls: CallSlots,
    requests: HashMap<RequestId, Reply<PostError>>,
    user_calls: HashMap<UserCallId, watch::Sender<UserStage>>,
    /// Few at a time.
    asks: Vec<(RequestId, Told)>,
    handle: WeakHandle,
    ready: watch::Sender<Option<Ready>>,
    first: Option<oneshot::Sender<Result<(), ConnectError>>>,
    first_error: Option<ConnectError>,
    retry_first: bool,
    closing: Vec<oneshot::Sender<()>>,
    finished: bool,
    tasks: mpsc::Receiver<()>,
    alive: mpsc::Sender<()>,
}

struct LinkHandle {
    frames: mpsc::Sender<ClientFrame>,
    events: mpsc::Receiver<LinkEvent>,
    give_up: oneshot::Sender<()>,
}

impl Driver {
    pub(crate) fn new(parts: Parts) -> Self {
        let (alive, tasks) = mpsc::channel(1);
        let engines = Engines {
            backend: parts.backend,
            policy: parts.policy,
            inputs: parts.input_sender,
            alive: alive.clone(),
        };
        Self {
            clock: Clock::start(),
            session: parts.session,
            endpoint: Arc::new(parts.endpoint),
            tokens: parts.tokens,
            transport: parts.transport,
            events: parts.events,
            inputs: parts.inputs,
            link: None,
            calls: CallSlots::new(engines),
            requests: HashMap::new(),
            user_calls: HashMap::new(),
            asks: Vec::new(),
            handle: parts.handle,
            ready: parts.ready,
            first: Some(parts.first),
            first_error: None,
            retry_first: parts.retry_first,
            closing: Vec::new(),
            finished: false,
            tasks,
            alive,
        }
    }

    /// Runs until the session is closed and everything it started has ended.
    pub(crate) async fn run(mut self) {
        self.session.connect(self.clock.now());
        self.carry_out();
        let transport = self.transport.clone();
        let mut sign_of_return = transport.sign_of_return();
        while !self.finished {
            let deadline = self.session.next_deadline();
            let clock = self.clock;
            let (waiting, congested) = (self.events.is_waiting(), self.events.is_congested());
            tokio::select! {
                Some(input) = self.inputs.recv() => self.on_input(input),
                event = next_link_event(&mut self.link), if !congested => self.on_link(event),
                () = clock.sleep_until(deadline) => self.handle(Input::Timeout),
                () = self.events.relieve(), if waiting => {}
                () = &mut sign_of_return => {
                    sign_of_return = transport.sign_of_return();
                    self.session.try_link_now(self.clock.now());
                    self.carry_out();
                }
            }
        }
        drop(sign_of_return);
        self.wind_down().await;
    }

    /// Lets the tasks end: the link sends what it has and closes, the engines close their connections.
    async fn wind_down(mut self) {
        drop(self.alive);
        self.calls.release();
        // What the engines still report is read so that they do not wait; nobody acts on it. Whoever wants
        // to close now waits like the first one.
        let ended = async {
            loop {
                tokio::select! {
                    _ = self.tasks.recv() => return,
                    Some(input) = self.inputs.recv() => {
                        if let DriverInput::Command(Command::Close { done }) = input {
                            self.closing.extend(done);
                        }
                    }
                }
            }
        };
        if runtime::within(CLOSE_TIMEOUT, ended).await.is_none() {
            tracing::warn!("some tasks of a closed session have not ended in time");
        }
        // Whatever is still asked is answered by being dropped.
        drop(self.inputs);
        for done in self.closing {
            let _ = done.send(());
        }
        // The last event waits for the application as long as that holds the stream.
        self.events.relieve().await;
    }

    fn on_input(&mut self, input: DriverInput) {
        match input {
            DriverInput::Command(command) => self.on_command(command),
            DriverInput::RtcDone { op, result } => self.handle(Input::RtcDone { op, result }),
            DriverInput::RtcEvent { call, generation, event } => {
                self.handle(Input::RtcEvent { call, generation, event });
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        let now = self.clock.now();
        match command {
            Command::Join { group, done } => {
                let request = self.session.join(now, group);
                self.await_request(request, done);
            }
            Command::PostToGroup { content, done } => {
                let request = self.session.post_to_group(now, content);
                self.await_request(request, done);
            }
            Command::PostToUser { user, content, done } => {
                let request = self.session.post_to_user(now, user, content);
                self.await_request(request, done);
            }
            Command::Place { to, options, done } => {
                // If whoever asked is gone, the lease goes too, and the call is hung up.
                drop(done.send(self.place(to, options)));
            }
            Command::PlaceUser { to, options, done } => {
                drop(done.send(self.place_user(to, &options)));
            }
            // A call that has ended meanwhile has said so already.
            Command::Accept { call } => drop(self.session.accept(now, call)),
            Command::Decline { call, reason } => drop(self.session.decline(now, call, reason)),
            Command::HangUp { call } => drop(self.session.hang_up(now, call)),
            Command::AskCalls { devices, done } => self.ask_calls(devices, done),
            Command::PickUp { call, options, done } => {
                drop(done.send(self.pick_up(call, options)));
            }
            Command::AnswerHandover { call, by, allow } => {
                let _ = self.session.answer_handover(now, call, &by, allow);
            }
            Command::Close { done } => {
                self.closing.extend(done);
                self.session.close(now);
            }
        }
        self.carry_out();
    }

    fn await_request(
        &mut self,
        request: Result<RequestId, skapi_rtc_signaling::CommandError>,
        done: Reply<PostError>,
    ) {
        match request {
            Ok(request) => {
                self.requests.insert(request, done);
            }
            Err(error) => drop(done.send(Err(error.into()))),
        }
    }

    fn on_link(&mut self, event: Option<LinkEvent>) {
        match event {
            Some(LinkEvent::Up) => self.handle(Input::LinkUp),
            Some(LinkEvent::Frame(frame)) => self.handle(Input::Frame(frame)),
            Some(LinkEvent::BadFrame(error)) => {
                self.events.data(RealtimeEvent::Unreadable { from: None, error });
                self.handle(Input::UnreadableFrame);
            }
            Some(LinkEvent::Down(down)) => {
                self.link = None;
                self.on_first_attempt_failed(down.cause);
                self.handle(Input::LinkDown(down.loss));
            }
            None => {
                self.link = None;
                let reason = "its task has ended".to_owned();
                self.on_first_attempt_failed(SocketError::Broken(reason.clone()).into());
                self.handle(Input::LinkDown(LinkLoss::lost(reason)));
            }
        }
    }

    /// Whoever waits for the first connection learns why there is none, and the session ends with that.
    fn on_first_attempt_failed(&mut self, cause: LinkCause) {
        if self.first.is_some() {
            self.first_error = Some(match cause {
                LinkCause::Token(error) => error.into(),
                LinkCause::Open(error) => error.into(),
                LinkCause::Socket(error) => error.into(),
            });
            if !self.retry_first {
                self.session.close(self.clock.now());
            }
        }
    }

    fn handle(&mut self, input: Input) {
        self.session.handle_input(self.clock.now(), input);
        self.carry_out();
    }

    /// Does everything the session has queued.
    fn carry_out(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Connect { attempt, resumption } => self.connect(attempt, resumption),
                Output::Disconnect => self.link = None,
                Output::Send(frame) => self.send(frame),
                Output::Rtc { op, call, action } => {
                    let follows = self.calls.ask(call, op, action);
                    if !follows {
                        let _ = self.session.hang_up(self.clock.now(), call);
                    }
                }
                Output::Event(event) => self.on_event(event),
                _ => {}
            }
        }
    }

    fn connect(&mut self, attempt: u32, resumption: Resumption) {
        tracing::debug!(attempt, address = %self.endpoint.address(), "connecting");
        let (frames, frame_receiver) = mpsc::channel(MAX_FRAMES);
        let (event_sender, events) = mpsc::channel(MAX_RECEIVED);
        let (give_up, given_up) = oneshot::channel();
        self.link = Some(LinkHandle { frames, events, give_up });
        let link = run_link(
            self.transport.clone(),
            self.endpoint.clone(),
            self.tokens.clone(),
            resumption,
            frame_receiver,
            event_sender,
            given_up,
        );
        let alive = self.alive.clone();
        runtime::spawn(async move {
            link.await;
            drop(alive);
        });
    }

    fn send(&mut self, frame: ClientFrame) {
        let Some(link) = &self.link else { return };
        // A link that has ended says why by its last event, so only a full one is news.
        if let Err(mpsc::error::TrySendError::Full(_)) = link.frames.try_send(frame) {
            if let Some(link) = self.link.take() {
                // It comes back, so this must not look like a goodbye.
                let _ = link.give_up.send(());
            }
            let loss = LinkLoss::lost("the service takes no frames any more");
            self.session.handle_input(self.clock.now(), Input::LinkDown(loss));
        }
    }
}

/// The next event of the link; waits for ever without one.
async fn next_link_event(link: &mut Option<LinkHandle>) -> Option<LinkEvent> {
    match link {
        Some(link) => link.events.recv().await,
        None => std::future::pending().await,
    }
}
