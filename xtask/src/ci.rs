//! `cargo xtask ci` and `lint`: what a change has to pass, in the order in which it fails soonest.

use std::time::Instant;

use anyhow::{Context, Result};

use crate::{
    browser::Client,
    layers,
    shell::{cargo, complain, run as run_command, say, succeeds},
    tests_command, web,
};

type Step = (&'static str, fn() -> Result<()>);

const LINT: &[Step] = &[("format", format), ("clippy", clippy), ("clippy for pages", web::clippy)];

const REST: &[Step] = &[
    ("layers", layers::run),
    ("documentation", documentation),
    ("without default features", without_default_features),
    ("dependencies", dependencies),
    ("tests", tests),
    ("tests of pages", tests_of_pages),
];

pub(crate) fn lint() -> Result<()> {
    steps(LINT)
}

pub(crate) fn run() -> Result<()> {
    steps(&[LINT, REST].concat())
}

fn steps(steps: &[Step]) -> Result<()> {
    let begun = Instant::now();
    let count = steps.len();
    for (number, (name, step)) in steps.iter().enumerate() {
        let number = number + 1;
        complain(&format!("── {number}/{count} {name}"));
        let step_begun = Instant::now();
        let result = step();
        let outcome = if result.is_ok() { "ok" } else { "FAILED" };
        complain(&format!(
            "── {number}/{count} {name}: {outcome} after {:.1} s",
            step_begun.elapsed().as_secs_f64()
        ));
        result.with_context(|| format!("step {number} of {count}, {name}, failed"))?;
    }
    say(&format!("all {count} steps passed in {:.0} s", begun.elapsed().as_secs_f64()));
    Ok(())
}

fn format() -> Result<()> {
    run_command(cargo(&["fmt", "--all", "--check"]))?;
    for outside in ["fuzz/Cargo.toml", "tools/bindgen/Cargo.toml"] {
        run_command(cargo(&["fmt", "--manifest-path", outside, "--check"]))?;
    }
    Ok(())
}

fn clippy() -> Result<()> {
    let mut command = cargo(&["clippy", "--workspace", "--all-targets", "--all-features"]);
    command.args(["--", "-D", "warnings"]);
    run_command(command)
}

fn documentation() -> Result<()> {
    let mut command = cargo(&["doc", "--no-deps", "--workspace", "--all-features"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    run_command(command)
}

fn without_default_features() -> Result<()> {
    run_command(cargo(&["check", "-p", "skapi-rtc", "--no-default-features"]))
}

fn dependencies() -> Result<()> {
    if !succeeds(cargo(&["deny", "--version"])) {
        complain("note: cargo-deny is not installed, so licences and advisories were not checked;");
        complain("      `cargo install cargo-deny` installs it");
        return Ok(());
    }
    let check = ["deny", "--all-features", "check"];
    let mut command = cargo(&check);
    command.args(["licenses", "bans", "sources"]);
    run_command(command)?;
    if !succeeds(cargo(&["deny", "fetch", "db"])) {
        complain("note: the advisory database cannot be reached, so advisories were not checked");
        return Ok(());
    }
    let mut command = cargo(&check);
    command.arg("advisories");
    run_command(command)
}

fn tests() -> Result<()> {
    tests_command::test(&tests_command::Options {
        profile: Some("ci"),
        ..tests_command::Options::default()
    })
}

/// Also builds the package for pages, which fails when it is too large.
fn tests_of_pages() -> Result<()> {
    tests_command::test(&tests_command::Options {
        browser_only: Some(Client::Ours),
        ..tests_command::Options::default()
    })
}
