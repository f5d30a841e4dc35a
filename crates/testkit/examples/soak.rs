//! Runs the model test on and on, or one script of it.
//!
//! Run with: `cargo xtask soak --minutes 10`, or
//! `cargo run -p skapi-rtc-testkit --features hub --example soak -- --script HEX`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program speaks to whoever runs it"
)]

use std::{
    env,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use skapi_rtc_testkit::model::{Failure, Script, Seen, check, regressions, shortest};

#[derive(Default)]
struct Arguments {
    minutes: Option<f64>,
    first: Option<u64>,
    script: Option<Script>,
}

fn main() -> ExitCode {
    let arguments = match parse(env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(what) => {
            eprintln!("{what}; there are: --minutes N, --first SEED, --script HEX");
            return ExitCode::from(2);
        }
    };
    if let Some(script) = &arguments.script {
        return match check(script) {
            Ok(seen) => {
                println!("holds: {seen:?}");
                ExitCode::SUCCESS
            }
            Err(failure) => {
                println!("{failure}");
                ExitCode::FAILURE
            }
        };
    }
    soak(&arguments)
}

/// What once broke a rule, and then seeds one after the other, on every processor, until the time is over or one
/// breaks one.
fn soak(arguments: &Arguments) -> ExitCode {
    let time = Duration::from_secs_f64(arguments.minutes.unwrap_or(1.0) * 60.0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Another part of the seeds each time, unless a certain one is wanted.
    let first = arguments.first.unwrap_or(now.as_secs() << 20);
    let (next, stop) = (AtomicU64::new(first), AtomicBool::new(false));
    let (seen, failed) = (Mutex::new(Seen::default()), Mutex::new(None));
    let start = Instant::now();
    // Panics are caught and told with the trace.
    std::panic::set_hook(Box::new(|_| {}));
    for (name, script) in regressions() {
        if let Err(failure) = check(&script) {
            println!("{failure}\nonce mended: {name}");
            return ExitCode::FAILURE;
        }
    }
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while start.elapsed() < time && !stop.load(Relaxed) {
                    let seed = next.fetch_add(1, Relaxed);
                    match check(&Script::from_seed(seed)) {
                        Ok(more) => *seen.lock().expect("nobody panics here") += more,
                        Err(failure) => {
                            stop.store(true, Relaxed);
                            *failed.lock().expect("nobody panics here") = Some((seed, failure));
                        }
                    }
                }
            });
        }
    });
    let runs = next.load(Relaxed) - first;
    let failed = failed.into_inner().unwrap_or_default();
    if let Some((seed, failure)) = failed {
        tell(seed, *failure);
        return ExitCode::FAILURE;
    }
    let seen = seen.into_inner().unwrap_or_default();
    println!("{runs} seeds from {first} in {:.0?}: {seen:?}", start.elapsed());
    ExitCode::SUCCESS
}

fn tell(seed: u64, failure: Failure) {
    let shortest = shortest(&failure.script);
    let shown = check(&shortest).err().map_or(failure, |shown| *shown);
    println!("{shown}\nseed {seed}; for crates/testkit/tests/regressions.txt:");
    println!("name: {}", shown.script.to_hex());
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut parsed = Arguments::default();
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("`{name}` needs a value"))?;
        let wrong = || format!("`{value}` is no value for `{name}`");
        match name.as_str() {
            "--minutes" => parsed.minutes = Some(value.parse().map_err(|_| wrong())?),
            "--first" => parsed.first = Some(value.parse().map_err(|_| wrong())?),
            "--script" => parsed.script = Some(Script::from_hex(&value).ok_or_else(wrong)?),
            _ => return Err(format!("`{name}` is not understood")),
        }
    }
    Ok(parsed)
}
