//! `cargo xtask test browser` and `test web`: Skapi's client, ours, and the browser's engine in a real browser,
//! and what this needs.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

use crate::{
    npm::{self, npm},
    shell::{cargo, complain, run, succeeds},
    web, workspace,
};

/// Where the tests are, from the root of the workspace.
const FOLDER: &str = "tests/browser";
/// The variable that names a browser which is not in one of the usual places.
const CHROMIUM: &str = "SKAPI_RTC_CHROMIUM";
const USUAL_PLACES: &[&str] = &[
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];
/// The variable that says where our client for pages is.
const PACKAGE: &str = "SKAPI_RTC_PACKAGE";
/// The variable that says where the tests in Rust are that run in pages.
const WEB_TESTS: &str = "SKAPI_RTC_WEB_TESTS";
/// A test of the program, which has it built.
const PROGRAM_TEST: &str = "words";
/// The oldest Node.js that will do.
const NODE: u32 = 18;

/// Something that is not installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Node,
    Npm,
    Chromium,
}

impl Part {
    const ALL: [Self; 3] = [Self::Node, Self::Npm, Self::Chromium];

    fn is_there(self) -> bool {
        match self {
            Self::Node => node_version().is_some_and(|version| version >= NODE),
            Self::Npm => succeeds(npm(&["--version"])),
            Self::Chromium => chromium().is_some(),
        }
    }

    /// The package of Debian.
    fn package(self) -> &'static str {
        match self {
            Self::Node => "nodejs",
            Self::Npm => "npm",
            Self::Chromium => "chromium",
        }
    }

    fn description(self) -> String {
        match self {
            Self::Node => format!("Node.js {NODE} or later (`node`)"),
            Self::Npm => "npm".to_owned(),
            Self::Chromium => {
                format!("Chromium (at {}, or where {CHROMIUM} says)", USUAL_PLACES[0])
            }
        }
    }
}

/// Whether one of the filters means a scenario. Without filters, all do.
pub(crate) fn is_meant(filters: &[String]) -> Result<bool> {
    if filters.is_empty() {
        return Ok(true);
    }
    let folder = workspace::root().join(FOLDER).join("scenarios");
    for file in fs::read_dir(&folder).with_context(|| format!("{} is missing", folder.display()))? {
        let path = file?.path();
        let is_ours = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("our_");
        if path.file_name().is_some_and(is_ours) {
            continue;
        }
        let text = fs::read_to_string(path)?;
        let mut names = text.lines().filter_map(|line| line.strip_prefix("scenario("));
        if names.any(|name| filters.iter().any(|filter| name.contains(filter.as_str()))) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whose client the scenarios drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// The npm package `skapi-js`.
    Skapi,
    /// Our package for pages, which is built first.
    Ours,
}

/// The command that runs the scenarios; everything that it needs is there afterwards. Otherwise the inner
/// error says what is missing.
pub(crate) fn tests(client: Client, args: &[String]) -> Result<Result<Command, String>> {
    let mut command = match script("run.js", "browser-tests", client)? {
        Ok(command) => command,
        missing => return Ok(missing),
    };
    if client == Client::Ours {
        match web::build_tests() {
            Ok(tests) => drop(command.arg("--ours").env(WEB_TESTS, tests)),
            Err(error) => return Ok(Err(format!("what runs in pages was not built: {error:#}"))),
        }
    }
    command.args(args);
    Ok(Ok(command))
}

/// The command that runs a script of the tests, with a folder of its own for what is seen of failures. With
/// our client, that is built too.
pub(crate) fn script(
    name: &str,
    artefacts: &str,
    client: Client,
) -> Result<Result<Command, String>> {
    let missing = install_missing();
    if !missing.is_empty() {
        let names: Vec<_> = missing.into_iter().map(Part::description).collect();
        return Ok(Err(format!("{} is not installed", names.join(" and "))));
    }
    if let Err(error) = npm::install(FOLDER) {
        return Ok(Err(format!("the packages of {FOLDER} are not installed: {error:#}")));
    }
    let target = workspace::metadata()?.target_directory;
    // As the tests build it, whose features are more than the program's own: nothing is built twice.
    run(cargo(&["test", "--workspace", "--all-features", "--no-run", "--test", PROGRAM_TEST]))?;
    let program = target.join("debug").join(format!("skapi-rtc{}", std::env::consts::EXE_SUFFIX));
    let mut command = Command::new("node");
    command
        .arg(format!("{FOLDER}/{name}"))
        .arg("--artefacts")
        .arg(target.join(artefacts))
        .current_dir(workspace::root())
        .env("SKAPI_RTC_PROGRAM", program);
    if client == Client::Ours {
        match web::build() {
            Ok(package) => drop(command.env(PACKAGE, package)),
            Err(error) => return Ok(Err(format!("our client for pages was not built: {error:#}"))),
        }
    }
    if let Some(path) = chromium() {
        command.env(CHROMIUM, path);
    }
    Ok(Ok(command))
}

/// Installs what can be installed, and gives what is missing all the same.
fn install_missing() -> Vec<Part> {
    let missing = || Part::ALL.into_iter().filter(|part| !part.is_there()).collect::<Vec<_>>();
    let parts = missing();
    if parts.is_empty() || !is_root_on_debian() {
        return parts;
    }
    let mut install = apt_get(&["install", "--yes", "--no-install-recommends"]);
    install.args(parts.iter().map(|part| part.package()));
    if let Err(error) = run(apt_get(&["update"])).and_then(|()| run(install)) {
        complain(&format!("note: {error:#}"));
    }
    missing()
}

fn apt_get(args: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command
}

fn is_root_on_debian() -> bool {
    let user = Command::new("id").arg("-u").output();
    let root = user.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == "0");
    root && Path::new("/etc/debian_version").exists() && succeeds(apt_get(&["--version"]))
}

/// A folder with the page of `examples/browser` and Skapi's client beside it; the inner error says what is
/// missing. Installs nothing: who only wants to see the page need not wait for that.
pub(crate) fn page() -> Result<Result<PathBuf, String>> {
    let client = workspace::root().join(FOLDER).join("node_modules/skapi-js/dist/skapi.js");
    if !client.is_file() {
        let install = format!("`npm ci --ignore-scripts --prefix {FOLDER}` installs it");
        return Ok(Err(format!("Skapi's client is not installed; {install}")));
    }
    let page = workspace::metadata()?.target_directory.join("xtask/page").into_std_path_buf();
    fs::create_dir_all(&page)?;
    let source = workspace::root().join("examples/browser");
    for file in fs::read_dir(&source).with_context(|| format!("{} is missing", source.display()))? {
        let file = file?;
        fs::copy(file.path(), page.join(file.file_name()))?;
    }
    fs::copy(&client, page.join("skapi.js"))?;
    Ok(Ok(page))
}

fn node_version() -> Option<u32> {
    let output = Command::new("node").arg("--version").output().ok()?;
    major(&String::from_utf8_lossy(&output.stdout))
}

/// `v20.11.0` → 20
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn chromium() -> Option<PathBuf> {
    match std::env::var_os(CHROMIUM) {
        Some(path) => Some(PathBuf::from(path)).filter(|path| path.is_file()),
        None => USUAL_PLACES.iter().map(PathBuf::from).find(|path| path.is_file()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node() {
        assert_eq!(major("v20.11.0\n"), Some(20));
        assert_eq!(major("command not found"), None);
    }

    #[test]
    fn filters_mean_scenarios_by_their_names() {
        let meant = |filter: &str| is_meant(&[filter.to_owned()]).unwrap();
        assert!(is_meant(&[]).unwrap());
        assert!(meant("the callee rejects"));
        assert!(!meant("no scenario has this name"));
        assert!(!meant("import"), "only names count");
    }
}
