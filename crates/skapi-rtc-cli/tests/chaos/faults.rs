//! Faults at random: what is done to whom, for how long, and how it is mended.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::{
    ledger::Cut,
    lines::Line,
    world::{Phase, World},
};

/// What happens later.
#[derive(Debug)]
enum Mend {
    Line(usize),
    Path { pair: usize, whole: bool, cut: Cut },
    Quiet(usize),
    Service { key: usize },
    Peer(usize),
}

/// Faults under way.
pub struct Faults {
    rng: fastrand::Rng,
    due: Vec<(Instant, Mend)>,
    key: usize,
}

/// How long a path or a link is cut, in seconds.
const CUTS: [u64; 4] = [1, 2, 5, 20];

impl Faults {
    pub fn new(seed: u64) -> Self {
        Self { rng: fastrand::Rng::with_seed(seed), due: Vec::new(), key: 0 }
    }

    /// Does something to somebody. Not everything is possible at any time.
    pub async fn strike(&mut self, world: &mut World) -> Result<()> {
        let session = self.rng.usize(..world.sessions.len());
        match self.rng.u8(..100) {
            0..18 => {
                world.ledger.fault("links reset");
                world.pairs[session / 2].disturb("a link is reset");
                world.wires[session].reset();
            }
            18..28 => {
                let seconds = self.seconds();
                world.ledger.fault("links down");
                self.line(world, session, Line::Closed, seconds);
            }
            28..36 => {
                let seconds = self.seconds();
                world.ledger.fault("links stalled");
                self.line(world, session, Line::Stalled, seconds);
            }
            36..44 => {
                world.ledger.fault("both links down");
                let seconds = self.seconds();
                for session in world.pairs[session / 2].sessions {
                    self.line(world, session, Line::Closed, seconds);
                }
            }
            44..64 => self.cut(world, session / 2, false),
            64..74 => self.cut(world, session / 2, true),
            74..84 => {
                world.ledger.fault("paths noisy");
                world.pairs[session / 2].disturb("the path is noisy");
                world.paths.noisy(session, true);
                let seconds = self.seconds();
                self.later(seconds, Mend::Quiet(session));
            }
            84..93 => {
                world.ledger.fault("hang-ups");
                world.pairs[session / 2].disturb("somebody hangs up");
                world.say(session, crate::words::Command::HangUp { session });
            }
            93..95 if world.service.is_some() => self.service(world, true).await?,
            95..96 if world.service.is_some() => self.service(world, false).await?,
            _ => self.peer(world).await?,
        }
        Ok(())
    }

    fn seconds(&mut self) -> u64 {
        CUTS[self.rng.usize(..CUTS.len())]
    }

    fn later(&mut self, seconds: u64, mend: Mend) {
        self.due.push((Instant::now() + Duration::from_secs(seconds), mend));
    }

    fn line(&mut self, world: &mut World, session: usize, line: Line, seconds: u64) {
        let what = format!("the link of side {} is {line:?} for {seconds} s", session % 2);
        world.pairs[session / 2].disturb(&what);
        world.wires[session].set(line);
        self.later(seconds, Mend::Line(session));
    }

    /// Cuts the path of a call that is up, and everything else of one side with it if `whole`.
    pub fn cut(&mut self, world: &mut World, pair: usize, whole: bool) {
        let seconds = self.seconds();
        self.cut_for(world, pair, whole, seconds);
    }

    pub fn cut_for(&mut self, world: &mut World, pair: usize, whole: bool, seconds: u64) {
        let [a, b] = world.pairs[pair].sessions;
        let up = [a, b].iter().all(|session| world.sessions[*session].phase == Phase::Up);
        if !up {
            return;
        }
        world.ledger.fault(if whole { "networks cut" } else { "paths cut" });
        world.pairs[pair].disturb(&format!("the path is cut for {seconds} s, whole: {whole}"));
        world.paths.cut(a, true);
        if whole {
            world.wires[a].set(Line::Stalled);
        }
        let cut = Cut { what: if whole { "network" } else { "path" }, seconds };
        self.later(seconds, Mend::Path { pair, whole, cut });
    }

    async fn service(&mut self, world: &mut World, kill: bool) -> Result<()> {
        let Some(mut service) = world.service.take() else { return Ok(()) };
        if kill {
            world.ledger.fault("services killed");
            service.kill().await?;
        } else {
            world.ledger.fault("services ended");
            service.terminate().await?;
        }
        // One that has another key does not know the connections of before.
        if self.rng.u8(..3) == 0 {
            self.key += 1;
        }
        let seconds = self.rng.u64(0..6);
        let key = self.key;
        self.later(seconds, Mend::Service { key });
        Ok(())
    }

    async fn peer(&mut self, world: &mut World) -> Result<()> {
        // The first one lives from the beginning to the end, so that it is seen whether it grows.
        if world.peers.len() < 2 {
            return Ok(());
        }
        let process = self.rng.usize(1..world.peers.len());
        if self.due.iter().any(|(_, mend)| matches!(mend, Mend::Peer(p) if *p == process)) {
            return Ok(());
        }
        if self.rng.u8(..4) > 0 {
            world.ledger.fault("peers killed");
            world.peers[process].kill().await?;
        } else {
            world.ledger.fault("peers ended");
            world.peers[process].quit().await?;
        }
        // What it still says does not count.
        world.peers[process].life += 1;
        world.forget_sessions(process);
        let seconds = self.rng.u64(0..4);
        self.later(seconds, Mend::Peer(process));
        Ok(())
    }

    /// Mends what is due, or everything.
    pub async fn mend(&mut self, world: &mut World, everything: bool) -> Result<()> {
        let now = Instant::now();
        let (due, later) =
            std::mem::take(&mut self.due).into_iter().partition(|(at, _)| everything || *at <= now);
        self.due = later;
        let due: Vec<(Instant, Mend)> = due;
        for (_, mend) in due {
            match mend {
                Mend::Line(session) => world.wires[session].set(Line::Open),
                Mend::Quiet(session) => world.paths.noisy(session, false),
                Mend::Service { key } => world.start_service(key).await?,
                Mend::Peer(process) => world.start_peer(process)?,
                Mend::Path { pair, whole, cut } => {
                    let session = world.pairs[pair].sessions[0];
                    if whole {
                        world.wires[session].set(Line::Open);
                    }
                    world.paths.cut(session, false);
                    world.watch(pair, cut);
                }
            }
        }
        Ok(())
    }
}
