//! `cargo xtask bench`: the benchmarks of the workspace.

use anyhow::{Result, bail};

use crate::{
    npm,
    shell::{cargo, complain, run as run_command},
    workspace,
};

/// The benchmark that has Google's libwebrtc beside our engines, and where that is installed.
const WITH_LIBWEBRTC: (&str, &str) = ("rtc", "crates/skapi-rtc/benches/rtc/libwebrtc");

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (flags, names): (Vec<_>, Vec<_>) =
        arguments.iter().map(String::as_str).partition(|argument| argument.starts_with("--"));
    let metadata = workspace::metadata()?;
    let packages = metadata.workspace_packages();
    let benches: Vec<(&str, &str)> = packages
        .iter()
        .flat_map(|package| {
            let benches = package.targets.iter().filter(|target| target.is_bench());
            benches.map(|bench| (package.name.as_str(), bench.name.as_str()))
        })
        .collect();
    if benches.is_empty() {
        bail!("the workspace has no benchmarks");
    }
    if let Some(name) = names.iter().find(|name| !benches.iter().any(|(_, bench)| bench == *name)) {
        let known: Vec<_> = benches.iter().map(|(_, bench)| *bench).collect();
        bail!("there is no benchmark `{name}`; there are: {}", known.join(", "));
    }
    for (package, bench) in benches {
        if !names.is_empty() && !names.contains(&bench) {
            continue;
        }
        if bench == WITH_LIBWEBRTC.0
            && let Err(error) = npm::install(WITH_LIBWEBRTC.1)
        {
            complain(&format!("note: libwebrtc cannot be installed: {error:#}"));
        }
        let mut command =
            cargo(&["bench", "--all-features", "-p", package, "--bench", bench, "--"]);
        command.args(flags.iter().filter(|flag| **flag != "--"));
        run_command(command)?;
    }
    Ok(())
}
