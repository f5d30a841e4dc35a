//! The engine through our traits against the same engine used directly, tuned by the known means,
//! interleaved in one run: set-up, echo and throughput on one machine.
//!
//! Run with `cargo bench -p skapi-rtc-backend-webrtc --bench engine [-- --quick]`.

#![allow(clippy::unwrap_used, reason = "a bench: whatever fails ends it")]

mod ours;
mod raw;

use std::time::Duration;

/// How much of everything.
struct Plan {
    rounds: usize,
    setups: usize,
    echoes: usize,
    bytes: usize,
}

#[tokio::main]
async fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let plan = if quick {
        Plan { rounds: 1, setups: 10, echoes: 500, bytes: 8 << 20 }
    } else {
        Plan { rounds: 5, setups: 20, echoes: 3_000, bytes: 64 << 20 }
    };
    setup(&plan).await;
    echo(&plan).await;
    for size in [1024, 16 * 1024, 65_000] {
        throughput(&plan, size).await;
    }
}

async fn setup(plan: &Plan) {
    let (mut raw_times, mut our_times) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        for _ in 0..plan.setups {
            let (pair, time) = raw::Pair::connect().await;
            pair.close().await;
            raw_times.push(time);
            let (pair, time) = ours::Pair::connect().await;
            pair.close().await;
            our_times.push(time);
        }
    }
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    for (name, share) in [("p50", 0.5), ("p95", 0.95)] {
        let (raw, ours) = (percentile(&mut raw_times, share), percentile(&mut our_times, share));
        row(&format!("set-up {name}, ms"), ms(raw), ms(ours));
    }
}

async fn echo(plan: &Plan) {
    const WARM_UP: usize = 100;
    let (mut raw_times, mut our_times) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let (mut pair, _) = raw::Pair::connect().await;
        raw_times.extend(pair.echo(WARM_UP + plan.echoes).await.split_off(WARM_UP));
        pair.close().await;
        let (mut pair, _) = ours::Pair::connect().await;
        our_times.extend(pair.echo(WARM_UP + plan.echoes).await.split_off(WARM_UP));
        pair.close().await;
    }
    let us = |time: Duration| time.as_secs_f64() * 1e6;
    for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
        let (raw, ours) = (percentile(&mut raw_times, share), percentile(&mut our_times, share));
        row(&format!("echo 64 B {name}, us"), us(raw), us(ours));
    }
}

async fn throughput(plan: &Plan, size: usize) {
    let (mut raw_rates, mut our_rates) = (Vec::new(), Vec::new());
    let rate = |time: Duration| plan.bytes as f64 / f64::from(1 << 20) / time.as_secs_f64();
    for _ in 0..plan.rounds {
        let (mut pair, _) = raw::Pair::connect().await;
        raw_rates.push(rate(pair.transfer(size, plan.bytes / size).await));
        pair.close().await;
        let (mut pair, _) = ours::Pair::connect().await;
        our_rates.push(rate(pair.transfer(size, plan.bytes / size).await));
        pair.close().await;
    }
    let median = |rates: &mut Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    row(&format!("MiB/s, {size} B"), median(&mut raw_rates), median(&mut our_rates));
}

fn percentile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    times[((times.len() - 1) as f64 * share) as usize]
}

#[expect(clippy::print_stdout, reason = "a bench has nothing else to say it with")]
fn row(what: &str, raw: f64, ours: f64) {
    println!("{what:<20} raw {raw:>9.1}   ours {ours:>9.1}   ratio {:>5.2}", ours / raw);
}

/// Everything here is on one machine: what takes longer hangs.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(60), future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: nothing happened for a minute"),
    }
}
