//! Tasks, time and chance: the one place that knows what drives the crate, tokio or a browser's page.

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod web;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use self::native::{Clock, Ticker, is_running, random_seed, spawn, within};
#[cfg(target_arch = "wasm32")]
pub(crate) use self::web::{Clock, Ticker, is_running, random_seed, spawn, within};
