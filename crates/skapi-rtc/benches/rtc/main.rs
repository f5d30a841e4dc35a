//! Calls on each engine, beside the engine alone and Google's libwebrtc, interleaved in one run: from dialing to the
//! open channel, echo, throughput; then memory, processor time and what is left behind.
//!
//! Run with `cargo xtask bench rtc [--quick] [--only=PART OF A COLUMN'S NAME] [--part=setup|echo|throughput|costs]`.

#![allow(clippy::unwrap_used, reason = "a bench: whatever fails ends it")]

mod alone;
mod facade;
mod libwebrtc;
mod process;
#[path = "../../../backend-webrtc/benches/engine/raw.rs"]
mod raw;
mod raw_str0m;
mod subject;
mod table;

use std::{collections::BTreeMap, time::Duration};

use process::Cost;
use subject::{Name, Subject};
use table::{Bound, Goals};

/// How much of everything.
struct Plan {
    rounds: usize,
    setups: usize,
    echoes: usize,
    bytes: usize,
    established: usize,
    in_a_row: usize,
}

const FULL: Plan = Plan {
    rounds: 5,
    setups: 20,
    echoes: 3_000,
    bytes: 64 << 20,
    established: 500,
    in_a_row: 1_000,
};
const QUICK: Plan =
    Plan { rounds: 1, setups: 10, echoes: 500, bytes: 8 << 20, established: 50, in_a_row: 50 };
/// Sizes of the messages of a transfer.
const SIZES: [usize; 3] = [1024, 16 * 1024, 65_000];
/// What there is to measure.
const PARTS: [&str; 4] = ["setup", "echo", "throughput", "costs"];
/// Messages before the first that is measured.
const WARM_UP: usize = 100;
/// What libwebrtc transfers, which is slower, in parts of what the others do.
const SLOWER: usize = 4;

/// One figure of each subject that was there.
type Figures = BTreeMap<Name, f64>;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == process::ARGUMENT) {
        return process::run(&arguments[1..]).await;
    }
    let plan = if arguments.iter().any(|it| it == "--quick") { QUICK } else { FULL };
    let option = |prefix| arguments.iter().find_map(|it| it.strip_prefix(prefix));
    let (only, part) = (option("--only="), option("--part="));
    assert!(part.is_none_or(|part| PARTS.contains(&part)), "the parts are {PARTS:?}");
    let wanted = |name| part.is_none_or(|part| part == name);
    let names: Vec<_> =
        Name::ALL.into_iter().filter(|it| it.as_str().contains(only.unwrap_or(""))).collect();
    let mut goals = Goals::default();
    let subjects = Subjects::set(&names).await;
    table::head(&Name::ALL.map(Name::as_str));
    if wanted("setup") {
        setup(&plan, &subjects, &mut goals).await;
    }
    if wanted("echo") {
        echo(&plan, &subjects, &mut goals).await;
    }
    for size in SIZES.into_iter().filter(|_| wanted("throughput")) {
        throughput(&plan, size, &subjects, &mut goals).await;
    }
    drop(subjects);
    if wanted("costs") {
        costs(&plan, &names, &mut goals);
    }
    goals.print();
}

/// Those that are there.
struct Subjects(Vec<(Name, Box<dyn Subject>)>);

impl Subjects {
    async fn set(names: &[Name]) -> Self {
        let mut subjects = Vec::new();
        for name in names {
            match name.set(1).await {
                Ok(subject) => subjects.push((*name, subject)),
                Err(why) => note(&format!("{} is not measured: {why}", name.as_str())),
            }
        }
        Self(subjects)
    }
}

async fn setup(plan: &Plan, subjects: &Subjects, goals: &mut Goals) {
    let mut times: BTreeMap<Name, Vec<Duration>> = BTreeMap::new();
    for _ in 0..plan.rounds * plan.setups {
        for (name, subject) in &subjects.0 {
            let (pair, time) = subject.connect().await;
            pair.close().await;
            times.entry(*name).or_default().push(time);
        }
    }
    let median = percentile(&mut times, 0.5, 1e3);
    row("dial to open p50, ms", &median);
    row("dial to open p95, ms", &percentile(&mut times, 0.95, 1e3));
    let calls = [Name::WebrtcCall, Name::Str0mCall].map(|name| median.get(&name).copied());
    for (name, value) in [Name::WebrtcCall, Name::Str0mCall].into_iter().zip(calls) {
        goals.add(format!("dial to open, ms: {}", name.as_str()), value, Bound::AtMost(40.0));
    }
    let quickest = calls.into_iter().flatten().reduce(f64::min);
    goals.add("dial to open, ms: the quickest engine", quickest, Bound::AtMost(10.0));
}

async fn echo(plan: &Plan, subjects: &Subjects, goals: &mut Goals) {
    let mut times: BTreeMap<Name, Vec<Duration>> = BTreeMap::new();
    for _ in 0..plan.rounds {
        for (name, subject) in &subjects.0 {
            let measured = subject.echo(WARM_UP + plan.echoes).await.split_off(WARM_UP);
            times.entry(*name).or_default().extend(measured);
        }
    }
    row("echo 64 B p50, us", &percentile(&mut times, 0.5, 1e6));
    let late = percentile(&mut times, 0.99, 1e6);
    row("echo 64 B p99, us", &late);
    for (call, alone) in PAIRS {
        let ratio = ratio(&late, call, alone);
        goals.add(against("echo p99", call, alone), ratio, Bound::AtMost(1.2));
    }
}

async fn throughput(plan: &Plan, size: usize, subjects: &Subjects, goals: &mut Goals) {
    let mut rates: BTreeMap<Name, Vec<f64>> = BTreeMap::new();
    for _ in 0..plan.rounds {
        for (name, subject) in &subjects.0 {
            let bytes = plan.bytes / if *name == Name::Libwebrtc { SLOWER } else { 1 };
            let time = subject.transfer(size, bytes / size).await;
            let rate = bytes as f64 / f64::from(1 << 20) / time.as_secs_f64();
            rates.entry(*name).or_default().push(rate);
        }
    }
    let rates: Figures = rates
        .into_iter()
        .map(|(name, mut rates)| {
            rates.sort_by(f64::total_cmp);
            (name, rates[rates.len() / 2])
        })
        .collect();
    row(&format!("MiB/s, messages of {size} B"), &rates);
    let mut goal = |call, other, bound| {
        let what = against(&format!("MiB/s at {size} B"), call, other);
        goals.add(what, ratio(&rates, call, other), Bound::AtLeast(bound));
    };
    goal(Name::WebrtcCall, Name::WebrtcAlone, 0.97);
    goal(Name::Str0mCall, Name::Str0mAlone, 1.5);
    goal(Name::WebrtcCall, Name::Libwebrtc, 2.5);
    goal(Name::Str0mCall, Name::Libwebrtc, 2.5);
}

fn costs(plan: &Plan, names: &[Name], goals: &mut Goals) {
    let mut costs: BTreeMap<Name, Cost> = BTreeMap::new();
    for name in names.iter().copied().filter(|name| *name != Name::Libwebrtc) {
        match Cost::of(name, plan.established, plan.in_a_row) {
            Ok(cost) => drop(costs.insert(name, cost)),
            Err(why) => note(&format!("{}: what it costs is not measured: {why}", name.as_str())),
        }
    }
    let of = |figure: fn(&Cost) -> f64| -> Figures {
        costs.iter().map(|(name, cost)| (*name, figure(cost))).collect()
    };
    let memory = of(|cost| cost.memory);
    row(&format!("KiB a pair, {} idle", plan.established), &memory);
    row(&format!("CPU ms/s, {} idle", plan.established), &of(|cost| cost.processor));
    row("sockets and files a pair", &of(|cost| cost.descriptors));
    let growth = of(|cost| cost.growth);
    row(&format!("KiB growth a call, {} calls", plan.in_a_row), &growth);
    let left = of(|cost| cost.left);
    row("sockets and files left", &left);
    for (call, alone) in PAIRS {
        let ratio = ratio(&memory, call, alone);
        goals.add(against("memory idle", call, alone), ratio, Bound::AtMost(1.15));
    }
    for name in [Name::WebrtcCall, Name::Str0mCall] {
        let what = |what: &str| format!("{what}: {}", name.as_str());
        goals.add(what("KiB growth a call"), growth.get(&name).copied(), Bound::AtMost(1.0));
        goals.add(what("sockets and files left"), left.get(&name).copied(), Bound::AtMost(4.0));
    }
}

/// Each kind of call with the engine below it.
const PAIRS: [(Name, Name); 2] =
    [(Name::WebrtcCall, Name::WebrtcAlone), (Name::Str0mCall, Name::Str0mAlone)];

fn against(what: &str, call: Name, other: Name) -> String {
    format!("{what}: {} / {}", call.as_str(), other.as_str())
}

fn ratio(figures: &Figures, call: Name, other: Name) -> Option<f64> {
    Some(figures.get(&call)? / figures.get(&other)?)
}

fn percentile(times: &mut BTreeMap<Name, Vec<Duration>>, share: f64, unit: f64) -> Figures {
    let of = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * unit
    };
    times.iter_mut().map(|(name, times)| (*name, of(times))).collect()
}

fn row(what: &str, figures: &Figures) {
    table::row(what, &Name::ALL.map(|name| figures.get(&name).copied()));
}

#[expect(clippy::print_stderr, reason = "a bench has nothing else to say it with")]
fn note(text: &str) {
    eprintln!("note: {text}");
}

/// Everything here is on one machine: what takes longer hangs.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(120), future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: nothing happened for two minutes"),
    }
}
