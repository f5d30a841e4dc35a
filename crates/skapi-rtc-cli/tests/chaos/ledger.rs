//! What has come of it: ends by reason, recoveries, how much each process holds, and what was violated.

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

use crate::{process::Usage, words::Kind};

/// A cut, as recoveries are counted by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cut {
    /// What was cut beside the path.
    pub what: &'static str,
    pub seconds: u64,
}

#[derive(Debug)]
pub struct Ledger {
    begun: Instant,
    faults: BTreeMap<&'static str, u64>,
    pub placed: u64,
    pub established: u64,
    ends: BTreeMap<String, u64>,
    recoveries: BTreeMap<(Cut, Kind), Vec<u64>>,
    missed: Vec<u64>,
    pub drained: u64,
    pub messages: u64,
    usage: Vec<(String, Usage, Usage)>,
    violations: Vec<String>,
}

/// A process may grow by this much for what it has learnt, and by this part.
const GROWTH_KIB: u64 = 24 * 1024;
const GROWTH_PERCENT: u64 = 30;
/// And have so many files more: sockets that are about to close.
const GROWTH_FILES: usize = 12;

/// Lines of one kind that are worth reading.
const MAX_VIOLATIONS: usize = 100;

impl Ledger {
    pub fn new() -> Self {
        Self {
            begun: Instant::now(),
            faults: BTreeMap::new(),
            placed: 0,
            established: 0,
            ends: BTreeMap::new(),
            recoveries: BTreeMap::new(),
            missed: Vec::new(),
            drained: 0,
            messages: 0,
            usage: Vec::new(),
            violations: Vec::new(),
        }
    }

    pub fn fault(&mut self, what: &'static str) {
        *self.faults.entry(what).or_default() += 1;
    }

    pub fn ended(&mut self, reason: &str, local: bool) {
        // What follows the colon differs from call to call.
        let reason = reason.split(':').next().unwrap_or(reason);
        let by = if local { "here" } else { "by the peer" };
        *self.ends.entry(format!("{reason}, {by}")).or_default() += 1;
    }

    pub fn ends(&self) -> u64 {
        self.ends.values().sum()
    }

    pub fn recovered(&mut self, cut: Cut, what: Kind, after_ms: u64) {
        self.recoveries.entry((cut, what)).or_default().push(after_ms);
    }

    pub fn missed(&mut self, after: Duration) {
        self.missed.push(after.as_millis() as u64);
    }

    /// What a process held at the start and at the end, in the same situation.
    pub fn compare(&mut self, process: String, start: Usage, end: Usage) {
        let allowed = start.kib + start.kib * GROWTH_PERCENT / 100 + GROWTH_KIB;
        if end.kib > allowed {
            self.violated(format!("{process} grew from {} to {} KiB", start.kib, end.kib));
        }
        if end.files > start.files + GROWTH_FILES {
            let text = format!("{process} had {} files open, has {}", start.files, end.files);
            self.violated(text);
        }
        self.usage.push((process, start, end));
    }

    pub fn violated(&mut self, what: String) {
        if self.violations.len() < MAX_VIOLATIONS {
            let at = self.begun.elapsed().as_secs_f64();
            self.violations.push(format!("{at:.1} s: {what}"));
        }
    }

    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// How many recoveries were counted after such a cut.
    pub fn count(&self, cut: Cut, what: Kind) -> usize {
        self.recoveries.get(&(cut, what)).map_or(0, Vec::len)
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "after {} s", self.begun.elapsed().as_secs())?;
        writeln!(f, "calls: {} placed, {} up on both sides", self.placed, self.established)?;
        let faults: Vec<_> = self.faults.iter().map(|(what, n)| format!("{n} {what}")).collect();
        writeln!(f, "faults: {}", faults.join(", "))?;
        writeln!(f, "ends of calls, each side by itself:")?;
        for (reason, n) in &self.ends {
            writeln!(f, "  {n:>6}  {reason}")?;
        }
        writeln!(f, "after the path's return, ms:     n  median     p95     max")?;
        for ((cut, what), times) in &self.recoveries {
            let name = format!("{} {} s, {what:?}", cut.what, cut.seconds);
            writeln!(f, "  {name:<26}{}", Summary::of(times))?;
        }
        if !self.missed.is_empty() {
            let name = "a killed peer is missed";
            writeln!(f, "  {name:<26}{}", Summary::of(&self.missed))?;
        }
        writeln!(
            f,
            "channels whose every message was counted at the end: {}, {} messages",
            self.drained, self.messages
        )?;
        writeln!(f, "process                 KiB       →        files   →     threads →")?;
        for (name, start, end) in &self.usage {
            writeln!(
                f,
                "  {name:<18}{:>9}{:>9}{:>9}{:>6}{:>9}{:>6}",
                start.kib, end.kib, start.files, end.files, start.threads, end.threads
            )?;
        }
        for violation in &self.violations {
            writeln!(f, "VIOLATED at {violation}")?;
        }
        Ok(())
    }
}

struct Summary(Vec<u64>);

impl Summary {
    fn of(times: &[u64]) -> Self {
        let mut times = times.to_vec();
        times.sort_unstable();
        Self(times)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |percent: usize| self.0[(self.0.len() - 1) * percent / 100];
        write!(f, "{:>8}{:>8}{:>8}{:>8}", self.0.len(), at(50), at(95), at(100))
    }
}
