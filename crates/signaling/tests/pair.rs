//! Two and three machines in one simulated world, over many seeds: whatever their users do, both ends of
//! a call agree, and nothing is left behind.
//!
//! `SKAPI_RTC_SIM_SEEDS` sets how many seeds each test runs, `SKAPI_RTC_SIM_FIRST` the first one. A seed
//! that fails is run again to print what happened.

use std::{collections::BTreeMap, env, time::Duration};

use skapi_rtc_protocol::{CallKey, GroupName};
use skapi_rtc_signaling::{
    BusyPolicy, CallEnd, CallEvent, CallId, CallPhase, Config, EndReason, Event, Instant,
    PlaceOptions, Side, Usage,
};
use skapi_rtc_testkit::sim::{NodeId, Options, World};

/// What a run is like.
#[derive(Clone, Copy)]
struct Kind {
    nodes: usize,
    actions: usize,
    busy: BusyPolicy,
    failing_ops: f64,
    lost_contents: f64,
    cuts: bool,
    paths: bool,
    restarts: bool,
    resumes: bool,
    greets: bool,
}

const CALM: Kind = Kind {
    nodes: 2,
    actions: 16,
    busy: BusyPolicy::CallWaiting,
    failing_ops: 0.0,
    lost_contents: 0.0,
    cuts: false,
    paths: false,
    restarts: false,
    resumes: false,
    greets: true,
};

#[test]
fn two_machines_agree() {
    let seen = run_seeds(CALM, 200);
    assert!(seen.up * 5 > seen.calls, "few calls were ever up: {seen:?}");
    assert!(seen.both_at_once > 0, "no end ever crossed another: {seen:?}");
}

#[test]
fn three_machines_agree() {
    let three = Kind { nodes: 3, actions: 24, ..CALM };
    run_seeds(three, 80);
    let busy = Kind { busy: BusyPolicy::Reject, ..three };
    run_seeds(busy, 60);
}

#[test]
fn a_service_that_does_not_greet_will_do() {
    let silent = Kind { greets: false, ..CALM };
    run_seeds(silent, 100);
}

#[test]
fn engines_that_fail_end_calls_and_leave_nothing() {
    let failing = Kind { failing_ops: 0.05, ..CALM };
    run_seeds(failing, 120);
}

#[test]
fn links_that_break_leave_nothing() {
    let cuts = Kind { cuts: true, nodes: 3, actions: 24, ..CALM };
    run_seeds(cuts, 100);
}

#[test]
fn what_the_service_loses_is_said_again_until_both_ends_know_it() {
    let lossy = Kind { lost_contents: 0.15, ..CALM };
    let seen = run_seeds(lossy, 150);
    assert!(seen.up * 5 > seen.calls, "few calls were ever up: {seen:?}");
}

#[test]
fn links_that_break_and_are_resumed_change_nothing() {
    let resumed = Kind { cuts: true, resumes: true, ..CALM };
    let seen = run_seeds(resumed, 150);
    assert!(seen.up * 5 > seen.calls, "few calls were ever up: {seen:?}");
    run_seeds(Kind { nodes: 3, actions: 24, ..resumed }, 60);
    run_seeds(Kind { lost_contents: 0.1, ..resumed }, 60);
}

#[test]
fn services_that_start_again_leave_nothing() {
    let restarts = Kind { cuts: true, resumes: true, restarts: true, ..CALM };
    run_seeds(restarts, 150);
    run_seeds(Kind { nodes: 3, actions: 24, ..restarts }, 60);
}

#[test]
fn paths_that_break_are_found_again() {
    let paths = Kind { paths: true, ..CALM };
    let seen = run_seeds(paths, 150);
    assert!(seen.up * 5 > seen.calls, "few calls were ever up: {seen:?}");
    assert!(seen.restarted > 50, "few paths were ever lost for long: {seen:?}");
    run_seeds(Kind { cuts: true, resumes: true, lost_contents: 0.05, ..paths }, 100);
    run_seeds(Kind { failing_ops: 0.03, ..paths }, 60);
}

#[derive(Debug, Default)]
struct Seen {
    calls: usize,
    up: usize,
    both_at_once: usize,
    restarted: usize,
}

fn run_seeds(kind: Kind, default: u64) -> Seen {
    let setting = |name: &str| env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let first = setting("SKAPI_RTC_SIM_FIRST").unwrap_or(0);
    let count = setting("SKAPI_RTC_SIM_SEEDS").unwrap_or(default);
    let mut seen = Seen::default();
    for seed in first..first + count {
        let mut run = Run::new(seed, kind, false);
        if run.go().is_err() {
            let mut again = Run::new(seed, kind, true);
            let what = again.go().err();
            let trace = again.world.trace.join("\n");
            panic!("{trace}\n\nseed {seed}: {}", what.unwrap_or_default());
        }
        seen.calls += run.seen.calls;
        seen.up += run.seen.up;
        seen.both_at_once += run.seen.both_at_once;
        seen.restarted += run.world.ice_restarts;
    }
    seen
}

struct Run {
    kind: Kind,
    world: World,
    nodes: Vec<NodeId>,
    placed: Vec<(NodeId, CallId)>,
    seen: Seen,
}

type Checked = Result<(), String>;

impl Run {
    fn new(seed: u64, kind: Kind, trace: bool) -> Self {
        let options = Options {
            failing_ops: kind.failing_ops,
            lost_contents: kind.lost_contents,
            greets: kind.greets,
            resumes: kind.resumes,
            trace,
            ..Options::default()
        };
        let mut world = World::new(seed, options);
        let nodes = (0..kind.nodes)
            .map(|number| {
                let mut config = Config::default();
                config.busy = kind.busy;
                world.add(&format!("user{number}"), config)
            })
            .collect();
        Self { kind, world, nodes, placed: Vec::new(), seen: Seen::default() }
    }

    fn go(&mut self) -> Checked {
        self.world.run_for(Duration::from_secs(3));
        let group = GroupName::new("lobby").map_err(|error| error.to_string())?;
        for node in self.nodes.clone() {
            let group = Some(group.clone());
            self.world
                .act(node, "joins", |session, now| session.join(now, group))
                .map_err(|error| error.to_string())?;
        }
        for _ in 0..self.kind.actions {
            let pause = match self.world.rng.u32(0..10) {
                0 => self.world.rng.u64(0..40_000),
                1..5 => self.world.rng.u64(0..3_000),
                _ => self.world.rng.u64(0..300),
            };
            self.world.run_for(Duration::from_millis(pause));
            self.somebody_acts();
            self.check_violations()?;
        }
        // Long enough for every time-out, with nobody doing anything.
        self.world.run_for(Duration::from_secs(100));
        self.check_both_ends_stand_alike()?;
        self.everybody_hangs_up();
        self.world.run_for(Duration::from_secs(100));
        self.check_violations()?;
        self.check_every_call_ended_once()?;
        self.check_reasons()?;
        self.check_nothing_is_left()
    }

    fn somebody_acts(&mut self) {
        let node = self.some(&self.nodes.clone());
        let calls: Vec<_> = self.world.node(node).session.calls().collect();
        let roll = self.world.rng.u32(0..100);
        if self.kind.paths && (12..24).contains(&roll) {
            let peer = self.some(&self.nodes.clone());
            let time = Duration::from_millis(self.world.rng.u64(500..40_000));
            return self.world.cut_path(node, peer, time);
        }
        if self.kind.cuts && roll < 12 {
            return self.world.cut(node);
        }
        if self.kind.restarts && roll > 94 {
            return self.world.restart_service();
        }
        if calls.is_empty() || roll < 20 {
            let peer = self.some(&self.nodes.clone());
            self.place(node, peer);
            if self.world.rng.bool() {
                self.place(peer, node);
            }
            return;
        }
        let call = self.some(&calls);
        let id = call.call;
        match (call.phase, roll) {
            (CallPhase::Ringing, 0..75) => {
                let _ = self.world.act(node, "accepts", |s, now| s.accept(now, id));
            }
            (CallPhase::Ringing, _) => {
                let reason = EndReason::Declined;
                let _ = self.world.act(node, "declines", |s, now| s.decline(now, id, reason));
            }
            (CallPhase::Established, 0..65) => self.world.change(node, id),
            (CallPhase::Established, 65..85) => {}
            (_, 60..) => {
                let _ = self.world.act(node, "hangs up", |s, now| s.hang_up(now, id));
            }
            _ => {}
        }
    }

    fn place(&mut self, node: NodeId, peer: NodeId) {
        if node == peer && !self.kind.greets {
            return; // a machine that was not told its own id cannot know better
        }
        let Some(to) = self.world.node(peer).cid.clone() else {
            return;
        };
        let placed = self.world.act(node, "places a call", |session, now| {
            session.place_call(now, to, PlaceOptions::default())
        });
        if let Ok(call) = placed {
            self.placed.push((node, call));
        }
    }

    fn everybody_hangs_up(&mut self) {
        for node in self.nodes.clone() {
            let calls: Vec<_> = self.world.node(node).session.calls().collect();
            for call in calls {
                let id = call.call;
                let _ = self.world.act(node, "hangs up", |s, now| s.hang_up(now, id));
            }
            let pause = self.world.rng.u64(0..300);
            self.world.run_for(Duration::from_millis(pause));
        }
    }

    fn check_violations(&self) -> Checked {
        match self.world.violations.first() {
            None => Ok(()),
            Some(what) => Err(what.clone()),
        }
    }

    /// With nobody doing anything any more, a call is up on both sides or over on both.
    fn check_both_ends_stand_alike(&self) -> Checked {
        for (key, ends) in self.by_key() {
            let phases: Vec<_> = ends
                .iter()
                .map(|(node, call)| self.world.node(*node).session.call(*call).map(|i| i.phase))
                .collect();
            let settled =
                |phase: &Option<CallPhase>| matches!(phase, None | Some(CallPhase::Established));
            if !phases.iter().all(settled) || phases.iter().any(|phase| *phase != phases[0]) {
                return Err(format!("{key}, {ends:?}: they stand at {phases:?}"));
            }
        }
        for node in &self.nodes {
            for call in self.world.node(*node).session.calls() {
                if self.kind.paths && !self.world.has_path(*node, call.call) {
                    return Err(format!("{node}, {}: up without a path", call.call));
                }
            }
        }
        if !self.kind.cuts && self.kind.failing_ops == 0.0 && !self.world.fabric.all_agree() {
            return Err("two engines hold different descriptions".to_owned());
        }
        Ok(())
    }

    fn check_every_call_ended_once(&mut self) -> Checked {
        for node in self.nodes.clone() {
            let it = self.world.node(node);
            let rung = it.events.iter().filter_map(|(_, event)| match event {
                Event::Incoming { call, .. } => Some(*call),
                _ => None,
            });
            let placed = self.placed.iter().filter(|(at, _)| *at == node).map(|(_, call)| *call);
            for call in placed.chain(rung) {
                self.seen.calls += 1;
                self.seen.up += usize::from(it.was_up(call));
                let ends = it.ends(call).len();
                let last = it.of_call(call).last().map(|(_, event)| event);
                if ends != 1 || !matches!(last, Some(CallEvent::Ended(_))) {
                    return Err(format!("{node}, {call}: ended {ends} times, last {last:?}"));
                }
            }
        }
        Ok(())
    }

    /// Who ended a call gives the reason, and the other side repeats it.
    fn check_reasons(&mut self) -> Checked {
        if (self.kind.cuts && !self.kind.resumes) || self.kind.restarts || self.kind.paths {
            return Ok(()); // a side that cannot be told has its own reason
        }
        for (key, ends) in self.by_key() {
            let told: Vec<(Instant, CallEnd)> =
                ends.iter().flat_map(|(node, call)| self.world.node(*node).ends(*call)).collect();
            let [(at, a), (other_at, b)] = &told[..] else {
                // One side never knew of it under this key, or has given way under glare: then nothing
                // may go on ringing.
                if told.iter().any(|(_, end)| is_silence(end)) {
                    return Err(format!("{key}, {ends:?}: rang for nobody: {told:?}"));
                }
                continue;
            };
            // A new call that comes before the hang-up of the one before, which was lost, says that this
            // is over, but not why.
            let unsaid = self.kind.lost_contents > 0.0;
            let agree = match (a.by, b.by) {
                (Side::Local, Side::Remote) => unsaid || as_told(&a.reason) == b.reason,
                (Side::Remote, Side::Local) => unsaid || as_told(&b.reason) == a.reason,
                (Side::Local, Side::Local) => {
                    self.seen.both_at_once += 1;
                    // Neither was told in time: a hang-up takes its way, and is sent again if it is lost.
                    let again = if unsaid { Duration::from_secs(60) } else { Duration::ZERO };
                    let told_by = |from, to, at| self.world.arrives_by(from, to, at) + again;
                    let [one, other] = [ends[0].0, ends[1].0];
                    *other_at <= told_by(one, other, *at) && *at <= told_by(other, one, *other_at)
                }
                (Side::Remote, Side::Remote) => false,
            };
            if !agree {
                return Err(format!("{key}, {ends:?}: ended as {told:?}"));
            }
        }
        Ok(())
    }

    fn check_nothing_is_left(&mut self) -> Checked {
        if self.world.fabric.open() > 0 {
            return Err("peer connections are left open".to_owned());
        }
        for node in self.nodes.clone() {
            let it = self.world.node(node);
            if it.session.usage() != Usage::default() || it.busy_engines() > 0 {
                return Err(format!("{node}: left behind: {:?}", it.session.usage()));
            }
            // Only the keep-alive is left: one wake-up every 15 seconds.
            let first = it.session.next_deadline();
            let wait = first.map_or(Duration::ZERO, |at| at - self.world.now());
            self.world.run_for(wait);
            let next = self.world.node(node).session.next_deadline();
            if first.is_none() || next != first.map(|at| at + Config::default().keep_alive) {
                return Err(format!("{node}: wakes at {first:?}, then at {next:?}"));
            }
        }
        Ok(())
    }

    /// The two ends of each call, as far as both have had it under this key to the last.
    fn by_key(&self) -> BTreeMap<CallKey, Vec<(NodeId, CallId)>> {
        let mut by_key: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for node in &self.nodes {
            for (call, key) in self.world.node(*node).keys() {
                by_key.entry(key).or_default().push((*node, call));
            }
        }
        by_key
    }

    fn some<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.world.rng.usize(0..of.len())].clone()
    }
}

fn is_silence(end: &CallEnd) -> bool {
    matches!(
        end.reason,
        EndReason::NoAnswer
            | EndReason::ConnectTimeout
            | EndReason::NoCandidates(_)
            | EndReason::NoPath { .. }
    )
}

/// What the other side gives as the reason for this one.
fn as_told(reason: &EndReason) -> EndReason {
    match reason {
        EndReason::HungUp
        | EndReason::Declined
        | EndReason::Busy
        | EndReason::Cancelled
        | EndReason::NoAnswer
        | EndReason::AnsweredElsewhere => reason.clone(),
        _ => EndReason::TransportFailed,
    }
}
