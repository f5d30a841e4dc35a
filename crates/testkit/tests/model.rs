//! The model test: scripts out of seeds, the regressions, and the corpus of the fuzzer.
//!
//! `SKAPI_RTC_SIM_SEEDS` sets how many seeds are run, `SKAPI_RTC_SIM_FIRST` the first one.

use std::{env, fs, path::Path, thread};

use skapi_rtc_testkit::model::{Failure, Script, Seen, check, regressions, shortest};

#[test]
fn whatever_happens_every_rule_holds() {
    let first = setting("SKAPI_RTC_SIM_FIRST").unwrap_or(0);
    let count = setting("SKAPI_RTC_SIM_SEEDS").unwrap_or(2000);
    let workers = thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let mut seen = Seen::default();
    thread::scope(|scope| {
        let work =
            |worker| move || run_seeds((first + worker..first + count).step_by(workers as usize));
        let running: Vec<_> = (0..workers).map(|worker| scope.spawn(work(worker))).collect();
        for worker in running {
            seen += worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
    println!("{count} seeds: {seen:?}");
    if count >= 1000 {
        assert!(
            seen.calls as u64 > count && seen.up * 8 > seen.calls,
            "too little happens: {seen:?}"
        );
        assert!(seen.crossed > 0 && seen.posts > 0, "too little happens: {seen:?}");
    }
}

#[test]
fn what_went_wrong_once_does_not_any_more() {
    for (name, script) in regressions() {
        if let Err(failure) = check(&script) {
            panic!("{name}: {failure}");
        }
    }
}

#[test]
fn the_corpus_of_the_fuzzer_breaks_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/model");
    let mut files = 0;
    for entry in fs::read_dir(folder).expect("the corpus").flatten() {
        let bytes = fs::read(entry.path()).expect("a file of the corpus");
        if let Err(failure) = check(&Script::from_bytes(&bytes)) {
            panic!("{}: {failure}", entry.path().display());
        }
        files += 1;
    }
    assert!(files >= 5, "the corpus is incomplete");
}

fn run_seeds(seeds: impl Iterator<Item = u64>) -> Seen {
    let mut seen = Seen::default();
    for seed in seeds {
        let script = Script::from_seed(seed);
        match check(&script) {
            Ok(more) => seen += more,
            Err(failure) => report(seed, &failure),
        }
    }
    seen
}

fn report(seed: u64, failure: &Failure) -> ! {
    let shortest = shortest(&failure.script);
    let shown = check(&shortest).err();
    match shown {
        Some(shown) => panic!(
            "{shown}\nseed {seed}; a line for tests/regressions.txt:\nname: {}",
            shortest.to_hex()
        ),
        None => panic!("{failure}\nseed {seed}"),
    }
}

fn setting(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}
