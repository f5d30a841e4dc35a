//! `cargo xtask web`: the package for pages, in `target/web/pkg`.

mod sysroot;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    shell::{cargo, complain, output, run as run_command, say, succeeds},
    workspace,
};
use sysroot::Sysroot;

const TARGET: &str = "wasm32-unknown-unknown";
/// What a page may have to load at most, compressed.
const MAX_GZIPPED: u64 = 250 * 1024;
/// The name under which the generator of bindings writes.
const MODULE: &str = "skapi_rtc";

pub(crate) fn run() -> Result<()> {
    let package = build()?;
    let shown = package.strip_prefix(workspace::root()).unwrap_or(&package).display().to_string();
    say(&format!("{shown}: {:.1} KiB gzipped", gzipped_size(&package)? as f64 / 1024.0));
    Ok(())
}

/// Builds the package and gives its folder. One that is too large is no package.
pub(crate) fn build() -> Result<PathBuf> {
    let work = target_folder()?.join("web");
    let sysroot = Sysroot::find_or_build(&work)?;
    let args =
        ["build", "--package", "skapi-rtc-js", "--lib", "--profile", "wasm", "--target", TARGET];
    let mut build = cargo(&args);
    sysroot.apply(&mut build);
    run_command(build)?;
    let package = work.join("pkg");
    if package.exists() {
        fs::remove_dir_all(&package)?;
    }
    let module = target_folder()?.join(TARGET).join("wasm").join("skapi_rtc_js.wasm");
    let mut bindings = bindgen()?;
    bindings.arg(module).arg(&package);
    run_command(bindings)?;
    optimise(&package.join(format!("{MODULE}_bg.wasm")))?;
    write_scripts(&package)?;
    let size = gzipped_size(&package)?;
    if size > MAX_GZIPPED {
        bail!("the package has {size} bytes gzipped, at most {MAX_GZIPPED} are allowed");
    }
    Ok(package)
}

/// The files that a page loads, each compressed by itself, as a server does it.
fn gzipped_size(package: &Path) -> Result<u64> {
    let mut sum = 0;
    for name in [format!("{MODULE}.js"), format!("{MODULE}_bg.wasm"), "skapi-rtc.js".to_owned()] {
        let mut measure = bindgen()?;
        measure.arg("--gzip").arg(package.join(&name));
        let size = output(measure)?;
        sum += size.trim().parse::<u64>().with_context(|| format!("the size of {name}"))?;
    }
    Ok(sum)
}

/// The class that pages see, as a script that defines `Skapi` and as a module that exports it.
fn write_scripts(package: &Path) -> Result<()> {
    let source = workspace::root().join("crates/skapi-rtc-js/js");
    let class = fs::read_to_string(source.join("skapi.js"))?;
    let script = format!(
        "(() => {{\nconst HERE = document.currentScript.src;\n{class}\n\
         Object.assign(globalThis, {{ Skapi, SkapiError }});\n}})();\n"
    );
    let module = format!(
        "const HERE = import.meta.url;\n{class}\nexport {{ Skapi, SkapiError, connect }};\n"
    );
    fs::write(package.join("skapi-rtc.js"), script)?;
    fs::write(package.join("skapi-rtc.mjs"), module)?;
    for name in ["skapi-rtc.d.ts", "package.json"] {
        fs::copy(source.join(name), package.join(name))?;
    }
    Ok(())
}

/// Makes the module smaller where the tool for that is installed.
fn optimise(module: &Path) -> Result<()> {
    let wasm_opt = || Command::new("wasm-opt");
    let mut version = wasm_opt();
    version.arg("--version");
    if !succeeds(version) {
        complain("note: wasm-opt is not installed, so the package is larger than it could be");
        return Ok(());
    }
    let mut shrink = wasm_opt();
    shrink.arg("-Oz").arg("--all-features").arg(module).arg("-o").arg(module);
    run_command(shrink)
}

/// The generator of bindings: a program of its own, because nobody who only tests should have to build it.
fn bindgen() -> Result<Command> {
    let folder = target_folder()?.join("web").join("bindgen");
    let manifest = workspace::root().join("tools/bindgen/Cargo.toml");
    let mut command = cargo(&["run", "--quiet", "--manifest-path"]);
    command.arg(manifest).arg("--target-dir").arg(folder).arg("--");
    Ok(command)
}

fn target_folder() -> Result<PathBuf> {
    Ok(workspace::metadata()?.target_directory.into_std_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The generator only takes modules of its own version.
    #[test]
    fn both_halves_of_the_bindings_have_one_version() {
        let version = |file: &str, name: &str| {
            let text = fs::read_to_string(workspace::root().join(file)).unwrap();
            let line = text.lines().find(|line| line.starts_with(&format!("{name} = ")));
            line.and_then(|line| line.split('"').nth(1)).map(str::to_owned).unwrap()
        };
        let ours = version("Cargo.toml", "wasm-bindgen");
        assert!(ours.starts_with('='), "{ours} is not exact");
        assert_eq!(version("tools/bindgen/Cargo.toml", "wasm-bindgen-cli-support"), ours);
    }
}
