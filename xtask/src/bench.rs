//! `cargo xtask bench`: the benchmarks of the workspace.

use anyhow::{Result, bail};

use crate::{
    shell::{cargo, run as run_command},
    workspace,
};

pub(crate) fn run(names: &[String]) -> Result<()> {
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
    if let Some(name) = names.iter().find(|name| !benches.iter().any(|(_, bench)| bench == name)) {
        let known: Vec<_> = benches.iter().map(|(_, bench)| *bench).collect();
        bail!("there is no benchmark `{name}`; there are: {}", known.join(", "));
    }
    for (package, bench) in benches {
        if names.is_empty() || names.iter().any(|name| name == bench) {
            let args = ["bench", "--all-features", "-p", package, "--bench", bench];
            run_command(cargo(&args))?;
        }
    }
    Ok(())
}
