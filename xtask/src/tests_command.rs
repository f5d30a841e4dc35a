//! `cargo xtask test`: every test of the workspace, the examples in its documentation, the browser's, and
//! calls between every two engines.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{
    browser::{self, Client},
    matrix,
    shell::{cargo, colour, complain, say, succeeds, watch},
    skips::{self, SkipFile},
    tally::Tally,
};

/// What is tested, and how strictly.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Only tests whose names contain one of these; all when empty.
    pub(crate) filters: Vec<String>,
    /// A skipped test is no failure.
    pub(crate) allow_skips: bool,
    /// The profile of `.config/nextest.toml`.
    pub(crate) profile: Option<&'static str>,
    /// Only what runs in a browser, with this client.
    pub(crate) browser_only: Option<Client>,
    /// How often that is run.
    pub(crate) rounds: Option<u32>,
    /// Whether it also takes the pictures of the documentation.
    pub(crate) screenshots: bool,
}

pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut options = Options::default();
    let mut args = args.iter().peekable();
    let suite = args.next_if(|arg| matches!(arg.as_str(), "browser" | "web"));
    options.browser_only =
        suite.map(|suite| if suite == "web" { Client::Ours } else { Client::Skapi });
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--allow-skips" => options.allow_skips = true,
            "--rounds" if options.browser_only.is_some() => {
                let number = args.next().context("`--rounds` needs a number")?;
                let rounds =
                    number.parse().with_context(|| format!("`{number}` is not a number"))?;
                options.rounds = Some(rounds);
            }
            "--screenshots" if options.browser_only == Some(Client::Ours) => {
                options.screenshots = true;
            }
            arg if arg.starts_with('-') => {
                bail!("`{arg}` is not understood; see `cargo xtask help`")
            }
            filter => options.filters.push(filter.to_owned()),
        }
    }
    test(&options)
}

/// Runs the tests. The last line that it prints is the sum of them.
pub(crate) fn test(options: &Options) -> Result<()> {
    let mut results = Results::default();
    if options.browser_only.is_none() {
        rust(options, &mut results)?;
    }
    if results.broken.is_empty()
        && (options.browser_only.is_some() || browser::is_meant(&options.filters)?)
    {
        in_browser(options, &mut results)?;
    }
    if results.broken.is_empty()
        && options.browser_only.is_none()
        && matrix::is_meant(&options.filters)
    {
        between_engines(options, &mut results)?;
    }
    let Results { mut tally, skipped, broken } = results;
    tally.skipped = skipped.len();
    for skip in &skipped {
        complain(&format!("skipped: {skip}"));
    }
    let verdict = verdict(&tally, &broken, options).map_err(|error| Reported(error.to_string()));
    if let Err(error) = &verdict {
        complain(&format!("error: {error}"));
    }
    say(&tally.to_string());
    Ok(verdict?)
}

/// What came of the tests so far.
#[derive(Default)]
struct Results {
    tally: Tally,
    skipped: Vec<String>,
    /// Parts that did not come so far as to count: a build that failed, a test that took the runner down.
    broken: Vec<&'static str>,
}

impl Results {
    /// Runs a command that tells how many tests passed and failed.
    fn watch(&mut self, what: &'static str, command: Command) -> Result<()> {
        let mut part = Tally::default();
        let skipped = &mut self.skipped;
        let succeeded = watch(command, |line| {
            part.read(line);
            skipped.extend(ignored(line));
        })?;
        if !succeeded && part.failed == 0 {
            self.broken.push(what);
        }
        self.tally.passed += part.passed;
        self.tally.failed += part.failed;
        Ok(())
    }
}

fn rust(options: &Options, results: &mut Results) -> Result<()> {
    let skip_file = SkipFile::begin()?;
    let with_nextest = succeeds(cargo(&["nextest", "--version"]));
    if !with_nextest {
        complain("cargo-nextest is not installed; `cargo test` will do, but takes longer.");
    }
    for (what, mut command) in [
        (
            "the tests",
            if with_nextest {
                nextest(options)
            } else {
                libtest(&["--lib", "--bins", "--tests", "--examples"], options)
            },
        ),
        ("the documentation", libtest(&["--doc"], options)),
    ] {
        command.env(skips::VARIABLE, skip_file.path());
        results.watch(what, command)?;
        if !results.broken.is_empty() {
            break;
        }
    }
    // What nextest counts as skipped is also what a filter left out, so the ignored ones are asked for.
    if with_nextest && results.broken.is_empty() {
        results.skipped.extend(ignored_by_nextest(options)?);
    }
    let wanting = skip_file.read()?;
    // A test that said it cannot run returned, so its runner counted it as passed.
    results.tally.passed = results.tally.passed.saturating_sub(wanting.len());
    results.skipped.extend(wanting);
    Ok(())
}

fn in_browser(options: &Options, results: &mut Results) -> Result<()> {
    let mut args = options.filters.clone();
    if let Some(rounds) = options.rounds {
        args.push(format!("--rounds={rounds}"));
    }
    if options.screenshots {
        args.push("--screenshots=docs/images".to_owned());
    }
    match browser::tests(options.browser_only.unwrap_or(Client::Skapi), &args)? {
        Ok(command) => results.watch("the tests in a browser", command),
        Err(missing) => {
            results.skipped.push(format!("the tests in a browser: {missing}"));
            Ok(())
        }
    }
}

fn between_engines(options: &Options, results: &mut Results) -> Result<()> {
    match matrix::command(&options.filters)? {
        Ok(command) => results.watch("the calls between engines", command),
        Err(missing) => {
            results.skipped.push(format!("the calls between engines: {missing}"));
            Ok(())
        }
    }
}

/// An error that has been printed: nothing must follow the last line.
#[derive(Debug)]
pub(crate) struct Reported(String);

impl std::error::Error for Reported {}

impl std::fmt::Display for Reported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn verdict(tally: &Tally, broken: &[&str], options: &Options) -> Result<()> {
    if !broken.is_empty() {
        bail!("{} could not be run", broken.join(" and "));
    }
    if tally.failed > 0 {
        bail!("tests failed");
    }
    if tally.passed + tally.skipped == 0 {
        bail!("no test has a name that contains what was asked for");
    }
    if tally.skipped > 0 && !options.allow_skips {
        bail!("tests were skipped; install what they need, or say `--allow-skips`");
    }
    Ok(())
}

fn nextest(options: &Options) -> Command {
    let mut command = cargo(&["nextest", "run", "--workspace", "--all-features"]);
    command.args(["--no-fail-fast", "--no-tests=pass", "--color", colour()]);
    if let Some(profile) = options.profile {
        command.args(["--profile", profile]);
    }
    command.args(&options.filters);
    command
}

fn libtest(args: &[&str], options: &Options) -> Command {
    let mut command = cargo(&["test", "--workspace", "--all-features", "--no-fail-fast"]);
    command.args(args).args(["--color", colour(), "--"]);
    command.args(&options.filters);
    command
}

/// `test name ... ignored, why` of the standard runner.
fn ignored(line: &str) -> Option<String> {
    let (name, why) = line.strip_prefix("test ")?.split_once(" ... ignored")?;
    Some(format!("{name}: ignored{why}"))
}

/// nextest does not name what it skips, but lists it.
fn ignored_by_nextest(options: &Options) -> Result<Vec<String>> {
    let mut command = cargo(&["nextest", "list", "--workspace", "--all-features"]);
    command.args(["--run-ignored", "only", "--message-format", "oneline"]);
    let output = command.args(&options.filters).output()?;
    if !output.status.success() {
        bail!(
            "nextest could not list what it skipped: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let tests = text.lines().filter(|line| !line.trim().is_empty());
    Ok(tests.map(|test| format!("{test}: ignored")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(passed: usize, failed: usize, skipped: usize, allow_skips: bool) -> bool {
        let tally = Tally { passed, failed, skipped };
        let options = Options { allow_skips, ..Options::default() };
        verdict(&tally, &[], &options).is_ok()
    }

    #[test]
    fn a_skip_is_a_failure_unless_it_is_allowed() {
        assert!(judge(3, 0, 0, false));
        assert!(!judge(3, 0, 1, false));
        assert!(judge(3, 0, 1, true));
        assert!(!judge(3, 1, 1, true));
        assert!(!judge(0, 0, 0, true));
        let broken = verdict(&Tally::default(), &["the tests"], &Options::default());
        assert!(broken.is_err());
    }

    #[test]
    fn ignored_tests_are_named() {
        assert_eq!(
            ignored("test net::ipv6 ... ignored, needs IPv6").as_deref(),
            Some("net::ipv6: ignored, needs IPv6")
        );
        assert_eq!(ignored("test net::ipv4 ... ok"), None);
    }
}
