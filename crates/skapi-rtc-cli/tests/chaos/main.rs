//! Chaos with the real program: services and peers are killed and started, links and paths cut, packets lost
//! and doubled; every call has to go on or to end with a reason, and no reliable message may be lost.
//!
//! A program of its own rather than a list of test functions, since it is three things: tests, as nextest
//! and `cargo test` run them; the processes of the peers; and what `cargo xtask chaos` runs for long.

#![allow(
    unreachable_pub,
    clippy::print_stdout,
    reason = "a program of tests: its modules are seen by nobody else, and it talks"
)]

mod crowd;
mod faults;
mod ledger;
mod lines;
mod paths;
mod peer;
mod process;
mod scenarios;
mod talk;
mod transport;
mod words;
mod world;

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, Result, bail};

use crate::{
    scenarios::{Run, chaos, verdict},
    world::Setup,
};

type Scenario = (&'static str, fn() -> Result<()>);

/// The scenarios by name, each on a runtime of its own.
macro_rules! scenarios {
    ($($module:ident::$name:ident)+) => {
        &[$((stringify!($name), || block_on($module::$name()))),+]
    };
}

const SCENARIOS: &[Scenario] = scenarios![
    scenarios::a_service_that_is_killed_costs_no_call_and_no_message
    scenarios::links_that_are_lost_on_both_sides_cost_no_call_and_no_message
    scenarios::whatever_a_call_carries_goes_on_after_cuts
    scenarios::calls_in_a_row_leave_nothing_behind
    scenarios::chaos_for_a_short_while_violates_nothing
    crowd::a_crowd_comes_back_to_a_service_that_was_killed
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.first().map(String::as_str) {
        Some("peer") => peer::run(&args[1..]),
        Some("run") => run(&args[1..]),
        _ => return tests(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

pub(crate) fn say(text: &str) {
    println!("{}", text.trim_end());
}

fn block_on(future: impl Future<Output = Result<()>>) -> Result<()> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build()?.block_on(future)
}

/// What the standard runner does, as far as nextest and `cargo test` ask for it.
fn tests(args: &[String]) -> ExitCode {
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    if has("--list") {
        // None is left out unless it is asked for.
        let names = SCENARIOS.iter().filter(|_| !has("--ignored"));
        names.for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    // Those that take a value of their own are not used here.
    let filters: Vec<_> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |name: &str| {
        filters.is_empty()
            || filters.iter().any(|filter| {
                if has("--exact") {
                    name == filter.as_str()
                } else {
                    name.contains(filter.as_str())
                }
            })
    };
    let (mut passed, mut failed) = (0, 0);
    for (name, scenario) in SCENARIOS.iter().filter(|(name, _)| wanted(name)) {
        match scenario() {
            Ok(()) => {
                println!("test {name} ... ok");
                passed += 1;
            }
            Err(error) => {
                println!("{error:#}\ntest {name} ... FAILED");
                failed += 1;
            }
        }
    }
    let result = if failed == 0 { "ok" } else { "FAILED" };
    let out = SCENARIOS.len() - passed - failed;
    println!(
        "\ntest result: {result}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {out} filtered out"
    );
    ExitCode::from(u8::from(failed > 0))
}

/// `run`: what `cargo xtask chaos` does.
fn run(args: &[String]) -> Result<()> {
    let mut setup = Setup::new(50, 5);
    let (mut minutes, mut seed, mut beat_ms) = (20.0, fastrand::u64(..), 1000);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("`{arg}` needs a value"));
        match arg.as_str() {
            "--minutes" => minutes = value()?.parse().context("minutes are a number")?,
            "--calls" => setup.calls = value()?.parse().context("calls are a number")?,
            "--processes" => setup.processes = value()?.parse().context("a number")?,
            "--seed" => seed = value()?.parse().context("a seed is a number")?,
            "--beat-ms" => beat_ms = value()?.parse().context("milliseconds are a number")?,
            "--engine" => setup.engine = value()?.clone(),
            other => bail!("`{other}` is not understood"),
        }
    }
    let run = Run { time: Duration::from_secs_f64(minutes * 60.0), seed, beat_ms };
    block_on(async move { verdict(&chaos(setup, &run).await?) })
}
