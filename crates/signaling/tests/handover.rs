//! Two users with several devices each, in one simulated world, over many seeds: however their devices take
//! a call over from each other, and whatever breaks meanwhile, the two go on talking.
//!
//! `SKAPI_RTC_SIM_SEEDS` sets how many seeds each test runs, `SKAPI_RTC_SIM_FIRST` the first one. A seed
//! that fails is run again to print what happened.

use std::{collections::BTreeMap, env, time::Duration};

use skapi_rtc_protocol::{CallKey, GroupName};
use skapi_rtc_signaling::{
    BusyPolicy, CallEnd, CallEvent, CallId, CallInfo, CallPhase, Config, EndReason, Event,
    HandoverPolicy, Instant, PlaceOptions, Side, Usage,
};
use skapi_rtc_testkit::sim::{NodeId, Options, World};

/// What a run is like.
#[derive(Clone, Copy)]
struct Kind {
    failing_ops: f64,
    lost_contents: f64,
    cuts: bool,
    resumes: bool,
    restarts: bool,
    /// People hang up, and call each other anew. Without that they are to be in one call to the last.
    hang_ups: bool,
    policy: HandoverPolicy,
}

const CALM: Kind = Kind {
    failing_ops: 0.0,
    lost_contents: 0.0,
    cuts: false,
    resumes: true,
    restarts: false,
    hang_ups: false,
    policy: HandoverPolicy::Allow,
};

#[test]
fn a_call_moves_from_device_to_device() {
    let seen = run_seeds(CALM, 60);
    assert!(seen.moved * 5 > seen.tried * 2, "few calls ever moved: {seen:?}");
    run_seeds(Kind { policy: HandoverPolicy::Ask, ..CALM }, 30);
}

#[test]
fn contents_that_get_lost_lose_no_call() {
    let seen = run_seeds(Kind { lost_contents: 0.2, ..CALM }, 60);
    assert!(seen.moved * 5 > seen.tried, "few calls ever moved: {seen:?}");
}

#[test]
fn links_that_break_lose_no_call() {
    let cuts = Kind { cuts: true, ..CALM };
    let seen = run_seeds(cuts, 60);
    assert!(seen.moved * 5 > seen.tried, "few calls ever moved: {seen:?}");
    run_seeds(Kind { resumes: false, ..cuts }, 60);
    run_seeds(Kind { restarts: true, lost_contents: 0.05, ..cuts }, 60);
}

#[test]
fn engines_that_fail_lose_no_call() {
    let seen = run_seeds(Kind { failing_ops: 0.1, ..CALM }, 60);
    assert!(seen.moved * 5 > seen.tried, "few calls ever moved: {seen:?}");
}

#[test]
fn hang_ups_and_calls_in_the_middle_leave_nothing() {
    let hang_ups = Kind { hang_ups: true, ..CALM };
    run_seeds(hang_ups, 80);
    run_seeds(Kind { cuts: true, resumes: false, lost_contents: 0.05, ..hang_ups }, 50);
    run_seeds(Kind { cuts: true, restarts: true, failing_ops: 0.05, ..hang_ups }, 50);
}

#[derive(Debug, Default)]
struct Seen {
    tried: usize,
    moved: usize,
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
        seen.tried += run.seen.tried;
        seen.moved += run.seen.moved;
    }
    seen
}

struct Run {
    kind: Kind,
    world: World,
    alices: Vec<NodeId>,
    bobs: Vec<NodeId>,
    seen: Seen,
}

type Checked = Result<(), String>;

impl Run {
    fn new(seed: u64, kind: Kind, trace: bool) -> Self {
        let options = Options {
            failing_ops: kind.failing_ops,
            lost_contents: kind.lost_contents,
            resumes: kind.resumes,
            trace,
            ..Options::default()
        };
        let mut world = World::new(seed, options);
        // Whoever is in a call takes no other: a successor is none.
        let config = Config::default().busy(BusyPolicy::Reject).handover(kind.policy);
        let mut add = |user| world.add(user, config.clone());
        let alices = vec![add("alice"), add("alice"), add("alice")];
        let bobs = vec![add("bob"), add("bob")];
        Self { kind, world, alices, bobs, seen: Seen::default() }
    }

    fn go(&mut self) -> Checked {
        self.world.run_for(Duration::from_secs(3));
        for node in self.nodes() {
            let group = GroupName::new("lobby").ok();
            let _ = self.world.act(node, "joins", |session, now| session.join(now, group));
        }
        while !self.is_up() {
            self.place();
            self.world.run_for(Duration::from_secs(40));
        }
        for _ in 0..20 {
            let pause = match self.world.rng.u32(0..10) {
                0 => self.world.rng.u64(0..40_000),
                1..5 => self.world.rng.u64(0..3_000),
                _ => self.world.rng.u64(0..300),
            };
            self.world.run_for(Duration::from_millis(pause));
            self.somebody_acts();
        }
        // Long enough for every time-out, with nobody doing anything.
        self.world.run_for(Duration::from_secs(100));
        if let Some(what) = self.world.violations.first() {
            return Err(what.clone());
        }
        self.check_both_ends_stand_alike()?;
        self.check_moves()?;
        if !self.kind.hang_ups {
            self.check_they_talk()?;
        }
        for (node, call) in self.calls() {
            let _ = self.world.act(node, "hangs up", |s, now| s.hang_up(now, call.call));
        }
        self.world.run_for(Duration::from_secs(100));
        self.check_nothing_is_left()
    }

    fn nodes(&self) -> Vec<NodeId> {
        self.alices.iter().chain(&self.bobs).copied().collect()
    }

    fn calls(&self) -> Vec<(NodeId, CallInfo)> {
        let of = |node: NodeId| self.world.node(node).session.calls().map(move |call| (node, call));
        self.nodes().into_iter().flat_map(of).collect()
    }

    fn is_up(&self) -> bool {
        self.calls().iter().any(|(_, call)| call.phase == CallPhase::Established)
    }

    /// Somebody calls somebody, who accepts.
    fn place(&mut self) {
        let (alice, bob) = (self.some(&self.alices.clone()), self.some(&self.bobs.clone()));
        let (from, to) = if self.world.rng.bool() { (alice, bob) } else { (bob, alice) };
        let Some(cid) = self.world.node(to).cid.clone() else { return };
        let options = PlaceOptions::default();
        let placed = self.world.act(from, "calls", |s, now| s.place_call(now, cid, options));
        if placed.is_ok() {
            self.world.run_for(Duration::from_secs(1));
            self.accept_all();
        }
    }

    fn accept_all(&mut self) {
        for (node, call) in self.calls() {
            if call.phase == CallPhase::Ringing {
                let _ = self.world.act(node, "accepts", |s, now| s.accept(now, call.call));
            }
        }
    }

    fn somebody_acts(&mut self) {
        let roll = self.world.rng.u32(0..100);
        let calls = self.calls();
        let asked = self.asked();
        match roll {
            0..15 if self.kind.cuts => {
                let node = self.some(&self.nodes());
                let noticed = Duration::from_millis(self.world.rng.u64(0..20_000));
                self.world.cut_noticed_after(node, noticed);
            }
            15..18 if self.kind.restarts => self.world.restart_service(),
            18..30 if self.kind.hang_ups && !calls.is_empty() => {
                let (node, call) = self.some(&calls);
                let _ = self.world.act(node, "hangs up", |s, now| s.hang_up(now, call.call));
            }
            30..40 if self.kind.hang_ups => self.place(),
            40..45 => self.accept_all(),
            45..60 if !asked.is_empty() => {
                let (node, call, by) = self.some(&asked);
                let allow = self.world.rng.u32(0..4) > 0;
                let _ = self
                    .world
                    .act(node, "answers", |s, now| s.answer_handover(now, call, &by, allow));
            }
            _ => {
                self.pick_up();
                if self.world.rng.bool() {
                    self.pick_up();
                }
            }
        }
    }

    /// Some device takes over some call of another one of its user.
    fn pick_up(&mut self) {
        let calls = self.calls();
        if calls.is_empty() {
            return;
        }
        let (holder, call) = self.some(&calls);
        let devices = if self.alices.contains(&holder) { &self.alices } else { &self.bobs };
        let device = self.some(&devices.clone());
        let Some(from) = self.world.node(holder).cid.clone() else { return };
        let options = PlaceOptions::default();
        let picked = self
            .world
            .act(device, "picks a call up", |s, now| s.pick_up(now, from, call.peer, options));
        self.seen.tried += usize::from(picked.is_ok());
    }

    /// Devices that asked for a call.
    fn asked(&self) -> Vec<(NodeId, CallId, skapi_rtc_protocol::ConnectionId)> {
        let mut asked = Vec::new();
        for node in self.nodes() {
            for (_, event) in &self.world.node(node).events {
                if let Event::HandoverAsked { call, by, granted: false } = event {
                    asked.push((node, *call, by.clone()));
                }
            }
        }
        asked
    }

    /// A call is up on both sides or over on both.
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
        Ok(())
    }

    /// The two users are in exactly one call.
    fn check_they_talk(&self) -> Checked {
        let calls = self.calls();
        let at_alice = calls.iter().filter(|(node, _)| self.alices.contains(node)).count();
        match &calls[..] {
            [(_, a), (_, b)] if a.key == b.key && at_alice == 1 => Ok(()),
            _ => Err(format!("they are not in one call: {calls:?}")),
        }
    }

    /// No call ends as moved before its successor is up at both ends.
    fn check_moves(&mut self) -> Checked {
        let keys = self.by_key();
        for node in self.nodes() {
            // The last one that was to take a call's place has; those before have failed.
            let mut successors = BTreeMap::new();
            for (at, event) in &self.world.node(node).events {
                if let Event::Successor { call, of, .. } = event {
                    successors.insert(of, (call, at));
                }
            }
            for (of, (call, at)) in successors {
                let moved = CallEnd { reason: EndReason::Moved, by: Side::Local };
                let ends = self.world.node(node).ends(*of);
                let Some((moved_at, _)) = ends.into_iter().find(|(_, end)| *end == moved) else {
                    continue;
                };
                self.seen.moved += 1;
                let ends = keys.values().find(|ends| ends.contains(&(node, *call)));
                let up_before = |(node, call): &(NodeId, CallId)| {
                    let it = self.world.node(*node);
                    it.of_call(*call)
                        .any(|(up_at, event)| *event == CallEvent::Connected && up_at <= moved_at)
                };
                if !ends.is_some_and(|ends| ends.len() == 2 && ends.iter().all(up_before)) {
                    return Err(format!("{node}, {of}: moved too early to {call}, said at {at:?}"));
                }
            }
        }
        Ok(())
    }

    fn check_nothing_is_left(&self) -> Checked {
        if self.world.fabric.open() > 0 {
            return Err("peer connections are left open".to_owned());
        }
        for node in self.nodes() {
            let it = self.world.node(node);
            if it.session.usage() != Usage::default() || it.busy_engines() > 0 {
                return Err(format!("{node}: left behind: {:?}", it.session.usage()));
            }
            let mut ends: BTreeMap<CallId, Vec<Instant>> = BTreeMap::new();
            for (at, event) in &it.events {
                if let Event::Call { call, event: CallEvent::Ended(_) } = event {
                    ends.entry(*call).or_default().push(*at);
                }
            }
            if let Some((call, at)) = ends.iter().find(|(_, at)| at.len() != 1) {
                return Err(format!("{node}, {call}: ended at {at:?}"));
            }
        }
        Ok(())
    }

    /// The ends of each call, as far as its name on the wire was seen.
    fn by_key(&self) -> BTreeMap<CallKey, Vec<(NodeId, CallId)>> {
        let mut by_key: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for node in self.nodes() {
            for (call, key) in self.world.node(node).keys() {
                by_key.entry(key).or_default().push((node, call));
            }
        }
        by_key
    }

    fn some<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.world.rng.usize(0..of.len())].clone()
    }
}
