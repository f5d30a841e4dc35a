//! `cargo xtask layers`: which crate may depend on which, and what the pure ones must do without.
//!
//! The picture is in `docs/architecture.md`; this is the table behind it.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};
use cargo_metadata::{Dependency, DependencyKind, Metadata};

use crate::{shell::say, workspace};

/// One kind of crate, and what it may depend on.
struct Layer {
    /// The package's name; a `*` at the end stands for anything.
    package: &'static str,
    /// Packages of ours.
    may: &'static [&'static str],
    /// Packages of ours, as an optional dependency only.
    may_optionally: &'static [&'static str],
    /// Packages of ours in tests, beside those above.
    may_in_tests: &'static [&'static str],
    /// Why not more.
    why: &'static str,
}

const LAYERS: &[Layer] = &[
    Layer {
        package: "skapi-rtc-protocol",
        may: &[],
        may_optionally: &[],
        may_in_tests: &[],
        why: "the wire knows nobody",
    },
    Layer {
        package: "skapi-rtc-signaling",
        may: &["skapi-rtc-protocol"],
        may_optionally: &[],
        may_in_tests: &["skapi-rtc-testkit"],
        why: "the state machine meets engines, sockets and services only above it",
    },
    Layer {
        package: "skapi-rtc-backend",
        may: &["skapi-rtc-protocol"],
        may_optionally: &[],
        may_in_tests: &["skapi-rtc-testkit"],
        why: "the traits of an engine know no engine and no signaling",
    },
    Layer {
        package: "skapi-rtc-backend-*",
        may: &["skapi-rtc-backend", "skapi-rtc-protocol"],
        may_optionally: &[],
        may_in_tests: &["skapi-rtc-testkit"],
        why: "an engine knows the traits, not who drives it and not another engine",
    },
    Layer {
        package: "skapi-rtc-server",
        may: &["skapi-rtc-protocol"],
        may_optionally: &[],
        may_in_tests: &["skapi-rtc-testkit"],
        why: "the service routes what it does not read: calls and engines are its clients' business",
    },
    Layer {
        package: "skapi-rtc",
        may: &["skapi-rtc-protocol", "skapi-rtc-signaling", "skapi-rtc-backend"],
        may_optionally: &["skapi-rtc-backend-*"],
        may_in_tests: &["skapi-rtc-testkit", "skapi-rtc-server", "skapi-rtc-backend-*"],
        why: "engines are optional features, and the service is another program",
    },
    Layer {
        package: "skapi-rtc-cli",
        may: &["skapi-rtc", "skapi-rtc-server", "skapi-rtc-protocol", "skapi-rtc-backend-*"],
        may_optionally: &[],
        may_in_tests: &["skapi-rtc-testkit"],
        why: "the program shows what the facade can do, so it reaches behind it for nothing",
    },
    Layer {
        package: "skapi-rtc-js",
        may: &["skapi-rtc", "skapi-rtc-backend-web"],
        may_optionally: &[],
        may_in_tests: &[],
        why: "the package for pages hands out the facade and the browser's own objects",
    },
    Layer {
        package: "skapi-rtc-web-tests",
        may: &["skapi-rtc", "skapi-rtc-backend", "skapi-rtc-backend-web"],
        may_optionally: &[],
        may_in_tests: &[],
        why: "what is tested in a page is the facade and the browser's engine, as natively",
    },
    Layer {
        package: "skapi-rtc-testkit",
        may: &[
            "skapi-rtc-protocol",
            "skapi-rtc-signaling",
            "skapi-rtc-backend",
            "skapi-rtc-server",
        ],
        may_optionally: &["skapi-rtc-backend-*"],
        may_in_tests: &[],
        why: "what every layer's tests use must not need the facade",
    },
    Layer {
        package: "example-*",
        may: &["skapi-rtc", "skapi-rtc-server", "skapi-rtc-protocol"],
        may_optionally: &[],
        may_in_tests: &[],
        why: "an example uses what a user would add to Cargo.toml",
    },
    Layer {
        package: "example-custom-backend",
        may: &["skapi-rtc-backend", "skapi-rtc", "skapi-rtc-server", "skapi-rtc-protocol"],
        may_optionally: &[],
        may_in_tests: &[],
        why: "an engine of one's own needs the traits, and a call to show it",
    },
    Layer {
        package: "xtask",
        may: &[],
        may_optionally: &[],
        may_in_tests: &[],
        why: "what builds the workspace must build when the workspace does not",
    },
];

/// A crate that knows no I/O, no clock and no randomness, and all that it may use from outside.
struct Pure {
    package: &'static str,
    folder: &'static str,
    dependencies: &'static [&'static str],
}

const PURE: &[Pure] = &[
    Pure {
        package: "skapi-rtc-protocol",
        folder: "crates/protocol/src",
        dependencies: &["serde", "serde_json", "thiserror"],
    },
    Pure {
        package: "skapi-rtc-signaling",
        folder: "crates/signaling/src",
        dependencies: &["serde_json", "thiserror", "tracing"],
    },
];

/// What the source of a pure crate must not name, and why.
const IMPURE: &[(&str, &str)] = &[
    ("Instant::now", "time is an argument"),
    ("SystemTime", "time is an argument"),
    ("std::thread", "it is driven from outside"),
    ("std::net", "it does no I/O"),
    ("std::fs", "it does no I/O"),
    ("std::env", "it does no I/O"),
    ("tokio", "it is driven from outside"),
    ("rand::", "a seed is an argument"),
    ("HashMap", "its order is random, and a run could not be repeated; a `BTreeMap` is ordered"),
    ("HashSet", "its order is random, and a run could not be repeated; a `BTreeSet` is ordered"),
];

pub(crate) fn run() -> Result<()> {
    let metadata = workspace::metadata()?;
    let mut faults = faults_of_edges(&metadata);
    for pure in PURE {
        faults.extend(faults_of_source(&workspace::root().join(pure.folder))?);
    }
    if !faults.is_empty() {
        bail!("the layers do not hold:\n  {}", faults.join("\n  "));
    }
    let count = metadata.workspace_packages().len();
    say(&format!("The layers hold: {count} packages looked at."));
    Ok(())
}

fn faults_of_edges(metadata: &Metadata) -> Vec<String> {
    let packages = metadata.workspace_packages();
    let ours: Vec<&str> = packages.iter().map(|p| p.name.as_str()).collect();
    let mut faults = Vec::new();
    for package in &packages {
        let Some(layer) = layer_of(&package.name) else {
            faults
                .push(format!("{} has no place; give it one in xtask/src/layers.rs", package.name));
            continue;
        };
        let pure = PURE.iter().find(|pure| pure.package == layer.package);
        for edge in &package.dependencies {
            let fault = if ours.contains(&edge.name.as_str()) {
                fault_of_edge(layer, edge)
            } else {
                pure.and_then(|pure| fault_of_outside(pure, edge))
            };
            faults.extend(fault.map(|why| format!("{} → {}: {why}", package.name, edge.name)));
        }
    }
    faults
}

/// The most exact layer: a name goes before a pattern.
fn layer_of(package: &str) -> Option<&'static Layer> {
    let exact = LAYERS.iter().find(|layer| layer.package == package);
    exact.or_else(|| LAYERS.iter().find(|layer| matches(layer.package, package)))
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

fn fault_of_edge(layer: &Layer, edge: &Dependency) -> Option<String> {
    let any = |patterns: &[&str]| patterns.iter().any(|pattern| matches(pattern, &edge.name));
    let allowed = any(layer.may)
        || edge.kind == DependencyKind::Development && any(layer.may_in_tests)
        || edge.optional && any(layer.may_optionally);
    if allowed {
        None
    } else if any(layer.may_optionally) {
        Some(format!("it has to be optional ({})", layer.why))
    } else if any(layer.may_in_tests) {
        Some(format!("in tests only ({})", layer.why))
    } else {
        Some(layer.why.to_owned())
    }
}

fn fault_of_outside(pure: &Pure, edge: &Dependency) -> Option<String> {
    let fine =
        edge.kind == DependencyKind::Development || pure.dependencies.contains(&edge.name.as_str());
    (!fine).then(|| {
        format!(
            "a crate without I/O, clock and randomness needs only {}",
            pure.dependencies.join(", ")
        )
    })
}

fn faults_of_source(folder: &Path) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            faults.extend(faults_of_source(&path)?);
            continue;
        }
        let text = fs::read_to_string(&path)?;
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for (word, why) in IMPURE {
                if code.contains(word) {
                    let path = path.display();
                    faults.push(format!("{path}:{}: `{word}`: {why}", number + 1));
                }
            }
        }
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layers_hold() {
        run().unwrap();
    }

    fn edge(package: &str, on: &str, kind: DependencyKind, optional: bool) -> Option<String> {
        let metadata = workspace::metadata().unwrap();
        let packages = metadata.workspace_packages();
        let mut edge =
            packages.iter().find_map(|package| package.dependencies.first()).unwrap().clone();
        edge.name = on.to_owned();
        edge.kind = kind;
        edge.optional = optional;
        fault_of_edge(layer_of(package).unwrap(), &edge)
    }

    #[test]
    fn an_edge_in_the_wrong_direction_is_refused() {
        use DependencyKind::{Development, Normal};

        for (package, on) in [
            ("skapi-rtc-protocol", "skapi-rtc-signaling"),
            ("skapi-rtc-signaling", "skapi-rtc-backend"),
            ("skapi-rtc-backend", "skapi-rtc-signaling"),
            ("skapi-rtc-backend-webrtc", "skapi-rtc-signaling"),
            ("skapi-rtc-backend-webrtc", "skapi-rtc-backend-str0m"),
            ("skapi-rtc-server", "skapi-rtc-signaling"),
            ("skapi-rtc-server", "skapi-rtc-backend"),
            ("skapi-rtc", "skapi-rtc-server"),
            ("skapi-rtc", "skapi-rtc-backend-webrtc"),
            ("skapi-rtc-cli", "skapi-rtc-signaling"),
            ("skapi-rtc-signaling", "skapi-rtc-testkit"),
            ("xtask", "skapi-rtc"),
        ] {
            assert!(edge(package, on, Normal, false).is_some(), "{package} → {on}");
        }
        assert!(edge("skapi-rtc", "skapi-rtc-backend-webrtc", Normal, true).is_none());
        assert!(edge("skapi-rtc", "skapi-rtc-server", Development, false).is_none());
        assert!(edge("skapi-rtc-backend-str0m", "skapi-rtc-backend", Normal, false).is_none());
        assert!(edge("skapi-rtc-signaling", "skapi-rtc-testkit", Development, false).is_none());
        assert!(layer_of("skapi-rtc-backend-web").unwrap().package.ends_with('*'));
        assert!(layer_of("something-else").is_none());
    }
}
