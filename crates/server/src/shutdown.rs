//! Shutting down: no new connections, goodbye to those there are, a bounded wait.

use crate::{admission::spacing, shared::Shared};

pub(crate) async fn run(shared: &Shared) {
    shared.stopping.cancel();
    shared.router.stop(spacing(shared.config.open_rate_limit()));
    shared.tasks.close();
    let grace = shared.config.shutdown_grace;
    if tokio::time::timeout(grace, shared.tasks.wait()).await.is_err() {
        tracing::debug!(left = shared.tasks.len(), "clients that did not say goodbye are cut off");
        shared.killed.cancel();
        shared.tasks.wait().await;
    }
}
