//! What calls cost the process that has them, each measured in a process of its own: memory, processor
//! time, sockets, and what is left when they have ended.

use std::{fs, process::Command, time::Duration};

use crate::subject::{Name, Subject};

/// The argument that makes this program such a process.
pub(crate) const ARGUMENT: &str = "--in-process";
/// How long an idle process is watched.
const WATCH: Duration = Duration::from_secs(5);
/// Calls before the first look, which fill caches and pools.
const WARM_UP: usize = 100;

/// What calls cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// KiB of resident memory for each established, idle pair of ends.
    pub(crate) memory: f64,
    /// Milliseconds of processor time a second for all of them.
    pub(crate) processor: f64,
    /// File descriptors for each.
    pub(crate) descriptors: f64,
    /// KiB by which resident memory grew for each call of many in a row.
    pub(crate) growth: f64,
    /// File descriptors that are left after them.
    pub(crate) left: f64,
}

impl Cost {
    /// Asks a process of its own.
    pub(crate) fn of(name: Name, established: usize, in_a_row: usize) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let counts = [established.to_string(), in_a_row.to_string()];
        let output = Command::new(program)
            .args([ARGUMENT, name.as_str()])
            .args(counts)
            .output()
            .map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout);
        let figures: Vec<f64> =
            text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        match figures[..] {
            [memory, processor, descriptors, growth, left] => {
                Ok(Self { memory, processor, descriptors, growth, left })
            }
            _ => Err(format!("{text}{}", String::from_utf8_lossy(&output.stderr))),
        }
    }
}

/// What such a process does: `arguments` are a subject, how many established pairs and how many in a row.
#[expect(clippy::print_stdout, reason = "what the other process reads")]
pub(crate) async fn run(arguments: &[String]) {
    let [name, established, in_a_row] = arguments else { panic!("three arguments") };
    let name = Name::parse(name).unwrap();
    let (established, in_a_row): (usize, usize) =
        (established.parse().unwrap(), in_a_row.parse().unwrap());
    let subject = name.set(established + 1).await.unwrap();
    let (warm, _) = subject.connect().await;

    let before = (memory(), descriptors());
    let mut pairs = Vec::with_capacity(established);
    for _ in 0..established {
        pairs.push(subject.connect().await.0);
    }
    let each = |now: f64, before: f64| (now - before) / established as f64;
    tokio::time::sleep(WATCH / 2).await; // what set-up still has to do
    let processor_before = processor();
    tokio::time::sleep(WATCH).await;
    let idle = (processor() - processor_before) / WATCH.as_secs_f64();
    let cost = (each(memory(), before.0), each(descriptors(), before.1));
    for pair in pairs {
        pair.close().await;
    }
    warm.close().await;

    in_a_row_of(&*subject, WARM_UP).await;
    let before = (memory(), descriptors());
    in_a_row_of(&*subject, in_a_row).await;
    let growth = (memory() - before.0) / in_a_row.max(1) as f64;
    println!("{} {idle} {} {growth} {}", cost.0, cost.1, descriptors() - before.1);
}

async fn in_a_row_of(subject: &dyn Subject, count: usize) {
    for _ in 0..count {
        subject.connect().await.0.close().await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await; // engines close behind their callers' backs
}

/// KiB of resident memory.
fn memory() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(f64::NAN)
}

fn descriptors() -> f64 {
    fs::read_dir("/proc/self/fd").map_or(f64::NAN, |entries| entries.count() as f64)
}

/// Milliseconds of processor time since the process began, from `/proc/self/stat`, which counts in
/// hundredths of a second.
fn processor() -> f64 {
    const USER: usize = 11;
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    let ticks: f64 = fields.skip(USER).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks * 10.0
}
