//! Rules of the house that no compiler checks.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A file that is longer should have been two.
const MAX_LINES: usize = 450;

/// Unbounded channels that are bounded by something else: the file, and by what.
const UNBOUNDED_BUT_BOUNDED: &[(&str, &str)] = &[(
    "crates/backend/src/conformance/rig.rs",
    "lives as long as one test, which makes all that comes in",
)];

/// Folders with workspaces of their own.
const OUTSIDE: &[&str] = &["fuzz/", "tools/"];

/// Where no peer can reach.
const TESTS_AND_BENCHES: &[&str] = &["/tests/", "/benches/"];

struct File {
    /// From the root of the workspace, with `/`.
    path: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Everything that a contributor writes, but for lock files and the fuzzer's inputs.
fn files(extensions: &[&str]) -> Vec<File> {
    let mut found = Vec::new();
    walk(&root(), "", extensions, &mut found);
    assert!(found.len() > 5, "the workspace was not found");
    found
}

fn walk(folder: &Path, prefix: &str, extensions: &[&str], found: &mut Vec<File>) {
    let entries = fs::read_dir(folder).expect("a folder of the workspace can be read");
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let generated = name.starts_with("target")
            || ["node_modules", "corpus", "artifacts", "coverage", ".git"].contains(&name.as_str());
        if generated {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.path().is_dir() {
            walk(&entry.path(), &format!("{path}/"), extensions, found);
        } else if extensions.iter().any(|end| path.ends_with(end)) {
            let text = fs::read_to_string(entry.path()).expect("a text file");
            found.push(File { path, text });
        }
    }
}

/// Fails with all faults at once, each with its place.
fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// The lines that contain one of the words.
fn lines_with(files: &[File], words: &[String], fault: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for File { path, text } in files {
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word.as_str())) {
                faults.push(format!("{path}:{}: {fault}: {}", number + 1, line.trim()));
            }
        }
    }
    faults
}

/// Put together here, so that this file does not contain what it looks for.
fn words(pairs: &[(&str, &str)]) -> Vec<String> {
    pairs.iter().map(|(a, b)| format!("{a}{b}")).collect()
}

#[test]
fn every_file_says_what_it_is() {
    let faults: Vec<_> = files(&[".rs"])
        .iter()
        .filter(|file| !file.text.starts_with("//!") && !file.path.ends_with("/tests.rs"))
        .map(|file| format!("{}: the first line must be `//!` and say what it is", file.path))
        .collect();
    assert_none(&faults);
}

#[test]
fn no_file_is_too_long() {
    let faults: Vec<_> = files(&[".rs", ".js", ".html", ".css"])
        .iter()
        .map(|file| (&file.path, file.text.lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(path, lines)| {
            format!("{path}: {lines} lines, at most {MAX_LINES}: one concept a file")
        })
        .collect();
    assert_none(&faults);
}

#[test]
fn nothing_is_left_for_later() {
    let words = words(&[("todo", "!("), ("unimplemented", "!("), ("FIX", "ME")]);
    assert_none(&lines_with(&files(&[".rs", ".js"]), &words, "left for later"));
}

#[test]
fn nothing_is_left_of_a_merge() {
    let files = files(&[".rs", ".toml", ".md", ".yml", ".json", ".js", ".html", ".css", "run"]);
    let words = words(&[("<<<<", "<<< "), (">>>>", ">>> ")]);
    assert_none(&lines_with(&files, &words, "left of a merge"));
}

#[test]
fn no_path_of_somebodys_machine() {
    let files = files(&[".rs", ".toml", ".md", ".yml", ".json", ".js", ".html", ".css", "run"]);
    let words = words(&[("/wo", "rk/"), ("/ro", "ot/"), ("/ho", "me/"), ("/Use", "rs/")]);
    assert_none(&lines_with(&files, &words, "a path of one machine"));
}

#[test]
fn every_queue_has_a_bound() {
    let exempt = |path: &str| {
        TESTS_AND_BENCHES.iter().any(|part| path.contains(part))
            || UNBOUNDED_BUT_BOUNDED.iter().any(|(file, _)| *file == path)
    };
    let files: Vec<_> = files(&[".rs"]).into_iter().filter(|file| !exempt(&file.path)).collect();
    let words = words(&[
        ("unbounded", "_channel"),
        ("unbounded", "::<"),
        ("unbounded", "()"),
        ("mpsc::", "channel()"),
    ]);
    let fault =
        "an unbounded channel; if something else bounds it, say what in xtask/tests/tidy.rs";
    assert_none(&lines_with(&files, &words, fault));
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let faults: Vec<_> = files(&["Cargo.toml"])
        .iter()
        .filter(|file| file.path.contains('/') && !OUTSIDE.iter().any(|f| file.path.starts_with(f)))
        .filter(|file| !file.text.contains("[lints]\nworkspace = true"))
        .map(|file| format!("{}: `[lints] workspace = true` is missing", file.path))
        .collect();
    assert_none(&faults);
}

/// Examples and benchmarks are programs that talk; what is published is not.
#[test]
fn nothing_is_silenced_for_a_whole_crate() {
    let roots: Vec<_> = files(&["src/lib.rs", "src/main.rs"])
        .into_iter()
        .filter(|file| file.path.starts_with("crates/") || file.path.starts_with("xtask/"))
        .collect();
    let words = words(&[("#![allow", "("), ("#![expect", "(")]);
    assert_none(&lines_with(&roots, &words, "silenced for the whole crate"));
}
