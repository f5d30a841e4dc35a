//! From a script that fails to the shortest one that does.

use std::time::Duration;

use super::Script;

/// Runs that shrinking may take.
const MAX_RUNS: usize = 2_000;

/// Leaves out what is not needed for `fails` to stay true: steps, many at a time and then one by one, and
/// pauses.
pub fn shrink(script: &Script, fails: impl Fn(&Script) -> bool) -> Script {
    let mut best = script.clone();
    let mut runs = 0;
    let mut still_fails = |script: &Script| {
        runs += 1;
        runs <= MAX_RUNS && fails(script)
    };
    loop {
        let before = best.clone();
        let mut size = best.steps.len().max(1);
        while size > 0 {
            let mut at = 0;
            while at < best.steps.len() {
                let mut shorter = best.clone();
                shorter.steps.drain(at..(at + size).min(best.steps.len()));
                if still_fails(&shorter) {
                    best = shorter;
                } else {
                    at += size;
                }
            }
            size /= 2;
        }
        for at in 0..best.steps.len() {
            for pause in [Duration::ZERO, Duration::from_secs(1)] {
                let mut simpler = best.clone();
                simpler.steps[at].pause = pause;
                if best.steps[at].pause > pause && still_fails(&simpler) {
                    best = simpler;
                }
            }
        }
        if best == before {
            return best;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Deed;

    #[test]
    fn what_is_left_fails_and_nothing_can_be_left_out() {
        let fails = |script: &Script| {
            let cuts = script.steps.iter().filter(|step| step.deed == Deed::Cut).count();
            cuts >= 2
        };
        let found = (0..100).map(Script::from_seed).find(fails).unwrap();
        let shrunk = shrink(&found, fails);
        let deeds: Vec<_> = shrunk.steps.iter().map(|step| step.deed).collect();
        assert_eq!(deeds, [Deed::Cut, Deed::Cut]);
        assert!(shrunk.steps.iter().all(|step| step.pause.is_zero()));
    }
}
