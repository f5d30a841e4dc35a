//! The standard library for pages: installed, installed now, or built from its sources.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::TARGET;
use crate::{
    shell::{cargo, complain, output, run as run_command},
    workspace,
};

/// Names the sources: the folder `library` of the compiler's own version, or an archive that holds it.
const SOURCES: &str = "RUST_STD_SRC";

/// Where the standard library is.
pub(super) enum Sysroot {
    /// With the compiler.
    Installed,
    /// In a folder of ours.
    Built(PathBuf),
}

impl Sysroot {
    /// Finds it; where it is not, installs it, or builds it once for this compiler.
    pub(super) fn find_or_build(work: &Path) -> Result<Self> {
        if is_installed()? {
            return Ok(Self::Installed);
        }
        let version = compiler_version()?;
        let built = work.join(format!("sysroot-{version}"));
        if built.exists() {
            return Ok(Self::Built(built));
        }
        // Whoever names sources wants those.
        if env::var_os(SOURCES).is_none() {
            let mut install = Command::new("rustup");
            install.args(["target", "add", TARGET]);
            if run_command(install).is_ok() && is_installed()? {
                return Ok(Self::Installed);
            }
        }
        let Some(sources) = sources(work, &version)? else {
            bail!(
                "the target {TARGET} is not installed and cannot be: run `rustup target add {TARGET}`, or let \
                 {SOURCES} name the folder `library` of the sources of Rust {version}"
            );
        };
        build(&sources, work, &built)?;
        Ok(Self::Built(built))
    }

    /// Lets a cargo command use it.
    pub(super) fn apply(&self, command: &mut Command) {
        if let Self::Built(folder) = self {
            let mut flags = std::ffi::OsString::from("--sysroot ");
            flags.push(folder);
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flags);
        }
    }
}

fn is_installed() -> Result<bool> {
    let mut ask = rustc();
    ask.args(["--print", "target-libdir", "--target", TARGET]);
    Ok(Path::new(output(ask)?.trim()).exists())
}

fn compiler_version() -> Result<String> {
    let mut ask = rustc();
    ask.arg("--version");
    let said = output(ask)?;
    said.split(' ').nth(1).map(str::to_owned).with_context(|| format!("rustc says {said:?}"))
}

/// The folder `library` of the compiler's sources, unpacked if need be.
fn sources(work: &Path, version: &str) -> Result<Option<PathBuf>> {
    let mut ask = rustc();
    ask.args(["--print", "sysroot"]);
    let with_compiler = Path::new(output(ask)?.trim()).join("lib/rustlib/src/rust/library");
    let archive = format!("../shared/toolchain/rust-{version}-library-src.tar.xz");
    let named = env::var_os(SOURCES).map(PathBuf::from);
    let places = named.into_iter().chain([with_compiler, workspace::root().join(archive)]);
    for place in places {
        let folder = if place.is_file() { unpacked(&place, work, version)? } else { place };
        for folder in [folder.join("library"), folder] {
            if folder.join("sysroot/Cargo.toml").is_file() {
                return Ok(Some(folder));
            }
        }
    }
    Ok(None)
}

fn unpacked(archive: &Path, work: &Path, version: &str) -> Result<PathBuf> {
    let folder = work.join(format!("std-{version}"));
    if !folder.exists() {
        // Half unpacked is not unpacked.
        let begun = work.join("std-unpacking");
        fs::create_dir_all(&begun)?;
        let mut unpack = Command::new("tar");
        unpack.arg("-xf").arg(archive).arg("-C").arg(&begun);
        run_command(unpack)?;
        fs::rename(begun, &folder)?;
    }
    Ok(folder)
}

/// Builds the standard library by the compiler that is here, which takes half a minute.
fn build(sources: &Path, work: &Path, sysroot: &Path) -> Result<()> {
    complain("building the standard library for pages, once for this compiler");
    let out = work.join("std-build");
    // Small code is what a page wants.
    let args = ["build", "--release", "--target", TARGET, "--features", "optimize_for_size"];
    let mut command = cargo(&args);
    command
        .arg("--manifest-path")
        .arg(sources.join("sysroot/Cargo.toml"))
        .arg("--target-dir")
        .arg(&out)
        // Its own sources use what is not stable, and the compiler has to be told that this is the library.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Zforce-unstable-if-unmarked -Cembed-bitcode=yes");
    run_command(command)?;
    let begun = work.join("sysroot-unfinished");
    let libraries = begun.join("lib/rustlib").join(TARGET).join("lib");
    fs::create_dir_all(&libraries)?;
    for file in fs::read_dir(out.join(TARGET).join("release/deps"))? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "rlib") {
            fs::copy(&path, libraries.join(path.file_name().context("a file has a name")?))?;
        }
    }
    fs::rename(begun, sysroot)?;
    Ok(())
}

/// The compiler that cargo uses in the workspace.
fn rustc() -> Command {
    let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.current_dir(workspace::root());
    command
}
