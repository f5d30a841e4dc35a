//! The tests: each sets a world up, does to it what its name says, and sees that nothing was violated.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::{
    faults::Faults,
    ledger::Cut,
    lines::Line,
    process::Usage,
    words::{Command, Kind},
    world::{Phase, Setup, World},
};

/// What may take a while on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// A number that the environment may make larger.
pub fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).ok().and_then(|n| n.parse().ok()).unwrap_or(otherwise)
}

/// How many calls at a time; `SKAPI_RTC_CHAOS_CALLS`.
fn calls() -> usize {
    number("SKAPI_RTC_CHAOS_CALLS", 10)
}

/// A service that is killed and comes back, knowing its connections and not: no call ends, and on no
/// reliable channel anything is lost or comes twice.
pub async fn a_service_that_is_killed_costs_no_call_and_no_message() -> Result<()> {
    let mut world = with_calls(Setup::new(calls(), 3)).await?;
    for key in 0..2 {
        world.service.take().context("a service")?.kill().await?;
        let none = |world: &World| world.sessions.iter().all(|session| !session.linked);
        world.until("every link is lost", PATIENCE, none).await?;
        world.start_service(key).await?;
        world.until("every link is back", PATIENCE, World::all_linked).await?;
    }
    all_goes_on(&mut world).await
}

/// Both sides of every call lose their links at the same moment.
pub async fn links_that_are_lost_on_both_sides_cost_no_call_and_no_message() -> Result<()> {
    let mut world = with_calls(Setup::new(calls(), 2)).await?;
    for seconds in [0, 3] {
        world.wires.iter().for_each(|wire| wire.set(Line::Closed));
        let none = |world: &World| world.sessions.iter().all(|session| !session.linked);
        world.until("every link is lost", PATIENCE, none).await?;
        world.live_for(Duration::from_secs(seconds)).await;
        world.wires.iter().for_each(|wire| wire.set(Line::Open));
        world.until("every link is back", PATIENCE, World::all_linked).await?;
    }
    all_goes_on(&mut world).await
}

/// Data, an idle channel, a full one and sound, over a path that is cut, alone and with its link.
/// `SKAPI_RTC_CUTS` says for how many seconds: `1,5,20`.
pub async fn whatever_a_call_carries_goes_on_after_cuts() -> Result<()> {
    let setup = Setup { bulk_every: 2, sound_every: 2, ..Setup::new(4, 2) };
    let mut world = with_calls(setup).await?;
    let cuts = std::env::var("SKAPI_RTC_CUTS").unwrap_or_else(|_| "1,5".to_owned());
    let mut faults = Faults::new(1);
    for seconds in cuts.split(',') {
        let seconds = seconds.trim().parse()?;
        for whole in [false, true] {
            world.live_for(Duration::from_millis(fastrand::u64(2000..3000))).await;
            for pair in 0..world.pairs.len() {
                faults.cut_for(&mut world, pair, whole, seconds);
            }
            world.live_for(Duration::from_secs(seconds)).await;
            faults.mend(&mut world, true).await?;
            let what = if whole { "network" } else { "path" };
            let cut = Cut { what, seconds };
            let flows = move |world: &World| world.ledger.count(cut, Kind::Data) >= 8;
            world.until("data flows again everywhere", PATIENCE, flows).await?;
            let up = |world: &World| world.all(Phase::Up);
            world.until("every call is up again", PATIENCE, up).await?;
        }
    }
    all_goes_on(&mut world).await
}

/// Calls one after the other, as many as `SKAPI_RTC_CALLS` says: nothing of them stays behind.
pub async fn calls_in_a_row_leave_nothing_behind() -> Result<()> {
    let setup = Setup { bulk_every: 0, sound_every: 0, ..Setup::new(1, 2) };
    let mut world = World::start(setup).await?;
    let count = number("SKAPI_RTC_CALLS", 30) as u64;
    // What is made once and kept is no leak: some calls come before the first look.
    let (mut before, first) = (None, (count / 10).max(5));
    for call in 0..count {
        if call == first {
            before = Some(holds(&mut world).await?);
        }
        world.place(0);
        world.until("the call is up", PATIENCE, |world| world.all(Phase::Up)).await?;
        let session = (call % 2) as usize;
        world.say(session, Command::HangUp { session });
        let ends = 2 * (call + 1);
        let ended = move |world: &World| world.ledger.ends() >= ends && world.all(Phase::Idle);
        world.until("both sides have ended", PATIENCE, ended).await?;
    }
    let (before, after) = (before.context("a first look")?, holds(&mut world).await?);
    for ((name, before, tasks_before), (_, after, tasks)) in before.into_iter().zip(after) {
        world.ledger.compare(name.clone(), before, after);
        // A task may be about to end.
        ensure!(tasks <= tasks_before + 4, "{name} had {tasks_before} tasks, has {tasks}");
    }
    verdict(&world)
}

/// A short run of what `cargo xtask chaos` does for long.
pub async fn chaos_for_a_short_while_violates_nothing() -> Result<()> {
    let run = Run { time: Duration::from_secs(20), seed: fastrand::u64(..), beat_ms: 400 };
    let setup = Setup { bulk_every: 3, sound_every: 3, ..Setup::new(6, 3) };
    let world = chaos(setup, &run).await?;
    verdict(&world)
}

/// A run at random.
pub struct Run {
    pub time: Duration,
    pub seed: u64,
    /// A fault comes so often.
    pub beat_ms: u64,
}

/// Lets faults strike for a while, mends everything, and looks at what is left.
pub async fn chaos(setup: Setup, run: &Run) -> Result<World> {
    let mut world = with_calls(setup).await?;
    crate::say(&format!("seed {}", run.seed));
    let before = usage(&world)?;
    let lives: Vec<_> = world.peers.iter().map(|peer| peer.life).collect();
    let (mut faults, mut seen) = (Faults::new(run.seed), 0);
    let begun = std::time::Instant::now();
    world.places = true;
    while begun.elapsed() < run.time {
        faults.strike(&mut world).await?;
        world.live_for(Duration::from_millis(run.beat_ms)).await;
        faults.mend(&mut world, false).await?;
        for violation in &world.ledger.violations()[seen..] {
            crate::say(&format!("VIOLATED at {violation}"));
        }
        seen = world.ledger.violations().len();
    }
    faults.mend(&mut world, true).await?;
    world.until("every link is back", PATIENCE, World::all_linked).await?;
    let up = |world: &World| world.all(Phase::Up);
    world.until("every call is up again", PATIENCE, up).await?;
    world.places = false;
    drain(&mut world).await?;
    let after = usage(&world)?;
    for (number, ((name, before), (_, after))) in before.into_iter().zip(after).enumerate() {
        // One that was started anew has nothing to be compared with.
        let same = world.peers.get(number).is_none_or(|peer| peer.life == lives[number]);
        world.ledger.compare(name, if same { before } else { after }, after);
    }
    hang_up(&mut world).await?;
    Ok(world)
}

async fn with_calls(setup: Setup) -> Result<World> {
    let mut world = World::start(setup).await?;
    (0..world.pairs.len()).for_each(|pair| world.place(pair));
    world.until("every call is up", PATIENCE, |world| world.all(Phase::Up)).await?;
    // What flows has to have flowed for a while.
    world.live_for(Duration::from_secs(3)).await;
    Ok(world)
}

/// No call has ended, and every message has arrived.
async fn all_goes_on(world: &mut World) -> Result<()> {
    let ends = world.ledger.ends();
    ensure!(ends == 0, "{ends} sides of calls have ended\n{}", world.ledger);
    drain(world).await?;
    hang_up(world).await?;
    verdict(world)
}

/// Every message of every channel arrives.
async fn drain(world: &mut World) -> Result<()> {
    for session in 0..world.sessions.len() {
        world.say(session, Command::Drain { session });
    }
    let drained = |world: &World| (0..world.pairs.len()).all(|pair| world.drained(pair));
    world.until("every message has arrived", PATIENCE, drained).await
}

async fn hang_up(world: &mut World) -> Result<()> {
    for pair in 0..world.pairs.len() {
        let session = world.pairs[pair].sessions[pair % 2];
        world.say(session, Command::HangUp { session });
    }
    world.until("every call has ended", PATIENCE, |world| world.all(Phase::Idle)).await
}

fn usage(world: &World) -> Result<Vec<(String, Usage)>> {
    let mut all = Vec::new();
    for (number, peer) in world.peers.iter().enumerate() {
        all.push((format!("peer-{number}"), peer.usage()?));
    }
    let service = world.service.as_ref().context("the service is not there")?;
    all.push(("service".to_owned(), service.usage()?));
    Ok(all)
}

/// How much each process holds when no call goes on, with the tasks of the peers.
async fn holds(world: &mut World) -> Result<Vec<(String, Usage, usize)>> {
    world.live_for(Duration::from_secs(3)).await;
    world.peers.iter().for_each(|peer| peer.say(Command::Usage));
    world.live_for(Duration::from_secs(1)).await;
    let tasks = world.tasks.clone();
    let all = usage(world)?.into_iter().enumerate();
    Ok(all.map(|(n, (name, usage))| (name, usage, tasks.get(n).copied().unwrap_or(0))).collect())
}

pub fn verdict(world: &World) -> Result<()> {
    crate::say(&world.ledger.to_string());
    let violations = world.ledger.violations().len();
    ensure!(violations == 0, "{violations} violations");
    Ok(())
}
