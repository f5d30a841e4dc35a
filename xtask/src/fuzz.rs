//! `cargo xtask fuzz`: the fuzzer on the decoders, where its parts are installed.

use std::{fs, process::Command};

use anyhow::{Context, Result, bail};

use crate::{
    shell::{run as run_command, say, succeeds},
    workspace,
};

pub(crate) fn run(args: &[String]) -> Result<()> {
    let (chosen, seconds) = parse(args)?;
    let targets = targets()?;
    if let Some(name) = &chosen
        && !targets.contains(name)
    {
        bail!("there is no fuzz target `{name}`; there are: {}", targets.join(", "));
    }
    check_parts()?;
    for target in targets {
        if chosen.as_ref().is_none_or(|name| *name == target) {
            fuzz(&target, seconds)?;
        }
    }
    say("The fuzzer found nothing.");
    Ok(())
}

fn parse(args: &[String]) -> Result<(Option<String>, u32)> {
    let (mut target, mut seconds) = (None, 60);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--seconds" => {
                let number = args.next().context("`--seconds` needs a number")?;
                seconds = number
                    .parse()
                    .with_context(|| format!("`{number}` is not a number of seconds"))?;
            }
            arg if arg.starts_with('-') || target.is_some() => {
                bail!("`{arg}` is not understood; see `cargo xtask help`")
            }
            name => target = Some(name.to_owned()),
        }
    }
    Ok((target, seconds))
}

/// The names of the programs in `fuzz/fuzz_targets`.
fn targets() -> Result<Vec<String>> {
    let folder = workspace::root().join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for file in fs::read_dir(&folder).with_context(|| format!("{} is missing", folder.display()))? {
        let path = file?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into()));
    }
    names.sort();
    Ok(names)
}

fn check_parts() -> Result<()> {
    let mut missing = Vec::new();
    if !succeeds(nightly(&["--version"])) {
        missing.push("  rustup toolchain install nightly");
    }
    if !succeeds(nightly(&["fuzz", "--version"])) {
        missing.push("  cargo install cargo-fuzz");
    }
    if !missing.is_empty() {
        bail!("fuzzing needs parts that are not installed:\n{}", missing.join("\n"));
    }
    Ok(())
}

fn fuzz(target: &str, seconds: u32) -> Result<()> {
    // What it finds on its way goes to the build folder; what is committed is only read.
    let found = workspace::metadata()?.target_directory.join("fuzz-corpus").join(target);
    fs::create_dir_all(&found)?;
    let committed = format!("fuzz/corpus/{target}");
    let mut command = nightly(&["fuzz", "run", target, found.as_str(), &committed]);
    command
        .args(["--", &format!("-max_total_time={seconds}")])
        .args(["-max_len=4096", "-print_final_stats=1"]);
    run_command(command).with_context(|| {
        format!("the input that breaks it is in fuzz/artifacts/{target}; make it a test")
    })
}

/// The cargo of the nightly toolchain: the fuzzer needs compiler flags that the stable one refuses.
fn nightly(args: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command
        .arg("+nightly")
        .args(args)
        .env_remove("RUSTUP_TOOLCHAIN")
        .current_dir(workspace::root());
    command
}
