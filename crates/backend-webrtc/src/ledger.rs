//! The channels of one connection that have something in flight, settled once a round of the driver.
//!
//! The engine tells what it still holds of a channel only when asked. Asking from the driver's own
//! round, right after it has applied what the peer acknowledged, costs no task, no timer and no lost
//! wake-up; and only channels that have sent something are asked.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::outgoing::Outgoing;

/// How soon to look again at a channel whose account could not be settled, because another task was
/// busy in the engine.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// How an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Balance {
    /// Nothing is in flight any more.
    Settled,
    /// Something is; the next packet from the peer may change that.
    Open,
    /// The engine was busy.
    Unknown,
}

/// What a look at all accounts has shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// Bytes that the engine holds, on their way or not.
    pub(crate) in_flight: usize,
    /// How soon to look again, if that cannot wait for the next packet.
    pub(crate) again: Option<Duration>,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    accounts: Vec<Arc<Outgoing>>,
    /// The connection is over, and its channels must not be kept any longer.
    over: bool,
}

impl Ledger {
    /// Takes note of a channel that has something in flight.
    pub(crate) fn enter(&self, channel: Arc<Outgoing>) {
        let mut open = self.open();
        if !open.over {
            open.accounts.push(channel);
        }
    }

    /// Asks for the state of every open account.
    pub(crate) fn settle_accounts(&self) -> Look {
        // Taken out, so that no lock is held while a channel wakes its senders and its reader.
        let mut accounts = {
            let mut open = self.open();
            if open.accounts.is_empty() {
                return Look::default();
            }
            std::mem::take(&mut open.accounts)
        };
        let mut busy = false;
        let mut look = Look::default();
        accounts.retain(|channel| {
            let (account, in_flight) = channel.settle();
            busy |= account == Balance::Unknown;
            look.in_flight += in_flight;
            account != Balance::Settled
        });
        look.again = busy.then_some(LOOK_AGAIN);
        let mut open = self.open();
        if !open.over {
            accounts.append(&mut open.accounts);
            open.accounts = accounts;
        }
        look
    }

    /// Forgets everything: the connection is over.
    pub(crate) fn close(&self) {
        let accounts = {
            let mut open = self.open();
            open.over = true;
            std::mem::take(&mut open.accounts)
        };
        // Outside the lock: the last reference to a channel takes parts of the engine with it.
        drop(accounts);
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
