//! What the service can answer is in `docs/protocol.md`, to the last code.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a text file of the workspace")
}

fn sources(folder: &Path, found: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "tests" {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") && name != "tests.rs" {
            found.push_str(&read(&path));
        }
    }
}

/// Codes for programs are the strings in capitals, of two words at least.
fn codes(source: &str) -> BTreeSet<&str> {
    let strings = source.split('"').skip(1);
    let is_code = |text: &&str| {
        text.contains('_') && text.bytes().all(|byte| byte == b'_' || byte.is_ascii_uppercase())
    };
    strings.filter(is_code).filter(|text| !text.starts_with("CARGO_")).collect()
}

#[test]
fn every_code_of_the_service_is_documented() {
    let document = read(&root().join("docs/protocol.md"));
    let mut source = String::new();
    sources(&root().join("crates/server/src"), &mut source);
    let codes = codes(&source);
    assert!(codes.contains("TOKEN_EXPIRED"), "found: {codes:?}");
    let missing: Vec<_> =
        codes.into_iter().filter(|code| !document.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "not in docs/protocol.md: {missing:?}");
}

#[test]
fn every_close_code_is_documented() {
    let document = read(&root().join("docs/protocol.md"));
    let source = read(&root().join("crates/server/src/socket/close.rs"));
    let codes: Vec<_> = source
        .lines()
        .filter_map(|line| line.trim().strip_suffix(',')?.split_once("=> "))
        .map(|(_, code)| code)
        .filter(|code| code.len() == 4 && code.bytes().all(|byte| byte.is_ascii_digit()))
        .collect();
    assert!(codes.contains(&"1001"), "found: {codes:?}");
    for code in codes {
        assert!(
            document.contains(&format!("\n| {code} |")),
            "close code {code} is not in docs/protocol.md"
        );
    }
}
