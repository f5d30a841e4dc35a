//! `cargo xtask matrix`: calls between every two engines, and the table of them in `docs/engines.md`.
//!
//! What a call is made of is in `tests/browser/matrix`; `cargo xtask test` makes the same calls.

use std::{fs, process::Command};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{
    browser::{self, Client},
    shell::{say, watch},
    workspace,
};

/// The ends of the calls: engines of the program, our client in a page, Skapi's client in a page.
const ENDS: [&str; 4] = ["webrtc", "str0m", "web", "skapi-js"];
const DOCUMENT: &str = "docs/engines.md";
const BEGIN: &str = "<!-- matrix:begin, written by `cargo xtask matrix` -->\n";
const END: &str = "<!-- matrix:end -->\n";
/// Where the browser's engine says what it can; it cannot be asked outside of a browser.
const WEB_ENGINE: &str = "crates/backend-web/src/backend.rs";

/// What engines say of themselves, in the names of `Capabilities`, and how people call it.
const ABILITIES: &[(&str, &str)] = &[
    ("media", "audio and video, as frames or packets in Rust"),
    ("ice_restart", "ICE restart"),
    ("turn_udp", "TURN over UDP"),
    ("turn_tcp", "TURN over TCP"),
    ("turn_tls", "TURN over TLS"),
    ("ice_tcp", "ICE over TCP"),
    ("mdns", "`.local` addresses of browsers are resolved"),
    ("incoming_reliability", "the reliability of channels that the peer opened is told"),
    ("empty_messages", "empty messages can be sent"),
    ("round_trip_time", "the round trip of the selected pair is measured"),
    ("back_pressure", "a peer that does not read holds the sender"),
];

/// Runs all of it and writes the table.
pub(crate) fn run() -> Result<()> {
    let out = workspace::metadata()?.target_directory.join("matrix.json");
    let command = command(&["--out".to_owned(), out.to_string()])?;
    let passed = watch(command.map_err(anyhow::Error::msg)?, |_| {})?;
    let text = fs::read_to_string(&out).with_context(|| format!("there is no {out}"))?;
    let results: Value = serde_json::from_str(&text)?;
    let section = section(&results, &read(WEB_ENGINE)?)?;
    say(&section);
    if !passed {
        bail!("calls failed, so {DOCUMENT} stays as it is");
    }
    let document = read(DOCUMENT)?;
    let (before, _, after) = split(&document)?;
    fs::write(workspace::root().join(DOCUMENT), format!("{before}{BEGIN}{section}{END}{after}"))?;
    say(&format!("{DOCUMENT} is up to date"));
    Ok(())
}

/// The command that makes the calls; the inner error says what is missing.
pub(crate) fn command(args: &[String]) -> Result<Result<Command, String>> {
    let mut command = browser::script("matrix.js", "matrix", Client::Ours)?;
    if let Ok(command) = &mut command {
        command.arg("--ends").arg(ENDS.join(",")).args(args);
    }
    Ok(command)
}

/// Whether one of the filters means a call between engines. Without filters, all do.
pub(crate) fn is_meant(filters: &[String]) -> bool {
    let meant = |name: &str| filters.iter().any(|filter| name.contains(filter.as_str()));
    let mut names = ENDS.iter().flat_map(|caller| ENDS.map(|callee| cell_name(caller, callee)));
    filters.is_empty() || names.any(|name| meant(&name))
}

/// As `tests/browser/matrix.js` calls it.
fn cell_name(caller: &str, callee: &str) -> String {
    format!("matrix: {caller} → {callee}")
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(workspace::root().join(path)).with_context(|| format!("{path} is missing"))
}

/// What is before the marked section, in it, and after it.
fn split(document: &str) -> Result<(&str, &str, &str)> {
    let parts = document.split_once(BEGIN).and_then(|(before, rest)| {
        let (section, after) = rest.split_once(END)?;
        Some((before, section, after))
    });
    parts.with_context(|| format!("{DOCUMENT} has no marked section for the table"))
}

fn section(results: &Value, web_engine: &str) -> Result<String> {
    let version = |name: &str| results["versions"][name].as_str().unwrap_or("unknown");
    let mut text = format!(
        "Measured with {}, {} and skapi-js {} in Chromium {}.\n\n",
        locked("webrtc")?,
        locked("str0m")?,
        version("skapi-js"),
        version("chromium"),
    );
    text.push_str(&row("from ↓ to →", &ENDS.map(|end| format!("`{end}`"))));
    text.push_str(&row("---", &ENDS.map(|_| "---".to_owned())));
    let cells = results["cells"].as_array().context("there are no cells")?;
    for caller in ENDS {
        let across = ENDS.map(|callee| {
            let found =
                cells.iter().find(|cell| cell["caller"] == caller && cell["callee"] == callee);
            found.map_or_else(
                || "not run".to_owned(),
                |cell| format!("data {}, media {}", mark(&cell["data"]), mark(&cell["media"])),
            )
        });
        text.push_str(&row(&format!("`{caller}`"), &across));
    }
    text.push('\n');
    let engines = ["webrtc", "str0m", "web"];
    text.push_str(&row("", &engines.map(|engine| format!("`{engine}`"))));
    text.push_str(&row("---", &engines.map(|_| "---".to_owned())));
    for (ability, name) in ABILITIES {
        let across = engines.map(|engine| match engine {
            "web" => Ok(web_engine.contains(&format!("capabilities.{ability} = true;"))),
            engine => results["engines"][engine][ability]
                .as_bool()
                .with_context(|| format!("{engine} does not say whether it has {ability}")),
        });
        let [one, two, three] = across;
        let words = [one?, two?, three?].map(|has| if has { "✓" } else { "–" }.to_owned());
        text.push_str(&row(name, &words));
    }
    Ok(text)
}

fn row(first: &str, rest: &[String]) -> String {
    format!("| {first} | {} |\n", rest.join(" | "))
}

/// `yes`, or why not, in a table.
fn mark(outcome: &Value) -> String {
    match outcome.as_str().unwrap_or("unknown") {
        "yes" => "✓".to_owned(),
        why => format!("– ({})", why.replace('|', "/")),
    }
}

/// The name and version of a package, as the lock file has it.
fn locked(package: &str) -> Result<String> {
    let lock = read("Cargo.lock")?;
    let version = lock
        .split_once(&format!("name = \"{package}\"\nversion = \""))
        .and_then(|(_, rest)| rest.split_once('"'));
    let (version, _) = version.with_context(|| format!("{package} is not in Cargo.lock"))?;
    Ok(format!("{package} {version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_table_is_of_the_versions_in_use() {
        let document = read(DOCUMENT).unwrap();
        let (before, section, _) = split(&document).unwrap();
        let manifest: Value =
            serde_json::from_str(&read("tests/browser/package.json").unwrap()).unwrap();
        let skapi = manifest["devDependencies"]["skapi-js"].as_str().unwrap();
        for wanted in
            [locked("webrtc").unwrap(), locked("str0m").unwrap(), format!("skapi-js {skapi} in")]
        {
            assert!(section.contains(&wanted), "not of {wanted}: run `cargo xtask matrix`");
        }
        for package in ["webrtc", "str0m"] {
            let wanted = locked(package).unwrap().replace(' ', "` ");
            assert!(before.contains(&format!("`{wanted}")), "{DOCUMENT} is not about {wanted}");
        }
        assert!(!section.contains("not run") && !section.contains("failed"), "{section}");
    }

    #[test]
    fn the_browsers_engine_is_read_where_it_says_what_it_can() {
        let source = read(WEB_ENGINE).unwrap();
        assert!(source.contains("capabilities.ice_restart = true;"), "it says so elsewhere now");
    }

    #[test]
    fn filters_mean_calls_by_the_names_of_their_ends() {
        let meant = |filter: &str| is_meant(&[filter.to_owned()]);
        assert!(is_meant(&[]));
        assert!(meant("matrix") && meant("web → skapi-js"));
        assert!(!meant("the callee rejects"));
        let script = read("tests/browser/matrix.js").unwrap();
        assert!(script.contains("`matrix: ${caller.name} → ${callee.name}`"));
    }

    #[test]
    fn the_table_has_a_cell_for_every_pair() {
        let mut cells = Vec::new();
        for caller in ENDS {
            for callee in ENDS {
                let media = if callee == "str0m" { "no: str0m" } else { "yes" };
                cells.push(serde_json::json!({
                    "caller": caller, "callee": callee, "data": "yes", "media": media,
                }));
            }
        }
        let can: serde_json::Map<_, _> =
            ABILITIES.iter().map(|(ability, _)| ((*ability).to_owned(), true.into())).collect();
        let results = serde_json::json!({
            "versions": { "skapi-js": "1", "chromium": "2" },
            "engines": { "webrtc": can, "str0m": can },
            "cells": cells,
        });
        let text = section(&results, "capabilities.mdns = true;").unwrap();
        assert_eq!(text.matches("data ✓").count(), 16);
        assert_eq!(text.matches("media – (no: str0m)").count(), 4);
        assert!(text.contains("| ICE restart | ✓ | ✓ | – |"), "{text}");
    }
}
