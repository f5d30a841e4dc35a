//! How much of what was sent waits in the browser, and who waits for it to become less.
//!
//! A browser tells how many bytes it holds, and nothing of messages. A message costs more than its payload,
//! so the costs are kept in an account beside it; and since empty messages are no bytes at all, a burst of
//! them has to be seen through before the next one.

use std::cell::{Cell, RefCell};

use skapi_rtc_backend::SendAccount;
use tokio::sync::Notify;

/// What may wait in the browser to be sent, by cost, before a sender waits too.
const CAPACITY: usize = 1024 * 1024;
/// Below this there is room again.
const RELIEVED: usize = CAPACITY / 2;
/// What a message costs beside its payload.
const MESSAGE_COST: u32 = 256;
/// Empty messages that are handed over before the browser has dealt with them.
const MAX_EMPTY: usize = 1024;

#[derive(Default)]
pub(crate) struct Room {
    account: RefCell<SendAccount>,
    used: Cell<usize>,
    empty: Cell<usize>,
    waiting: Cell<usize>,
    relieved: Notify,
}

impl Room {
    /// Whether a message may be handed to the browser, which holds this many bytes, now.
    pub(crate) fn is_for(&self, size: usize, buffered: usize) -> bool {
        if size == 0 && self.empty.get() >= MAX_EMPTY {
            return false;
        }
        let mut account = self.account.borrow_mut();
        let handed_over = account.handed_over();
        let freed = account.let_go(handed_over, buffered);
        drop(account);
        let used = self.used.get().saturating_sub(freed);
        self.used.set(used);
        used <= RELIEVED || used.saturating_add(cost(size) as usize) <= CAPACITY
    }

    /// A message was handed over. True if that was the last empty one before the browser has to be waited for.
    pub(crate) fn take(&self, size: usize) -> bool {
        let mut account = self.account.borrow_mut();
        account.accept(size, cost(size));
        account.hand_over(size);
        self.used.set(self.used.get() + cost(size) as usize);
        if size > 0 {
            return false;
        }
        self.empty.set(self.empty.get() + 1);
        self.empty.get() == MAX_EMPTY
    }

    /// The browser has dealt with all empty messages.
    pub(crate) fn forget_empty(&self) {
        self.empty.set(0);
        self.tell();
    }

    /// Lets those that wait look again.
    pub(crate) fn tell(&self) {
        self.relieved.notify_waiters();
    }

    /// Waits until there may be room.
    pub(crate) async fn relieved(&self) {
        self.relieved.notified().await;
    }

    /// The amount of bytes at which somebody who waits wants to hear of it, if anybody does.
    pub(crate) fn wanted(&self, buffered: usize) -> Option<usize> {
        // Where it is the number of messages that was too much, few bytes are left already.
        (self.waiting.get() > 0).then(|| RELIEVED.min(buffered / 2))
    }

    pub(crate) fn begin_waiting(&self) {
        self.waiting.set(self.waiting.get() + 1);
    }

    pub(crate) fn end_waiting(&self) {
        self.waiting.set(self.waiting.get() - 1);
    }
}

fn cost(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX).saturating_add(MESSAGE_COST)
}
