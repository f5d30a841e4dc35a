//! Ending the windows of clients that do not come back.

use std::{
    future,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::shared::Shared;

/// Between two looks, so that thousands of windows that end one after the other do not mean thousands of
/// looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Ends them as they are over, until the server stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let end_all = async {
        loop {
            let next = shared.router.end_windows(Instant::now());
            let over = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next.into()).await,
                    None => future::pending().await,
                }
            };
            tokio::select! {
                () = over => {}
                () = shared.router.windows_changed() => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::select! {
        () = end_all => {}
        () = shared.stopping.cancelled() => {}
    }
}
