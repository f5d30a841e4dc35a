//! The one task of a connection: it alone touches the engine, and every change of the engine is followed
//! by taking out all that the engine has to say.
//!
//! ```text
//!   commands, calls of channels, datagrams, time ──► engine ──► datagrams, events, next deadline
//! ```

mod candidates;
mod channels;
mod clock;
mod gathering;
mod health;
mod hearing;
mod holding;
mod negotiation;
mod receiving;
mod relaying;
mod round_trip;
mod sections;
mod sending;
mod window;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use skapi_rtc_backend::{PeerEvent, PeerStats, TransportPolicy};
use str0m::{Event, IceConnectionState, Input, Output, Rtc};
use tokio::{
    sync::{mpsc, watch},
    time::{Sleep, sleep_until},
};
use tracing::debug;

use self::{
    candidates::RemoteCandidates, channels::Channels, clock::Clock, gathering::Gathering,
    health::Health, holding::HeldBack, negotiation::Negotiation, relaying::Relays,
    round_trip::RoundTrips, sections::Tracks,
};
use crate::{Config, command::Command, network::Network, servers::Servers, shared::Shared};

/// Rounds without a pause; more than these the engine needs only if it goes round in circles.
const MAX_ROUNDS: usize = 1_000;
/// Connectivity checks that may leave at once.
const MAX_CHECKS: usize = 32;
/// When to look again if the engine has nothing to wait for.
const IDLE: Duration = Duration::from_secs(3600);

/// What a driver is made of.
pub(crate) struct Parts {
    pub(crate) rtc: Rtc,
    pub(crate) config: Arc<Config>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) commands: mpsc::Receiver<Box<Command>>,
    pub(crate) network: Network,
    pub(crate) servers: Servers,
    pub(crate) policy: TransportPolicy,
    /// Dropped when the driver has ended.
    pub(crate) alive: watch::Sender<()>,
}

pub(crate) struct Driver {
    rtc: Rtc,
    config: Arc<Config>,
    shared: Arc<Shared>,
    commands: mpsc::Receiver<Box<Command>>,
    network: Network,
    negotiation: Negotiation,
    remote_candidates: RemoteCandidates,
    gathering: Gathering,
    relays: Relays,
    channels: Channels,
    tracks: Tracks,
    held_back: HeldBack,
    health: Health,
    clock: Clock,
    /// Datagrams that the engine has taken since it was last emptied.
    undrained: usize,
    bytes_received: u64,
    round_trips: RoundTrips,
    _alive: watch::Sender<()>,
}

impl Driver {
    /// Boxed: the engine alone has 10 KiB, which would be in the task twice, as argument and as variable.
    pub(crate) fn new(parts: Parts) -> Box<Self> {
        let (health, clock) = (Health::new(&parts.config), Clock::new(&parts.config));
        Box::new(Self {
            rtc: parts.rtc,
            config: parts.config,
            shared: parts.shared,
            commands: parts.commands,
            network: parts.network,
            negotiation: Negotiation::default(),
            remote_candidates: RemoteCandidates::default(),
            gathering: Gathering::new(parts.servers, parts.policy),
            relays: Relays::default(),
            channels: Channels::default(),
            tracks: Tracks::default(),
            held_back: HeldBack::default(),
            health,
            clock,
            undrained: 0,
            bytes_received: 0,
            round_trips: RoundTrips::default(),
            _alive: parts.alive,
        })
    }

    pub(crate) async fn run(mut self: Box<Self>) {
        let shared = self.shared.clone();
        let mut timer = Box::pin(sleep_until(tokio::time::Instant::now()));
        let mut due = Instant::now();
        loop {
            if shared.is_closing() {
                return self.close().await;
            }
            let deadline = self.turn();
            set(timer.as_mut(), &mut due, deadline);
            tokio::select! {
                biased;
                () = shared.wake.notified() => {}
                command = self.commands.recv() => match command {
                    Some(command) => self.execute(*command),
                    None => return self.close().await,
                },
                received = self.network.ready() => self.receive(received),
                found = self.gathering.resolved() => self.ask_found(found),
                () = &mut timer => {}
            }
        }
    }

    /// Does all that can be done now; says when there is more to do.
    fn turn(&mut self) -> Instant {
        for _ in 0..MAX_ROUNDS {
            let now = Instant::now();
            let engine_deadline = self.drain();
            self.let_in(now);
            let worked = self.serve_channels() | self.serve_tracks() | self.serve_relays(now);
            self.watch_health(now);
            if worked || self.undrained > 0 {
                continue;
            }
            if engine_deadline <= now {
                self.pass_time(now);
                continue;
            }
            if self.catch_up(now) {
                continue;
            }
            self.network.flush();
            self.gather_again(now);
            let others = [
                self.health.deadline(),
                self.gathering.deadline(),
                self.relays.deadline(),
                self.holding_deadline(),
            ];
            return others.into_iter().flatten().fold(engine_deadline, Instant::min);
        }
        debug!("the engine does not come to rest");
        self.network.flush();
        Instant::now() + Duration::from_millis(1)
    }

    /// Takes out all that the engine has to say; gives its deadline.
    fn drain(&mut self) -> Instant {
        let mut checks = 0;
        loop {
            self.undrained = 0;
            let (deadline, sent) = self.drain_once();
            // The engine sends one check every 50 ms if left alone, which is most of what a connection on
            // one machine takes. Asked again, it sends the next one that is due.
            if (sent || checks == 0) && checks < MAX_CHECKS && self.health.is_connecting() {
                checks += 1;
                self.pass_time(Instant::now());
                continue;
            }
            return deadline;
        }
    }

    fn drain_once(&mut self) -> (Instant, bool) {
        let mut sent = false;
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(deadline)) => return (self.clock.due(deadline), sent),
                Ok(Output::Transmit(transmit)) => {
                    sent = true;
                    self.note_pair(&transmit);
                    self.time_check(&transmit);
                    self.transmit(&transmit);
                }
                Ok(Output::Event(event)) => self.handle(event),
                Err(error) => {
                    debug!(%error, "the engine has stopped");
                    self.rtc.disconnect();
                    self.broken();
                    return (Instant::now() + IDLE, false);
                }
            }
        }
    }

    fn pass_time(&mut self, now: Instant) {
        if let Err(error) = self.rtc.handle_input(Input::Timeout(self.clock.of_engine(now))) {
            debug!(%error, "the engine took the time badly");
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::IceConnectionStateChange(state) => {
                if state == IceConnectionState::Checking {
                    self.health.checking(Instant::now());
                }
                self.health.ice = state;
            }
            Event::Connected => self.health.secured = true,
            Event::ChannelOpen(id, _) => self.channel_opened(id),
            Event::ChannelData(data) => self.channels.received(data),
            Event::ChannelClose(id) => self.channel_closed(id),
            Event::RtpPacket(packet) => self.hear(packet),
            Event::KeyframeRequest(request) => self.tracks.keyframe_requested(&request),
            Event::EgressBitrateEstimate(estimate) => self.tracks.bitrate_estimated(&estimate),
            Event::MediaEgressStats(stats) => self.tracks.sending_reported(&stats),
            Event::MediaIngressStats(stats) => self.tracks.receivers.hearing_reported(&stats),
            Event::Closed => self.broken(),
            _ => {}
        }
    }

    fn execute(&mut self, command: Command) {
        // Whoever asked may have gone: then nobody needs the answer.
        match command {
            Command::SetServers(servers, reply) => {
                self.gathering.use_servers(servers);
                let _ = reply.send(());
            }
            Command::MakeOffer(options, reply) => drop(reply.send(self.make_offer(options))),
            Command::AcceptOffer(offer, reply) => drop(reply.send(self.accept_offer(&offer))),
            Command::AcceptAnswer(answer, reply) => drop(reply.send(self.accept_answer(&answer))),
            Command::Rollback(reply) => drop(reply.send(self.rollback())),
            Command::AddCandidate(candidate, reply) => {
                drop(reply.send(self.add_candidate(candidate)));
            }
            Command::CreateChannel { label, init, reply } => {
                drop(reply.send(self.create_channel(&label, init)));
            }
            Command::AddTrack { local, track, reply } => {
                drop(reply.send(self.add_track(local, track)));
            }
            Command::RemoveTrack(track, reply) => drop(reply.send(self.remove_track(&track))),
            Command::Stats(reply) => drop(reply.send(self.stats())),
        }
    }

    fn stats(&self) -> PeerStats {
        let mut stats = PeerStats::default();
        stats.bytes_sent = self.network.bytes_sent();
        stats.bytes_received = self.bytes_received;
        stats.channels = self.channels.figures();
        stats.tracks = self.tracks.figures();
        stats.sort_tracks();
        stats.selected_pair = self.health.selected_pair().map(|mut pair| {
            let measured = self.health.path.and_then(|path| self.round_trips.of(path));
            pair.round_trip_time = measured.map(|measured| measured.latest);
            pair
        });
        stats
    }

    /// The connection is over for the engine, not for the application, which still has to close it.
    fn broken(&mut self) {
        self.channels.close_all();
        self.tracks.end_all();
        if let Some(state) = self.health.fail() {
            self.shared.emit(PeerEvent::State(state));
        }
    }

    async fn close(&mut self) {
        if let Err(error) = self.rtc.close() {
            debug!(%error, "the engine did not close in order");
        }
        self.drain_once();
        self.network.flush();
        self.release_relays();
        self.network.close_streams().await;
    }
}

impl Drop for Driver {
    /// Also when the runtime ends, or the engine panics: nobody must wait for what does not come.
    fn drop(&mut self) {
        self.channels.close_all();
        self.tracks.end_all();
        if !self.shared.is_closing()
            && let Some(state) = self.health.fail()
        {
            self.shared.emit(PeerEvent::State(state));
        }
        self.shared.finish();
    }
}

/// Sets the timer, unless it goes off earlier anyway: deadlines move with every packet.
fn set(timer: std::pin::Pin<&mut Sleep>, due: &mut Instant, deadline: Instant) {
    if deadline < *due || timer.is_elapsed() {
        *due = deadline;
        timer.reset(deadline.into());
    }
}
