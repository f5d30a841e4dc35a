//! What runs in a browser's page to test skapi-rtc there; `tests/browser` calls it.
//!
//! `cargo xtask test web` builds it as WebAssembly. On every other target the crate is empty.

#[cfg(target_arch = "wasm32")]
mod client;
#[cfg(target_arch = "wasm32")]
mod conformance;

#[cfg(target_arch = "wasm32")]
pub use self::{
    client::{Client, Talk, camera, connect_client, devices, screen},
    conformance::{checks, run_check},
};

/// A panic becomes an error of the page, which says what was wrong.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen::prelude::wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(|panic| wasm_bindgen::throw_str(&panic.to_string())));
}
