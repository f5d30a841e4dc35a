//! Time and tasks, the things that the suite takes from the platform: tokio's, or in a browser the page's.

use std::{future::Future, time::Duration};

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod web;

#[cfg(not(target_arch = "wasm32"))]
use self::native::sleep;
#[cfg(not(target_arch = "wasm32"))]
pub(super) use self::native::{alive_tasks, spawn, within};
#[cfg(target_arch = "wasm32")]
use self::web::sleep;
#[cfg(target_arch = "wasm32")]
pub(super) use self::web::{alive_tasks, spawn, within};
use super::{Failure, Rig};

impl Rig {
    /// Waits for what should happen at once.
    pub(super) async fn soon<T>(
        &self,
        what: &str,
        future: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        match within(self.patience, future).await {
            Some(value) => Ok(value),
            None => Err(Failure::new(format!("waited {:?} in vain: {what}", self.patience))),
        }
    }

    /// Looks again and again until something holds that no event tells.
    pub(super) async fn until(
        &self,
        what: &str,
        mut holds: impl FnMut() -> bool,
    ) -> Result<(), Failure> {
        const PAUSE: Duration = Duration::from_millis(5);
        self.soon(what, async {
            while !holds() {
                sleep(PAUSE).await;
            }
        })
        .await
    }
}
