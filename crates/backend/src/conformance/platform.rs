//! Time and tasks, the two things that the suite takes from the platform.

use std::{future::Future, time::Duration};

use super::{Failure, Rig};
use crate::MaybeSend;

impl Rig {
    /// Waits for what should happen at once.
    pub(super) async fn soon<T>(
        &self,
        what: &str,
        future: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(self.patience, future).await {
            Ok(value) => Ok(value),
            Err(_) => Err(Failure::new(format!("waited {:?} in vain: {what}", self.patience))),
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
                tokio::time::sleep(PAUSE).await;
            }
        })
        .await
    }
}

/// What a future gives within a time, for what need not happen at all.
pub(super) async fn within<T>(time: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(time, future).await.ok()
}

pub(super) fn spawn(future: impl Future<Output = ()> + MaybeSend + 'static) {
    tokio::spawn(future);
}
