//! Waiting for a call to come up, or to be over.

use skapi_rtc_signaling::CallEnd;

use super::{CallShared, Stage};
use crate::CallError;

/// Waits until a call is over.
pub(super) async fn ended(shared: &CallShared) -> CallEnd {
    let mut stage = shared.stage.subscribe();
    loop {
        if let Stage::Ended(end) = &*stage.borrow_and_update() {
            return end.clone();
        }
        if stage.changed().await.is_err() {
            // We hold the sender, so this cannot happen.
            std::future::pending::<()>().await;
        }
    }
}

/// Why something cannot be done in a call.
pub(super) fn over(shared: &CallShared) -> CallError {
    match &*shared.stage.borrow() {
        Stage::Ended(end) => CallError::Ended(end.clone()),
        _ => CallError::NotConnected,
    }
}

/// Waits until a call is connected.
pub(super) async fn connected(shared: &CallShared) -> Result<(), CallError> {
    let mut stage = shared.stage.subscribe();
    let reached = stage
        .wait_for(|stage| matches!(stage, Stage::Connected | Stage::Interrupted | Stage::Ended(_)))
        .await;
    match reached.as_deref() {
        Ok(Stage::Ended(end)) => Err(CallError::Ended(end.clone())),
        Ok(_) => Ok(()),
        Err(_) => Err(CallError::SessionClosed),
    }
}
