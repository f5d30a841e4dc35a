//! The fuzzer's corpus, replayed without the fuzzer: every input that is known to be worth a look.

#[path = "../../../fuzz/src/lib.rs"]
pub mod targets;

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

fn replay(name: &str, target: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let inputs: Vec<_> = fs::read_dir(&folder)
        .and_then(Iterator::collect)
        .unwrap_or_else(|error| panic!("{} is missing: {error}", folder.display()));
    assert!(inputs.len() >= 5, "{} is incomplete", folder.display());
    for input in inputs {
        let path = input.path();
        let bytes = fs::read(&path)
            .unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()));
        let outcome = catch_unwind(AssertUnwindSafe(|| target(&bytes)));
        assert!(outcome.is_ok(), "{} breaks it", path.display());
    }
}

#[test]
fn decode_client() {
    replay("decode_client", targets::decode_client);
}

#[test]
fn decode_server() {
    replay("decode_server", targets::decode_server);
}

#[test]
fn rtc_content() {
    replay("rtc_content", targets::rtc_content);
}

#[test]
fn group_query() {
    replay("group_query", targets::group_query);
}
