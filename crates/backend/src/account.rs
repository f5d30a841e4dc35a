//! The account of one channel's sending side: what was accepted, what the engine has, what it has let go of.
//!
//! For engines that tell how many bytes they still hold, and nothing of messages.

use std::collections::VecDeque;

/// How much has reached the engine so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HandedOver {
    bytes: u64,
    messages: u64,
}

/// Payload bytes by how far they have come. Totals, so that nothing drifts.
#[derive(Debug, Default)]
pub struct SendAccount {
    accepted: u64,
    handed_over: HandedOver,
    let_go: u64,
    /// End (in accepted bytes) and cost of every message whose cost is out, oldest first.
    messages: VecDeque<(u64, u32)>,
    /// How many of `messages` the engine has.
    messages_handed_over: usize,
}

impl SendAccount {
    /// A message was taken from the application; `cost` is what it takes of the send buffer.
    pub fn accept(&mut self, size: usize, cost: u32) {
        self.accepted += size as u64;
        self.messages.push_back((self.accepted, cost));
    }

    /// The oldest accepted message that the engine has not, has reached it.
    pub fn hand_over(&mut self, size: usize) {
        self.handed_over.bytes += size as u64;
        self.handed_over.messages += 1;
        self.messages_handed_over += 1;
    }

    /// How much has reached the engine so far, for [`let_go`](Self::let_go).
    pub fn handed_over(&self) -> HandedOver {
        self.handed_over
    }

    /// The engine holds `outstanding` bytes of what it was given. `handed_over` is what
    /// [`handed_over`](Self::handed_over) was before the engine was asked, so that what reached it since
    /// does not pass for what it has let go of. Gives back the cost of the messages that are through.
    pub fn let_go(&mut self, handed_over: HandedOver, outstanding: usize) -> usize {
        let gone = handed_over.bytes.saturating_sub(outstanding as u64);
        self.let_go = self.let_go.max(gone);
        let mut freed = 0;
        while self.messages_handed_over > 0
            && let Some(&(end, cost)) = self.messages.front()
            && end <= self.let_go
        {
            self.messages.pop_front();
            self.messages_handed_over -= 1;
            freed += cost as usize;
        }
        freed
    }

    /// Accepted bytes that the engine has not let go of: `bufferedAmount`.
    pub fn buffered(&self) -> usize {
        usize::try_from(self.accepted - self.let_go.min(self.accepted)).unwrap_or(usize::MAX)
    }

    /// Whether nothing is on its way.
    pub fn is_clear(&self) -> bool {
        self.messages.is_empty()
    }

    /// Forgets what is on its way: the channel is gone.
    pub fn write_off(&mut self) {
        self.let_go = self.accepted;
        self.messages.clear();
        self.messages_handed_over = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_counts_bytes_until_the_engine_lets_go() {
        let mut account = SendAccount::default();
        account.accept(100, 356);
        account.accept(50, 306);
        assert_eq!(account.buffered(), 150);
        account.hand_over(100);
        assert_eq!(
            account.let_go(account.handed_over(), 100),
            0,
            "the engine still holds everything"
        );
        assert_eq!(account.let_go(account.handed_over(), 40), 0, "half a message frees nothing");
        assert_eq!(account.buffered(), 90);
        assert_eq!(account.let_go(account.handed_over(), 0), 356);
        account.hand_over(50);
        assert_eq!(account.let_go(account.handed_over(), 0), 306);
        assert_eq!(account.buffered(), 0);
        assert!(account.is_clear());
    }

    #[test]
    fn what_reaches_the_engine_after_it_was_asked_is_still_on_its_way() {
        let mut account = SendAccount::default();
        let before = account.handed_over();
        account.accept(100, 356);
        account.hand_over(100);
        assert_eq!(account.let_go(before, 0), 0);
        assert_eq!(account.buffered(), 100);
        assert_ne!(account.handed_over(), before);
    }

    #[test]
    fn an_empty_message_frees_its_permits_only_once_it_was_handed_over() {
        let mut account = SendAccount::default();
        account.accept(0, 256);
        assert_eq!(account.let_go(account.handed_over(), 0), 0);
        account.hand_over(0);
        assert_eq!(account.let_go(account.handed_over(), 0), 256);
    }

    #[test]
    fn what_is_written_off_is_not_buffered() {
        let mut account = SendAccount::default();
        account.accept(100, 356);
        account.write_off();
        assert_eq!(account.buffered(), 0);
        assert!(account.is_clear());
    }
}
