//! A remote track's packets on their way to the reader: queued, and put together where they are read.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Instant,
};

use futures_core::Stream;

use super::{assembler::Assembler, gaps::Gaps};
use crate::{
    EventReceiver, EventSender, MediaKind, RemoteTrackEvent, RemoteTrackEvents, RtpPacket,
    TrackView, TrySendError, Weigh, queue,
};

/// Packets that wait for the reader of a track: about two seconds of video in good quality.
const MAX_PACKETS: usize = 512;
/// Bytes that wait for the reader of a track.
const MAX_BYTES: usize = 1024 * 1024;

/// What the reader of a remote track wishes for.
pub(super) struct Wishes {
    packets: AtomicBool,
    ask_for_keyframe: Box<dyn Fn() + Send + Sync>,
}

impl Wishes {
    /// Frames, until [`set_view`](Self::set_view) says otherwise. `ask_for_keyframe` is called, wherever the
    /// track is read, when the reader needs a key frame; it must not wait.
    pub(super) fn new(ask_for_keyframe: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        let ask_for_keyframe = Box::new(ask_for_keyframe);
        Arc::new(Self { packets: AtomicBool::new(false), ask_for_keyframe })
    }

    /// Sets in which form media come.
    pub(super) fn set_view(&self, view: TrackView) {
        self.packets.store(view == TrackView::Packets, Ordering::Relaxed);
    }
}

#[derive(Debug)]
enum Item {
    Packet(RtpPacket, Instant),
    Lagged(u64),
}

impl Weigh for Item {
    fn weight(&self) -> usize {
        match self {
            Self::Packet(packet, _) => packet.payload.len(),
            Self::Lagged(_) => 0,
        }
    }
}

/// The engine's end of a remote track: never waits. The track ends when it is dropped.
#[derive(Debug)]
pub struct Arrivals {
    items: EventSender<Item>,
    dropped: u64,
}

impl Arrivals {
    /// Queues a packet that arrived at `now`, or drops and counts it when the reader is too far behind.
    pub fn push(&mut self, packet: RtpPacket, now: Instant) {
        if self.dropped > 0 {
            if self.items.try_send(Item::Lagged(self.dropped)).is_err() {
                self.dropped += 1;
                return;
            }
            self.dropped = 0;
        }
        if let Err(TrySendError::Full(_)) = self.items.try_send(Item::Packet(packet, now)) {
            self.dropped = 1;
        }
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        if self.dropped > 0 {
            self.items.force_send(Item::Lagged(self.dropped));
        }
    }
}

/// The reader's end.
struct Inbound {
    items: EventReceiver<Item>,
    assembler: Assembler,
    gaps: Gaps,
    kind: MediaKind,
    wishes: Arc<Wishes>,
    assembling: bool,
    ended: bool,
}

/// Both ends of a remote track of this kind.
pub(super) fn inbound(kind: MediaKind, wishes: Arc<Wishes>) -> (Arrivals, RemoteTrackEvents) {
    let (items, reader) = queue(MAX_PACKETS, MAX_BYTES);
    let inbound = Inbound {
        items: reader,
        assembler: Assembler::new(kind),
        gaps: Gaps::default(),
        kind,
        wishes,
        assembling: true,
        ended: false,
    };
    (Arrivals { items, dropped: 0 }, RemoteTrackEvents::new(inbound))
}

impl Inbound {
    fn take(&mut self, item: Item) -> Option<RemoteTrackEvent> {
        match item {
            Item::Lagged(count) => {
                if self.assembling && self.assembler.skipped(Instant::now()) {
                    (self.wishes.ask_for_keyframe)();
                }
                Some(RemoteTrackEvent::Lagged(count))
            }
            Item::Packet(packet, now) if !self.assembling => {
                if self.kind == MediaKind::Video && self.gaps.came(packet.sequence, now) {
                    (self.wishes.ask_for_keyframe)();
                }
                Some(RemoteTrackEvent::Packet(packet))
            }
            Item::Packet(packet, now) => {
                if self.assembler.push(packet, now) {
                    (self.wishes.ask_for_keyframe)();
                }
                None
            }
        }
    }

    /// Follows the wish for frames or packets.
    fn choose_view(&mut self) {
        let assembling = !self.wishes.packets.load(Ordering::Relaxed);
        if assembling != self.assembling {
            self.assembling = assembling;
            self.assembler = Assembler::new(self.kind);
            self.gaps = Gaps::default();
        }
    }
}

impl Stream for Inbound {
    type Item = RemoteTrackEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<RemoteTrackEvent>> {
        let this = &mut *self;
        loop {
            this.choose_view();
            if let Some(frame) = this.assembler.next_frame() {
                return Poll::Ready(Some(RemoteTrackEvent::Frame(frame)));
            }
            if this.ended {
                return Poll::Ready(None);
            }
            match ready!(this.items.poll_recv(cx)) {
                Some(item) => {
                    if let Some(event) = this.take(item) {
                        return Poll::Ready(Some(event));
                    }
                }
                None => {
                    this.ended = true;
                    return Poll::Ready(Some(RemoteTrackEvent::Ended));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use bytes::Bytes;

    use super::*;
    use crate::Codec;

    fn no_wishes() -> Arc<Wishes> {
        Wishes::new(|| {})
    }

    fn packet(sequence: u16) -> RtpPacket {
        RtpPacket::new(Codec::Opus, sequence, 0, false, Bytes::from_static(b"sound"))
    }

    #[tokio::test]
    async fn what_nobody_reads_is_dropped_and_counted() {
        let (mut arrivals, mut inbound) = inbound(MediaKind::Audio, no_wishes());
        let total = MAX_PACKETS as u16 + 7;
        for sequence in 0..total {
            arrivals.push(packet(sequence), Instant::now());
        }
        for _ in 0..2 {
            assert!(matches!(inbound.recv().await, Some(RemoteTrackEvent::Frame(_))));
        }
        arrivals.push(packet(total), Instant::now());
        drop(arrivals);
        let mut rest = Vec::new();
        while let Some(event) = inbound.recv().await {
            rest.push(event);
        }
        let lagged = rest.iter().filter_map(|event| match event {
            RemoteTrackEvent::Lagged(count) => Some(*count),
            _ => None,
        });
        assert_eq!(lagged.collect::<Vec<_>>(), [7]);
        let frames = rest.iter().filter(|event| matches!(event, RemoteTrackEvent::Frame(_)));
        assert_eq!(frames.count(), MAX_PACKETS - 1);
        assert_eq!(rest.last(), Some(&RemoteTrackEvent::Ended));
    }

    #[tokio::test]
    async fn what_waits_comes_in_the_view_that_was_chosen_later() {
        let wishes = no_wishes();
        let (mut arrivals, mut inbound) = inbound(MediaKind::Audio, wishes.clone());
        for sequence in 0..3 {
            arrivals.push(packet(sequence), Instant::now());
        }
        assert!(matches!(inbound.recv().await, Some(RemoteTrackEvent::Frame(_))));
        wishes.set_view(TrackView::Packets);
        assert_eq!(inbound.recv().await, Some(RemoteTrackEvent::Packet(packet(1))));
        wishes.set_view(TrackView::Frames);
        assert!(matches!(inbound.recv().await, Some(RemoteTrackEvent::Frame(_))));
    }

    #[tokio::test]
    async fn a_loss_here_asks_for_a_key_frame() {
        let asked = Arc::new(AtomicUsize::new(0));
        let asking = asked.clone();
        let wishes = Wishes::new(move || {
            asking.fetch_add(1, Ordering::Relaxed);
        });
        let (mut arrivals, mut inbound) = inbound(MediaKind::Video, wishes);
        arrivals.dropped = 3;
        let key = Bytes::from_static(&[0x10, 0x10]);
        arrivals.push(RtpPacket::new(Codec::Vp8, 9, 0, true, key), Instant::now());
        assert_eq!(inbound.recv().await, Some(RemoteTrackEvent::Lagged(3)));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert!(matches!(inbound.recv().await, Some(RemoteTrackEvent::Frame(_))));
    }
}
