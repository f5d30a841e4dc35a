//! A call through every layer against the engine used directly, interleaved in one run: from dialing to
//! the open channel, echo and throughput, on one machine.
//!
//! Run with `cargo bench -p skapi-rtc --bench call [-- --quick]`.

#![allow(clippy::unwrap_used, reason = "a bench: whatever fails ends it")]

mod facade;
#[path = "../../../backend-webrtc/benches/engine/raw.rs"]
mod raw;

use std::time::{Duration, Instant};

/// How much of everything.
struct Plan {
    rounds: usize,
    calls: usize,
    echoes: usize,
    bytes: usize,
}

#[tokio::main]
async fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let plan = if quick {
        Plan { rounds: 1, calls: 10, echoes: 500, bytes: 8 << 20 }
    } else {
        Plan { rounds: 5, calls: 20, echoes: 3_000, bytes: 64 << 20 }
    };
    let stage = facade::Stage::set().await;
    dial(&plan, &stage).await;
    echo(&plan, &stage).await;
    for size in [1024, 16 * 1024, 65_000] {
        throughput(&plan, &stage, size).await;
    }
}

async fn dial(plan: &Plan, stage: &facade::Stage) {
    let (mut raw_times, mut our_times) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds * plan.calls {
        let (pair, time) = raw::Pair::connect().await;
        pair.close().await;
        raw_times.push(time);
        let (pair, time) = stage.call().await;
        pair.close().await;
        our_times.push(time);
    }
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    for (name, share) in [("p50", 0.5), ("p95", 0.95)] {
        let (raw, ours) = (percentile(&mut raw_times, share), percentile(&mut our_times, share));
        row(&format!("dial to open {name}, ms"), ms(raw), ms(ours));
    }
}

async fn echo(plan: &Plan, stage: &facade::Stage) {
    const WARM_UP: usize = 100;
    let (mut raw_times, mut our_times) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let (mut pair, _) = raw::Pair::connect().await;
        raw_times.extend(pair.echo(WARM_UP + plan.echoes).await.split_off(WARM_UP));
        pair.close().await;
        let (mut pair, _) = stage.call().await;
        our_times.extend(pair.echo(WARM_UP + plan.echoes).await.split_off(WARM_UP));
        pair.close().await;
    }
    let us = |time: Duration| time.as_secs_f64() * 1e6;
    for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
        let (raw, ours) = (percentile(&mut raw_times, share), percentile(&mut our_times, share));
        row(&format!("echo 64 B {name}, us"), us(raw), us(ours));
    }
}

async fn throughput(plan: &Plan, stage: &facade::Stage, size: usize) {
    let (mut raw_rates, mut our_rates) = (Vec::new(), Vec::new());
    let rate = |time: Duration| plan.bytes as f64 / f64::from(1 << 20) / time.as_secs_f64();
    for _ in 0..plan.rounds {
        let (mut pair, _) = raw::Pair::connect().await;
        raw_rates.push(rate(pair.transfer(size, plan.bytes / size).await));
        pair.close().await;
        let (mut pair, _) = stage.call().await;
        our_rates.push(rate(pair.transfer(size, plan.bytes / size).await));
        pair.close().await;
    }
    row(&format!("MiB/s, {size} B"), median(&mut raw_rates), median(&mut our_rates));
}

fn percentile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    times[((times.len() - 1) as f64 * share) as usize]
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

#[expect(clippy::print_stdout, reason = "a bench has nothing else to say it with")]
fn row(what: &str, raw: f64, ours: f64) {
    println!("{what:<22} engine {raw:>9.1}   call {ours:>9.1}   ratio {:>5.2}", ours / raw);
}

/// Everything here is on one machine: what takes longer hangs.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(60), future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: nothing happened for a minute"),
    }
}

fn since(start: Instant) -> Duration {
    start.elapsed()
}
