//! Skapi's realtime and WebRTC API for pages, on our own client: the half that is WebAssembly.
//!
//! `js/skapi.js` is the other half and what a page sees; it is as thin as it can be: the class, which has to
//! be there before the WebAssembly is, where the service is found, and who is signed in. `cargo xtask web`
//! puts both together. On every other target the crate is empty.

#[cfg(target_arch = "wasm32")]
mod calls;
#[cfg(target_arch = "wasm32")]
mod fault;
#[cfg(target_arch = "wasm32")]
mod media;
#[cfg(target_arch = "wasm32")]
mod news;
#[cfg(target_arch = "wasm32")]
mod object;
#[cfg(target_arch = "wasm32")]
mod page_call;
#[cfg(target_arch = "wasm32")]
mod params;
#[cfg(target_arch = "wasm32")]
mod reports;
#[cfg(target_arch = "wasm32")]
mod session;
#[cfg(target_arch = "wasm32")]
mod tokens;

#[cfg(target_arch = "wasm32")]
pub use self::session::{Session, connect, query};
