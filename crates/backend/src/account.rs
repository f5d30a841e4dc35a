//! The account of one channel's sending side: what was accepted, what the engine has, what it has let go of.
//!
//! For engines that tell how many bytes they still hold and nothing of messages, and for those that tell of
//! messages one by one.

use std::collections::VecDeque;

/// How much has reached the engine so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HandedOver {
    bytes: u64,
    messages: u64,
}

/// Payload bytes by how far they have come: `bufferedAmount` and what hangs on it. Totals, so that nothing
/// drifts.
#[derive(Debug, Default)]
pub struct SendAccount {
    accepted: u64,
    handed_over: HandedOver,
    let_go: u64,
    /// End (in accepted bytes) and cost of every message whose cost is out, oldest first.
    messages: VecDeque<(u64, u32)>,
    /// How many of `messages` the engine has.
    messages_handed_over: usize,
    low_threshold: usize,
    /// The buffered amount has been above the threshold since it was last found low.
    was_above: bool,
}

impl SendAccount {
    /// A message was taken from the application; `cost` is what it takes of the send buffer.
    pub fn accept(&mut self, size: usize, cost: u32) {
        self.accepted += size as u64;
        self.messages.push_back((self.accepted, cost));
        self.was_above |= self.buffered() > self.low_threshold;
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
        while self.messages.front().is_some_and(|(end, _)| *end <= self.let_go)
            && let Some((_, cost)) = self.pop()
        {
            freed += cost as usize;
        }
        freed
    }

    /// The engine has let go of the oldest message that it had. Gives back its cost.
    pub fn let_go_of_oldest(&mut self) -> usize {
        let Some((end, cost)) = self.pop() else { return 0 };
        self.let_go = self.let_go.max(end);
        cost as usize
    }

    /// The oldest message, if the engine has it.
    fn pop(&mut self) -> Option<(u64, u32)> {
        self.messages_handed_over = self.messages_handed_over.checked_sub(1)?;
        self.messages.pop_front()
    }

    /// Accepted bytes that the engine has not let go of: `bufferedAmount`.
    pub fn buffered(&self) -> usize {
        usize::try_from(self.accepted - self.let_go.min(self.accepted)).unwrap_or(usize::MAX)
    }

    /// `bufferedAmountLowThreshold`. Default: 0.
    pub fn low_threshold(&self) -> usize {
        self.low_threshold
    }

    /// Sets the threshold.
    pub fn set_low_threshold(&mut self, bytes: usize) {
        self.low_threshold = bytes;
        self.was_above = self.buffered() > bytes;
    }

    /// Whether the buffered amount has fallen to the threshold, or below it, since this was last asked.
    pub fn take_low(&mut self) -> bool {
        let is_low = self.was_above && self.buffered() <= self.low_threshold;
        self.was_above &= !is_low;
        is_low
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
        self.was_above = false;
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
    fn an_engine_may_let_go_of_messages_one_by_one() {
        let mut account = SendAccount::default();
        account.accept(100, 356);
        account.accept(0, 256);
        assert_eq!(account.let_go_of_oldest(), 0, "the engine has nothing yet");
        account.hand_over(100);
        account.hand_over(0);
        assert_eq!(account.let_go_of_oldest(), 356);
        assert_eq!((account.buffered(), account.is_clear()), (0, false));
        assert_eq!(account.let_go_of_oldest(), 256);
        assert!(account.is_clear());
    }

    #[test]
    fn a_low_amount_is_news_only_after_a_high_one() {
        let mut account = SendAccount::default();
        account.set_low_threshold(50);
        account.accept(50, 306);
        assert!(!account.take_low(), "it was never above");
        account.accept(1, 257);
        assert!(!account.take_low(), "it is above");
        account.hand_over(50);
        account.let_go_of_oldest();
        assert!(account.take_low());
        assert!(!account.take_low(), "told once");
        account.accept(50, 306);
        account.set_low_threshold(100);
        account.hand_over(1);
        account.let_go_of_oldest();
        assert!(!account.take_low(), "the new threshold was never exceeded");
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
