//! `cargo xtask web`: the package for pages, in `target/web/pkg`, and the page on it, in `target/web/page`.

mod page;
mod sysroot;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    shell::{cargo, output, run as run_command, say, succeeds},
    workspace,
};
pub(crate) use page::page;
use sysroot::Sysroot;

const TARGET: &str = "wasm32-unknown-unknown";
/// What a page may have to load at most, compressed.
const MAX_GZIPPED: u64 = 250 * 1024;
/// The packages that have a part for pages.
const PACKAGES: [&str; 4] =
    ["skapi-rtc", "skapi-rtc-backend-web", "skapi-rtc-js", "skapi-rtc-web-tests"];
/// The name under which the generator of bindings writes.
const MODULE: &str = "skapi_rtc";

pub(crate) fn run() -> Result<()> {
    let package = build()?;
    say(&format!(
        "{}: {:.1} KiB gzipped",
        shown(&package),
        gzipped_size(&package)? as f64 / 1024.0
    ));
    say(&format!(
        "{}: the page on it, for `skapi-rtc serve --web`",
        shown(&page::assemble(&package)?)
    ));
    Ok(())
}

fn shown(path: &Path) -> String {
    path.strip_prefix(workspace::root()).unwrap_or(path).display().to_string()
}

/// Builds the package and gives its folder. One that is too large is no package.
pub(crate) fn build() -> Result<PathBuf> {
    let work = target_folder()?.join("web");
    let args = ["build", "--package", "skapi-rtc-js", "--lib", "--profile", "wasm"];
    run_command(for_pages(&work, &args)?)?;
    let package = work.join("pkg");
    if package.exists() {
        fs::remove_dir_all(&package)?;
    }
    let module = target_folder()?.join(TARGET).join("wasm").join("skapi_rtc_js.wasm");
    let mut bindings = bindgen()?;
    bindings.arg(module).arg(&package);
    run_command(bindings)?;
    optimise(&package.join(format!("{MODULE}_bg.wasm")))?;
    let glue = package.join(format!("{MODULE}.js"));
    fs::write(&glue, without_comments(&fs::read_to_string(&glue)?))?;
    write_scripts(&package)?;
    let size = gzipped_size(&package)?;
    if size > MAX_GZIPPED {
        bail!("the package has {size} bytes gzipped, at most {MAX_GZIPPED} are allowed");
    }
    Ok(package)
}

/// Builds what tests do in a page, as quick to build as tests are natively, and gives the folder of it.
pub(crate) fn build_tests() -> Result<PathBuf> {
    let work = target_folder()?.join("web");
    run_command(for_pages(&work, &["build", "--package", "skapi-rtc-web-tests", "--lib"])?)?;
    let package = work.join("tests");
    let module = target_folder()?.join(TARGET).join("debug").join("skapi_rtc_web_tests.wasm");
    let mut bindings = bindgen()?;
    bindings.arg("--names").arg(module).arg(&package);
    run_command(bindings)?;
    // The runner of the tests asks the module for its list, outside of any page.
    fs::write(package.join("package.json"), "{ \"type\": \"module\" }\n")?;
    Ok(package)
}

/// Lints what runs in pages, as it is compiled for them: most of it is empty elsewhere.
pub(crate) fn clippy() -> Result<()> {
    let mut command = for_pages(&target_folder()?.join("web"), &["clippy", "--lib"])?;
    for package in PACKAGES {
        command.args(["--package", package]);
    }
    command.args(["--", "-D", "warnings"]);
    run_command(command)
}

/// A command of cargo for pages. The standard library for them is there afterwards.
fn for_pages(work: &Path, args: &[&str]) -> Result<Command> {
    let sysroot = Sysroot::find_or_build(work)?;
    let (command, rest) = args.split_first().context("a command of cargo")?;
    let mut command = cargo(&[command, "--target", TARGET]);
    command.args(rest);
    sysroot.apply(&mut command);
    Ok(command)
}

/// The files that a page loads, each compressed by itself, as a server does it.
fn gzipped_size(package: &Path) -> Result<u64> {
    let mut sum = 0;
    for name in [format!("{MODULE}.js"), format!("{MODULE}_bg.wasm"), "skapi-rtc.js".to_owned()] {
        sum += gzipped(&package.join(name))?;
    }
    Ok(sum)
}

fn gzipped(file: &Path) -> Result<u64> {
    let mut measure = bindgen()?;
    measure.arg("--gzip").arg(file);
    output(measure)?.trim().parse().with_context(|| format!("the size of {}", file.display()))
}

/// The class that pages see, as a script that defines `Skapi` and as a module that exports it.
fn write_scripts(package: &Path) -> Result<()> {
    let source = workspace::root().join("crates/skapi-rtc-js/js");
    let class = without_comments(&fs::read_to_string(source.join("skapi.js"))?);
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

/// A script without its documentation and the lines that are comments: pages would load them, and nobody reads
/// them there.
fn without_comments(script: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for line in script.lines() {
        let begins = line.trim_start();
        inside |= begins.starts_with("/**");
        if !inside && !begins.starts_with("//") {
            text.push_str(line);
            text.push('\n');
        }
        inside &= !line.trim_end().ends_with("*/");
    }
    text
}

/// Makes the module smaller where the tool for that is installed. What counts is the compressed size, which a
/// module of fewer bytes does not always have.
fn optimise(module: &Path) -> Result<()> {
    let wasm_opt = || Command::new("wasm-opt");
    let mut version = wasm_opt();
    version.arg("--version");
    if !succeeds(version) {
        return Ok(());
    }
    let smaller = module.with_extension("optimised.wasm");
    let mut shrink = wasm_opt();
    shrink.arg("-Oz").arg("--all-features").arg(module).arg("-o").arg(&smaller);
    run_command(shrink)?;
    if gzipped(&smaller)? < gzipped(module)? {
        fs::rename(&smaller, module)?;
    } else {
        fs::remove_file(&smaller)?;
    }
    Ok(())
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

    #[test]
    fn comments_are_left_out_and_nothing_else() {
        let script = "// Zero.\n/** One. */\nlet a;\n  /**\n   * Two.\n   */\n  let b; // b\n";
        assert_eq!(without_comments(script), "let a;\n  let b; // b\n");
    }
}
