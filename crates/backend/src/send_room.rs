//! The room of a send buffer: a message takes of it, and waits where there is not enough.

use tokio::sync::{Semaphore, TryAcquireError};

use crate::ChannelError;

/// What a message costs beside its bytes: the bookkeeping for it. It keeps a flood of empty messages as
/// bounded as one of large ones.
const COST_PER_MESSAGE: usize = 256;

/// The bounded room of one channel's send buffer, measured in bytes of cost: those of a message, and 256 for
/// the message itself.
///
/// It is fair, so messages of one task leave in order; whoever gives up waiting has taken nothing; closing it
/// releases all who wait. The cost of a message that the engine has let go of is [released](Self::release):
/// [`SendAccount`](crate::SendAccount) knows when.
///
/// ```
/// use skapi_rtc_backend::{ChannelError, SendRoom};
///
/// let room = SendRoom::new(1024);
/// let cost = room.try_take(700)?;
/// assert_eq!(room.try_take(100), Err(ChannelError::Full));
/// room.release(cost as usize);
/// assert!(room.try_take(100).is_ok());
/// # Ok::<_, ChannelError>(())
/// ```
#[derive(Debug)]
pub struct SendRoom {
    capacity: u32,
    permits: Semaphore,
}

impl SendRoom {
    /// Room for so many bytes of cost: at least one empty message, at most 4 GiB (512 MiB where a `usize` has
    /// 32 bits).
    pub fn new(capacity: usize) -> Self {
        let largest = Semaphore::MAX_PERMITS.min(u32::MAX as usize);
        let capacity = capacity.clamp(COST_PER_MESSAGE, largest);
        Self { capacity: capacity as u32, permits: Semaphore::new(capacity) }
    }

    /// Takes the room of a message of `size` bytes once it is there, and gives its cost.
    ///
    /// # Errors
    /// [`ChannelError::Closed`] when the room is closed, also while waiting.
    pub async fn take(&self, size: usize) -> Result<u32, ChannelError> {
        let cost = self.cost(size);
        self.permits.acquire_many(cost).await.map_err(|_| ChannelError::Closed)?.forget();
        Ok(cost)
    }

    /// Takes the room of a message of `size` bytes if it is there, and gives its cost.
    ///
    /// # Errors
    /// [`ChannelError::Full`] when it is not, [`ChannelError::Closed`] when the room is closed.
    pub fn try_take(&self, size: usize) -> Result<u32, ChannelError> {
        let cost = self.cost(size);
        match self.permits.try_acquire_many(cost) {
            Ok(permits) => permits.forget(),
            Err(TryAcquireError::NoPermits) => return Err(ChannelError::Full),
            Err(TryAcquireError::Closed) => return Err(ChannelError::Closed),
        }
        Ok(cost)
    }

    /// Gives back the cost of messages.
    pub fn release(&self, cost: usize) {
        if cost > 0 {
            self.permits.add_permits(cost);
        }
    }

    /// Lets no message in any more, and whoever waits go.
    pub fn close(&self) {
        self.permits.close();
    }

    /// A message larger than the whole room takes all of it, and passes alone.
    fn cost(&self, size: usize) -> u32 {
        let cost = size.saturating_add(COST_PER_MESSAGE);
        u32::try_from(cost).map_or(self.capacity, |cost| cost.min(self.capacity))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn empty_messages_take_room_too() {
        let room = SendRoom::new(3 * COST_PER_MESSAGE);
        assert_eq!((0..9).filter(|_| room.try_take(0).is_ok()).count(), 3);
        assert_eq!(room.try_take(0), Err(ChannelError::Full));
    }

    #[test]
    fn a_message_larger_than_the_room_passes_alone() {
        let room = SendRoom::new(1000);
        assert_eq!(room.try_take(usize::MAX), Ok(1000));
        assert_eq!(room.try_take(0), Err(ChannelError::Full));
        room.release(1000);
        assert_eq!(room.try_take(744), Ok(1000));
    }

    #[test]
    fn whoever_gives_up_waiting_has_taken_nothing() {
        let room = SendRoom::new(1000);
        let cost = room.try_take(700).unwrap();
        assert!(poll(pin!(room.take(700))).is_pending());
        room.release(cost as usize);
        assert_eq!(room.try_take(700), Ok(cost));
    }

    #[test]
    fn closing_it_releases_whoever_waits() {
        let room = SendRoom::new(1000);
        room.try_take(700).unwrap();
        let mut waiting = pin!(room.take(700));
        assert!(poll(waiting.as_mut()).is_pending());
        room.close();
        assert_eq!(poll(waiting), Poll::Ready(Err(ChannelError::Closed)));
        assert_eq!(room.try_take(0), Err(ChannelError::Closed));
    }
}
