//! Time and tasks by tokio.

use std::{future::Future, time::Duration};

use crate::MaybeSend;

/// What a future gives within a time, for what need not happen at all.
pub(in super::super) async fn within<T>(
    time: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    tokio::time::timeout(time, future).await.ok()
}

pub(in super::super) fn spawn(future: impl Future<Output = ()> + MaybeSend + 'static) {
    tokio::spawn(future);
}

/// How many tasks there are; `None` where nobody counts them.
pub(in super::super) fn alive_tasks() -> Option<usize> {
    Some(tokio::runtime::Handle::current().metrics().num_alive_tasks())
}

pub(super) async fn sleep(time: Duration) {
    tokio::time::sleep(time).await;
}
