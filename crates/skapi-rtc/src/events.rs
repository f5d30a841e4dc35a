//! What happens in a session, as a stream.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_core::Stream;
use skapi_rtc_protocol::{ConnectionId, DecodeError, ErrorCode, GroupName, Notice, Ready};
use skapi_rtc_signaling::{CloseReason, Post};
use tokio::sync::mpsc;

use crate::{HandoverRequest, IncomingCall};

/// One thing that happened in a session.
#[derive(Debug)]
#[non_exhaustive]
pub enum RealtimeEvent {
    /// The session is connected, for the first time or again.
    Connected {
        /// What the service said about this connection; `None` from a service that does not greet.
        ready: Option<Ready>,
        /// Whether it was connected before.
        again: bool,
    },
    /// The connection was lost and will be tried again. Calls that are up go on.
    Disconnected {
        /// What happened.
        reason: String,
        /// How long until the next attempt.
        retry_in: Duration,
    },
    /// The service is known to have this connection in this group, or in none.
    Joined(Option<GroupName>),
    /// Somebody posted to the group; own posts come back too.
    Message {
        /// What was posted, and by whom.
        post: Post,
        /// To which group.
        group: GroupName,
    },
    /// Somebody posted to this user.
    Private(Post),
    /// Somebody came to or left the group.
    Notice(Notice),
    /// Somebody calls. Dropping it declines.
    Incoming(IncomingCall),
    /// Another device of this user takes a call over, or wants to. Dropping it refuses what was not granted.
    Handover(HandoverRequest),
    /// The service refused something that no request waits for.
    ServiceError {
        /// In plain words.
        text: String,
        /// For programs.
        code: Option<ErrorCode>,
    },
    /// A peer or the service sent something that cannot be read. It was dropped.
    Unreadable {
        /// The peer's connection; `None` for the service itself.
        from: Option<ConnectionId>,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// This many posts were dropped here, because the application did not read its events in time.
    Lagged(u64),
    /// The session is over; nothing follows.
    Closed(CloseReason),
}

/// The events of a session, in order. They end after [`RealtimeEvent::Closed`].
///
/// The stream is bounded: while the application does not read, posts are dropped and counted, and all
/// else holds the service back. Dropping the stream declines incoming calls from then on.
#[derive(Debug)]
pub struct RealtimeEvents(mpsc::Receiver<RealtimeEvent>);

impl RealtimeEvents {
    /// The next event; `None` after the last one. Cancel-safe.
    pub async fn next(&mut self) -> Option<RealtimeEvent> {
        self.0.recv().await
    }
}

impl Stream for RealtimeEvents {
    type Item = RealtimeEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<RealtimeEvent>> {
        self.0.poll_recv(cx)
    }
}

/// The driver's end of the stream: never waits, and keeps what must not be lost.
#[derive(Debug)]
pub(crate) struct EventPort {
    sender: mpsc::Sender<RealtimeEvent>,
    waiting: VecDeque<RealtimeEvent>,
}

impl EventPort {
    pub(crate) fn new(capacity: usize) -> (Self, RealtimeEvents) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Self { sender, waiting: VecDeque::new() }, RealtimeEvents(receiver))
    }

    /// Delivers an event that must not be lost: now, or when there is room.
    pub(crate) fn control(&mut self, event: RealtimeEvent) {
        if let Some(event) = self.try_deliver(event) {
            self.waiting.push_back(event);
        }
    }

    /// Delivers an event, or drops and counts it.
    pub(crate) fn data(&mut self, event: RealtimeEvent) {
        if self.try_deliver(event).is_some() {
            match self.waiting.back_mut() {
                Some(RealtimeEvent::Lagged(count)) => *count += 1,
                _ => self.waiting.push_back(RealtimeEvent::Lagged(1)),
            }
        }
    }

    /// Whether events wait for room.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether events wait that must not be lost: then nothing more should be read from the service. The
    /// mere count of dropped ones holds nobody back, or answers to our own requests would not come through.
    pub(crate) fn is_congested(&self) -> bool {
        let dropped = |event: &RealtimeEvent| matches!(event, RealtimeEvent::Lagged(_));
        !self.waiting.iter().all(dropped)
    }

    /// Whether nobody reads any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Waits for room and delivers what waits. Cancel-safe.
    pub(crate) async fn relieve(&mut self) {
        while !self.waiting.is_empty() {
            let Ok(room) = self.sender.reserve().await else {
                self.waiting.clear();
                return;
            };
            if let Some(event) = self.waiting.pop_front() {
                room.send(event);
            }
        }
    }

    /// Gives the event back if there is no room for it.
    fn try_deliver(&mut self, event: RealtimeEvent) -> Option<RealtimeEvent> {
        if self.is_waiting() {
            return Some(event);
        }
        match self.sender.try_send(event) {
            Err(mpsc::error::TrySendError::Full(event)) => Some(event),
            // One that nobody reads any more is not missed: an incoming call that is dropped declines.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> RealtimeEvent {
        RealtimeEvent::ServiceError { text: text.to_owned(), code: None }
    }

    #[tokio::test]
    async fn data_is_dropped_and_counted_control_is_kept_and_order_holds() {
        let (mut port, mut events) = EventPort::new(1);
        port.data(error("first"));
        port.data(error("dropped"));
        port.data(error("dropped"));
        assert!(port.is_waiting() && !port.is_congested());
        port.control(error("kept"));
        port.data(error("dropped"));
        assert!(port.is_congested());
        let read = async {
            let mut seen = Vec::new();
            for _ in 0..4 {
                seen.push(match events.next().await.unwrap() {
                    RealtimeEvent::ServiceError { text, .. } => text,
                    RealtimeEvent::Lagged(count) => format!("lagged {count}"),
                    other => panic!("{other:?}"),
                });
            }
            seen
        };
        let (seen, ()) = tokio::join!(read, port.relieve());
        assert_eq!(seen, ["first", "lagged 2", "kept", "lagged 1"]);
        assert!(!port.is_congested());
    }

    #[tokio::test]
    async fn without_a_reader_nothing_piles_up() {
        let (mut port, events) = EventPort::new(1);
        port.control(error("a"));
        port.control(error("b"));
        drop(events);
        port.relieve().await;
        port.control(error("c"));
        assert!(!port.is_congested());
    }
}
