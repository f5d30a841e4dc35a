//! Ctrl-C and SIGTERM.

use anyhow::Context as _;

use crate::exit::Failure;

/// The user's wish that the program ends.
pub(crate) struct Stop {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

/// Watches for the wish to stop from now on.
#[cfg(unix)]
pub(crate) fn stop() -> Result<Stop, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let watch = |kind| signal(kind).context("cannot watch for signals");
    Ok(Stop { interrupt: watch(SignalKind::interrupt())?, terminate: watch(SignalKind::terminate())? })
}

/// Watches for the wish to stop from now on.
#[cfg(not(unix))]
pub(crate) fn stop() -> Result<Stop, Failure> {
    Ok(Stop {})
}

impl Stop {
    /// Waits for the wish. Cancel-safe.
    #[cfg(unix)]
    pub(crate) async fn requested(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Waits for the wish. Cancel-safe.
    #[cfg(not(unix))]
    pub(crate) async fn requested(&mut self) {
        // Without a handler the system ends the program, which serves as well.
        let _ = tokio::signal::ctrl_c().await;
    }
}
