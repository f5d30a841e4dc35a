//! How many tests passed, failed and were skipped, as the runners' own summaries tell.

/// Counts of tests.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl Tally {
    /// Adds what a line says, if it is a summary: one of nextest, or one of the standard runner.
    pub(crate) fn read(&mut self, line: &str) {
        let Some(counts) = nextest(line).or_else(|| libtest(line)) else {
            return;
        };
        for count in without_parentheses(counts).split([',', ';']) {
            let mut words = count.split_whitespace();
            let Some(number) = words.next().and_then(|word| word.parse::<usize>().ok()) else {
                continue;
            };
            match words.next() {
                Some("passed") => self.passed += number,
                // nextest: `2 failed`, `1 timed out`, `1 exec failed`
                Some("failed" | "timed" | "exec") => self.failed += number,
                Some("skipped" | "ignored") => self.skipped += number,
                _ => {}
            }
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { passed, failed, skipped } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// `     Summary [   1.2s] 25 tests run: 24 passed (1 slow), 1 failed, 3 skipped`
fn nextest(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("Summary [")?;
    rest.split_once(" run: ").map(|(_, counts)| counts)
}

/// `test result: ok. 13 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s`
fn libtest(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("test result: ")?;
    rest.split_once(". ").map(|(_, counts)| counts)
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0_usize;
    text.chars()
        .filter(|c| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => return depth == 0,
            }
            false
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(lines: &[&str]) -> String {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.read(line));
        tally.to_string()
    }

    #[test]
    fn summaries_of_nextest() {
        assert_eq!(
            tally(&["     Summary [   0.112s] 25 tests run: 25 passed, 0 skipped"]),
            "25 passed, 0 failed, 0 skipped"
        );
        assert_eq!(
            tally(&[
                "     Summary [  12.3s] 30/40 tests run: 24 passed (1 slow, 2 leaky), 3 failed, 2 timed out, 1 exec failed, 5 skipped"
            ]),
            "24 passed, 6 failed, 5 skipped"
        );
        assert_eq!(
            tally(&["     Summary [   0.000s] 0 tests run: 0 passed, 7 skipped"]),
            "0 passed, 0 failed, 7 skipped"
        );
    }

    #[test]
    fn summaries_of_the_standard_runner_add_up() {
        assert_eq!(
            tally(&[
                "running 3 tests",
                "test result: ok. 13 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s",
                "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
                "it was a summary of 3 failed attempts",
            ]),
            "14 passed, 2 failed, 1 skipped"
        );
    }
}
