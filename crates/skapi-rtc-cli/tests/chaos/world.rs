//! Everything there is: the service, the peers' processes and their sessions in pairs, and the relays
//! between them; and what is known of each call.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use tokio::sync::mpsc;

use crate::{
    ledger::{Cut, Ledger},
    lines::Wire,
    paths::Paths,
    process::{Peer, Service, token},
    words::{Command, Kind, Load, News},
};

/// How many of everything, and which engine.
#[derive(Debug, Clone)]
pub struct Setup {
    pub calls: usize,
    pub processes: usize,
    pub engine: String,
    /// One call in so many carries as much as it can.
    pub bulk_every: usize,
    /// One call in so many carries sound.
    pub sound_every: usize,
}

impl Setup {
    pub fn new(calls: usize, processes: usize) -> Self {
        Self { calls, processes, engine: "webrtc".to_owned(), bulk_every: 8, sound_every: 4 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Idle,
    Trying,
    Up,
    Interrupted,
}

/// One session, as its process last told of it.
#[derive(Debug)]
pub struct Session {
    pub process: usize,
    pub cid: Option<String>,
    pub linked: bool,
    pub phase: Phase,
    pub since: Instant,
    drained: usize,
}

/// Two sessions that call each other, always the first the second.
#[derive(Debug)]
pub struct Pair {
    pub sessions: [usize; 2],
    pub load: Load,
    /// Which of their calls it is.
    pub call: u64,
    /// Grows with whatever is done to either.
    pub disturbed: u64,
    /// The process of one of them was killed then.
    pub killed: Option<Instant>,
    counted: bool,
    /// The last that happened to them.
    history: VecDeque<(Instant, String)>,
}

/// A path has come back, and something should flow.
struct Watch {
    pair: usize,
    call: u64,
    disturbed: u64,
    cut: Cut,
    at: Instant,
    flows: bool,
}

pub struct World {
    pub setup: Setup,
    pub ledger: Ledger,
    pub service: Option<Service>,
    pub address: SocketAddr,
    pub folder: tempfile::TempDir,
    pub peers: Vec<Peer>,
    pub wires: Vec<Wire>,
    pub paths: Paths,
    pub control: SocketAddr,
    pub sessions: Vec<Session>,
    pub pairs: Vec<Pair>,
    tokens: Vec<String>,
    news: mpsc::UnboundedReceiver<(usize, u64, Option<News>)>,
    pub teller: mpsc::UnboundedSender<(usize, u64, Option<News>)>,
    watches: HashMap<u64, Watch>,
    next_watch: u64,
    /// Whether calls that have ended are placed again.
    pub places: bool,
    pub tasks: Vec<usize>,
}

/// Of a call that was lost, so much of what came before is told.
const HISTORY: usize = 60;

/// What a side that is alone in a call, or in the midst of something, may take until it ends.
const ONE_SIDED: Duration = Duration::from_secs(75);

/// After the path's return, until something flows.
const FLOWS: Duration = Duration::from_secs(60);

/// Between two looks at what must hold.
const LOOK: Duration = Duration::from_millis(250);

impl Pair {
    /// Something is done to either side.
    pub fn disturb(&mut self, what: &str) {
        self.disturbed += 1;
        self.note(what.to_owned());
    }

    fn note(&mut self, what: String) {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back((Instant::now(), what));
    }

    fn story(&self) -> String {
        let lines = self
            .history
            .iter()
            .map(|(at, what)| format!("\n    {:.1} s ago: {what}", at.elapsed().as_secs_f64()));
        lines.collect()
    }
}

/// An address that nobody listens on, for a service that is to be found there again.
pub fn free_address() -> Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl World {
    /// A world in which every session is connected.
    pub async fn start(setup: Setup) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let address = free_address()?;
        for name in ["secret", "key-0", "key-1"] {
            let text = format!("{name}, forty characters and more of a secret");
            std::fs::write(folder.path().join(name), text)?;
        }
        let count = setup.calls * 2;
        let (paths, control) = Paths::start(count).await?;
        let (teller, news) = mpsc::unbounded_channel();
        let mut world = Self {
            ledger: Ledger::new(),
            service: None,
            address,
            peers: Vec::new(),
            wires: Vec::new(),
            paths,
            control,
            sessions: Vec::new(),
            pairs: Vec::new(),
            tokens: Vec::new(),
            news,
            teller,
            watches: HashMap::new(),
            next_watch: 0,
            places: false,
            tasks: vec![0; setup.processes],
            folder,
            setup,
        };
        for session in 0..count {
            let secret = world.folder.path().join("secret");
            world.tokens.push(token(&secret, &format!("user{session}")).await?);
            world.wires.push(Wire::new(address).await?);
            let pair = session / 2;
            world.sessions.push(Session {
                process: (pair + session % 2) % world.setup.processes,
                cid: None,
                linked: false,
                phase: Phase::Idle,
                since: Instant::now(),
                drained: 0,
            });
        }
        for pair in 0..world.setup.calls {
            let every = |n: usize| n > 0 && pair % n == n - 1;
            let (audio, bulk) = (every(world.setup.sound_every), every(world.setup.bulk_every));
            world.pairs.push(Pair {
                sessions: [pair * 2, pair * 2 + 1],
                load: Load { audio, bulk },
                call: 0,
                disturbed: 0,
                killed: None,
                counted: false,
                history: VecDeque::new(),
            });
        }
        world.start_service(0).await?;
        for process in 0..world.setup.processes {
            world.start_peer(process)?;
        }
        let limit = Duration::from_secs(60);
        world.until("every session connects", limit, Self::all_linked).await?;
        Ok(world)
    }

    pub fn all_linked(&self) -> bool {
        self.sessions.iter().all(|session| session.linked)
    }

    pub fn all(&self, phase: Phase) -> bool {
        self.sessions.iter().all(|session| session.phase == phase)
    }

    pub async fn start_service(&mut self, key: usize) -> Result<()> {
        let secret = self.folder.path().join("secret");
        let key = self.folder.path().join(format!("key-{}", key % 2));
        self.service = Some(Service::start(self.address, &secret, &key).await?);
        Ok(())
    }

    /// Starts a process, with its sessions. One that was there before is gone.
    pub fn start_peer(&mut self, process: usize) -> Result<()> {
        let life = self.peers.get(process).map_or(0, |peer| peer.life + 1);
        let peer = Peer::start(process, life, self.control, &self.setup.engine, &self.teller)?;
        for (session, known) in self.sessions.iter().enumerate() {
            if known.process == process {
                let url = format!("http://{}", self.wires[session].address);
                let token = self.tokens[session].clone();
                peer.say(Command::Join { session, url, token });
            }
        }
        if process < self.peers.len() {
            self.peers[process] = peer;
        } else {
            self.peers.push(peer);
        }
        Ok(())
    }

    /// The process is gone, and with it its sessions.
    pub fn forget_sessions(&mut self, process: usize) {
        for session in self.sessions.iter_mut().filter(|session| session.process == process) {
            let now = Instant::now();
            (session.linked, session.cid) = (false, None);
            (session.phase, session.since) = (Phase::Idle, now);
        }
        for pair in &mut self.pairs {
            if pair.sessions.iter().any(|session| self.sessions[*session].process == process) {
                pair.disturb("a process is gone");
                pair.killed = Some(Instant::now());
            }
        }
    }

    pub fn say(&self, session: usize, word: Command) {
        self.peers[self.sessions[session].process].say(word);
    }

    pub fn place(&mut self, pair: usize) {
        let [caller, callee] = self.pairs[pair].sessions;
        let Some(cid) = self.sessions[callee].cid.clone() else { return };
        let pair = &mut self.pairs[pair];
        (pair.call, pair.killed, pair.counted) = (pair.call + 1, None, false);
        self.ledger.placed += 1;
        for session in [caller, callee] {
            self.sessions[session].drained = 0;
        }
        // Until it says so itself.
        let session = &mut self.sessions[caller];
        (session.phase, session.since) = (Phase::Trying, Instant::now());
        let load = pair.load;
        self.say(caller, Command::Call { session: caller, cid, load });
    }

    /// Both sides tell when something flows again.
    pub fn watch(&mut self, pair: usize, cut: Cut) {
        let Pair { sessions, call, disturbed, .. } = self.pairs[pair];
        for session in sessions {
            if !matches!(self.sessions[session].phase, Phase::Up | Phase::Interrupted) {
                continue;
            }
            self.next_watch += 1;
            let (id, at) = (self.next_watch, Instant::now());
            self.watches.insert(id, Watch { pair, call, disturbed, cut, at, flows: false });
            self.say(session, Command::Watch { session, id });
        }
    }

    pub fn drained(&self, pair: usize) -> bool {
        let pair = &self.pairs[pair];
        let channels = if pair.load.bulk { 3 } else { 2 };
        pair.sessions.iter().all(|session| self.sessions[*session].drained >= channels)
    }

    /// Waits until something holds.
    pub async fn until(
        &mut self,
        what: &str,
        limit: Duration,
        holds: impl Fn(&Self) -> bool,
    ) -> Result<()> {
        let deadline = Instant::now() + limit;
        while !holds(self) {
            if Instant::now() > deadline {
                bail!("waited {} s in vain until {what}\n{}", limit.as_secs(), self.ledger);
            }
            self.live_for(LOOK / 2).await;
        }
        Ok(())
    }

    /// Lets time pass.
    pub async fn live_for(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        loop {
            self.look();
            let left = deadline.saturating_duration_since(Instant::now()).min(LOOK);
            if left.is_zero() {
                return;
            }
            if let Ok(Some((process, life, told))) =
                tokio::time::timeout(left, self.news.recv()).await
                && self.peers.get(process).is_some_and(|peer| peer.life == life)
            {
                match told {
                    Some(news) => self.hear(process, news),
                    None => {
                        let text = format!("the process peer-{process} has ended by itself");
                        self.ledger.violated(text);
                    }
                }
            }
        }
    }

    fn hear(&mut self, process: usize, news: News) {
        match news {
            News::Up { session, cid } => {
                self.pairs[session / 2].note(format!("side {} is linked as {cid}", session % 2));
                (self.sessions[session].cid, self.sessions[session].linked) = (Some(cid), true);
            }
            News::Down { session } => {
                self.pairs[session / 2].note(format!("side {} has no link", session % 2));
                self.sessions[session].linked = false;
            }
            News::Trying { session } => self.is_now(session, Phase::Trying),
            News::Established { session } | News::Reconnected { session } => {
                self.is_now(session, Phase::Up);
                let pair = &mut self.pairs[session / 2];
                let both = pair.sessions.iter().all(|s| self.sessions[*s].phase == Phase::Up);
                if both && !std::mem::replace(&mut pair.counted, true) {
                    self.ledger.established += 1;
                }
            }
            News::Reconnecting { session } => self.is_now(session, Phase::Interrupted),
            News::Ended { session, reason, local } => {
                self.ledger.ended(&reason, local);
                self.pairs[session / 2].note(format!("side {} ended: {reason}", session % 2));
                if local && reason.contains("failed") {
                    let story = self.pairs[session / 2].story();
                    crate::say(&format!("a call of pair {} was lost:{story}", session / 2));
                }
                if let Some(killed) = self.pairs[session / 2].killed.take()
                    && self.sessions[session].phase != Phase::Trying
                {
                    self.ledger.missed(killed.elapsed());
                }
                self.is_now(session, Phase::Idle);
            }
            News::Flows { id, what, after_ms, .. } => {
                let Some(watch) = self.watches.get_mut(&id) else { return };
                watch.flows |= what == Kind::Data;
                let pair = &self.pairs[watch.pair];
                if (pair.disturbed, pair.call) == (watch.disturbed, watch.call) {
                    self.ledger.recovered(watch.cut, what, after_ms);
                }
            }
            News::Drained { session, messages, .. } => {
                self.sessions[session].drained += 1;
                self.ledger.drained += 1;
                self.ledger.messages += messages;
            }
            News::Fault { session, what } => {
                let story = self.pairs[session / 2].story();
                crate::say(&format!("side {} of pair {}: {what}{story}", session % 2, session / 2));
                self.ledger.violated(format!("session {session}: {what}"));
            }
            News::Usage { tasks } => self.tasks[process] = tasks,
        }
    }

    fn is_now(&mut self, session: usize, phase: Phase) {
        self.pairs[session / 2].note(format!("side {} is {phase:?}", session % 2));
        let session = &mut self.sessions[session];
        (session.phase, session.since) = (phase, Instant::now());
    }

    /// What must hold, and calls that are due.
    fn look(&mut self) {
        let now = Instant::now();
        for number in 0..self.pairs.len() {
            let [a, b] = self.pairs[number].sessions.map(|session| &self.sessions[session]);
            let quiet = now - a.since.max(b.since);
            let phases = (a.phase, b.phase);
            let settled = matches!(phases, (Phase::Idle, Phase::Idle) | (Phase::Up, Phase::Up));
            let ready = [a, b].iter().all(|side| side.linked && side.cid.is_some());
            if !settled && quiet > ONE_SIDED {
                let text = format!("pair {number} stays {phases:?} for {} s", quiet.as_secs());
                crate::say(&format!("{text}{}", self.pairs[number].story()));
                self.ledger.violated(text);
                self.is_now(number * 2, phases.0); // once is enough
            } else if phases == (Phase::Idle, Phase::Idle)
                && self.places
                && ready
                && quiet > Duration::from_secs(1)
            {
                self.place(number);
            }
        }
        let (pairs, sessions, ledger) = (&self.pairs, &self.sessions, &mut self.ledger);
        self.watches.retain(|_, watch| {
            let pair = &pairs[watch.pair];
            let same = (pair.disturbed, pair.call) == (watch.disturbed, watch.call);
            let up = pair.sessions.iter().all(|s| sessions[*s].phase == Phase::Up);
            let old = now - watch.at > FLOWS;
            if old && same && up && !watch.flows {
                let text = format!("pair {}: nothing flows after {:?}", watch.pair, watch.cut);
                ledger.violated(text);
            }
            !old && same
        });
    }
}
