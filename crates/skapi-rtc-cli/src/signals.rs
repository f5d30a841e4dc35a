//! Signals: Ctrl-C and SIGTERM, the wish that the program ends; SIGHUP, the wish that it reads files again.

#[cfg(unix)]
use anyhow::Context as _;

/// Watches for that wish, from the moment it is made.
#[cfg(unix)]
pub(crate) struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Stop {
    pub(crate) fn listen() -> anyhow::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context("no handler for SIGINT")?,
            terminate: signal(SignalKind::terminate()).context("no handler for SIGTERM")?,
        })
    }

    /// Waits for the wish, and says by what it was made. Cancel-safe.
    pub(crate) async fn requested(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// Watches for that wish.
#[cfg(not(unix))]
pub(crate) struct Stop;

#[cfg(not(unix))]
impl Stop {
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Ok(Self)
    }

    /// Waits for the wish, and says by what it was made. Cancel-safe.
    pub(crate) async fn requested(&mut self) -> &'static str {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "Ctrl-C",
            // Without a way to hear it, the program runs until it is killed.
            Err(_) => std::future::pending().await,
        }
    }
}

/// Watches for SIGHUP: the wish that files are read again. Where there is no such signal, it never comes.
pub(crate) struct Hangup {
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
}

impl Hangup {
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            hangup: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())
                .context("no handler for SIGHUP")?,
        })
    }

    /// Waits for the next one. Cancel-safe.
    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        if self.hangup.recv().await.is_some() {
            return;
        }
        std::future::pending().await
    }
}
