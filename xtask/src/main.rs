//! What a contributor runs: `cargo xtask <command>`.

mod bench;
mod browser;
mod chaos;
mod ci;
mod demo;
mod fuzz;
mod layers;
mod matrix;
mod mutations;
mod npm;
mod shell;
mod skips;
mod soak;
mod tally;
mod tests_command;
mod web;
mod workspace;

use std::process::ExitCode;

use shell::say;

const HELP: &str = "\
What a contributor runs: cargo xtask <command>

  demo [args]         build the program and make a call with it; args go to `skapi-rtc demo`
  test [filters]      run all tests and doctests, or those whose names contain a filter
      --allow-skips   succeed even if a test was skipped for want of a part
  test browser [f]    only those in a real browser; what they need is installed on Debian, as root
  test web [f]        what is ours in pages, in a real browser: our client and its page, the browser's engine in
                      the suite of every engine, calls from Rust; builds it all first
      --rounds N      so many times
      --screenshots   take the pictures of the documentation (web)
  ci                  everything that a change has to pass: what CI runs
  lint                formatting and clippy
  layers              check which crate depends on which
  bench [names]       run the benchmarks, or those with these names
      --quick         less of everything, for a first look
      --only=NAME     those columns alone whose names contain this (rtc)
      --part=PART     setup, echo, throughput or costs alone (rtc)
  fuzz [target]       run the fuzzer on every target, or on this one
      --seconds N     how long on each (default 60)
  web                 build the package for pages, in target/web/pkg, and the page, in target/web/page
  soak                run the model test on and on
      --minutes N     for how long (default 1)
      --first SEED    from this seed on, instead of ones that were not run before
      --script HEX    one script only, with everything that happens in it
  chaos               run calls of the real program while services, peers, links and paths break at random
      --minutes N     for how long (default 20)
      --calls N       at a time (default 50)
      --seed N        with the faults of an earlier run
      --engine E      webrtc (the default) or str0m
  matrix              calls between every two engines, and the table of them in docs/engines.md
  mutations [names]   put faults into a copy of the workspace, and see that the model test finds them
  help                this text
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_else(|| "help".to_owned());
    // A `--` before the arguments is what many are used to, and means nothing here.
    let args: Vec<String> =
        args.enumerate().filter(|(n, a)| *n > 0 || a != "--").map(|(_, a)| a).collect();
    let result = match command.as_str() {
        "demo" => demo::run(&args),
        "test" => tests_command::run(&args),
        "ci" => no_args(&args).and_then(|()| ci::run()),
        "lint" => no_args(&args).and_then(|()| ci::lint()),
        "layers" => no_args(&args).and_then(|()| layers::run()),
        "bench" => bench::run(&args),
        "fuzz" => fuzz::run(&args),
        "web" => no_args(&args).and_then(|()| web::run()),
        "soak" => soak::run(&args),
        "chaos" => chaos::run(&args),
        "matrix" => no_args(&args).and_then(|()| matrix::run()),
        "mutations" => mutations::run(&args),
        "help" | "--help" | "-h" => {
            say(HELP.trim_end());
            Ok(())
        }
        other => Err(anyhow::anyhow!("there is no command `{other}`; see `cargo xtask help`")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // With a context around it, there is more to tell.
            let told = error.chain().len() == 1 && error.is::<tests_command::Reported>();
            if !told {
                shell::complain(&format!("error: {error:#}"));
            }
            ExitCode::FAILURE
        }
    }
}

fn no_args(args: &[String]) -> anyhow::Result<()> {
    match args.first() {
        None => Ok(()),
        Some(arg) => anyhow::bail!("`{arg}` is not understood; see `cargo xtask help`"),
    }
}
