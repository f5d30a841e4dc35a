//! The receiving half of a data channel: a stream that polls the engine directly.
//!
//! There is no task and no second queue between the engine and the reader. Not polling the stream fills
//! the engine's own queue (256 messages), after which the engine stops reading from SCTP and the peer
//! is told to wait. As the engine has one such gate for a whole connection, a channel that nobody reads
//! holds back its siblings too.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use skapi_rtc_backend::{ChannelEvent, Message};
use webrtc::data_channel::DataChannelEvent;

use crate::{convert, outgoing::Outgoing, shared::Shared};

type NextEvent = Pin<Box<dyn Future<Output = Option<DataChannelEvent>> + Send>>;
type Opening = Pin<Box<dyn Future<Output = ()> + Send>>;
type Counting = Pin<Box<dyn Future<Output = Option<u32>> + Send>>;

pub(crate) struct Incoming(Option<Reading>);

impl Incoming {
    pub(crate) fn new(channel: Arc<Outgoing>, shared: Arc<Shared>) -> Self {
        Self(Some(Reading {
            channel,
            shared,
            next: None,
            opening: None,
            opened: false,
            received: 0,
            end: End::Ahead,
        }))
    }
}

impl Stream for Incoming {
    type Item = ChannelEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ChannelEvent>> {
        let Some(reading) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let event = ready!(reading.poll(cx));
        if matches!(event, ChannelEvent::Closed) {
            self.0 = None;
        }
        Poll::Ready(Some(event))
    }
}

impl Drop for Incoming {
    /// A channel whose events nobody reads is emptied in the background, or it would hold back the whole
    /// connection.
    fn drop(&mut self) {
        if let Some(mut reading) = self.0.take() {
            reading.channel.handle().clone().spawn(async move {
                while poll_fn(|cx| reading.poll(cx)).await != ChannelEvent::Closed {}
            });
        }
    }
}

/// The events of a channel up to its end.
struct Reading {
    channel: Arc<Outgoing>,
    shared: Arc<Shared>,
    next: Option<NextEvent>,
    /// What is left to do before the channel is told to be open.
    opening: Option<Opening>,
    opened: bool,
    /// How many messages the engine has handed out; wraps, like the engine's own count.
    received: u32,
    end: End,
}

/// ```text
///   Ahead ──closed──► Counting ──counted──► Behind ──everything is read──► told
///     └──────closed before it was open, or the engine has stopped──────────►┘
/// ```
enum End {
    /// Nothing is known of it.
    Ahead,
    /// The engine says that a channel is closed before it hands out all that it had received on it, so
    /// what is missing has to be counted.
    Counting(Counting),
    /// The end comes once that many messages have been handed out.
    Behind(u32),
}

impl Reading {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ChannelEvent> {
        if self.opening.is_some() || !self.opened && self.channel.born_open() {
            return self.open(cx);
        }
        self.channel.watch(cx);
        loop {
            if self.opened && self.channel.take_low() {
                return Poll::Ready(ChannelEvent::BufferedAmountLow);
            }
            if let End::Counting(count) = &mut self.end {
                match ready!(count.as_mut().poll(cx)) {
                    Some(count) => self.end = End::Behind(count),
                    None => return self.closed(),
                }
            }
            if let End::Behind(count) = self.end
                && count == self.received
            {
                return self.closed();
            }
            let next = self.next.get_or_insert_with(|| next_event(self.channel.clone()));
            let Poll::Ready(event) = next.as_mut().poll(cx) else {
                if self.shared.is_over() {
                    return self.closed();
                }
                if !matches!(self.end, End::Ahead) || !self.channel.is_closed() {
                    return Poll::Pending;
                }
                if !self.opened {
                    // The engine is silent about channels that are closed before they open.
                    return self.closed();
                }
                self.end = End::Counting(received_by_engine(&self.channel, &self.shared));
                continue;
            };
            self.next = None;
            match event {
                Some(DataChannelEvent::OnOpen) if !self.opened => return self.open(cx),
                Some(DataChannelEvent::OnMessage(message)) => {
                    self.received = self.received.wrapping_add(1);
                    return Poll::Ready(ChannelEvent::Message(Message::received(
                        message.is_string,
                        message.data.freeze(),
                    )));
                }
                Some(DataChannelEvent::OnClosing) => self.channel.set_closing(),
                Some(DataChannelEvent::OnClose) => {
                    self.channel.set_closing();
                    if let End::Ahead = self.end {
                        self.end = End::Counting(received_by_engine(&self.channel, &self.shared));
                    }
                }
                // The engine has stopped, and emits no event for that.
                None => return self.closed(),
                Some(_) => {}
            }
        }
    }

    fn open(&mut self, cx: &mut Context<'_>) -> Poll<ChannelEvent> {
        let opening = self
            .opening
            .get_or_insert_with(|| Box::pin(open(self.channel.clone(), self.shared.clone())));
        ready!(opening.as_mut().poll(cx));
        self.opening = None;
        self.opened = true;
        Poll::Ready(ChannelEvent::Open)
    }

    fn closed(&mut self) -> Poll<ChannelEvent> {
        self.next = None;
        self.channel.set_closed();
        Poll::Ready(ChannelEvent::Closed)
    }
}

/// How many messages the engine has received on a channel that is closed; some of them may still wait in
/// it. `None` when the engine is gone.
fn received_by_engine(channel: &Arc<Outgoing>, shared: &Arc<Shared>) -> Counting {
    let (channel, shared) = (channel.clone(), shared.clone());
    Box::pin(async move {
        let peer = shared.engine_peer()?;
        convert::messages_received(&convert::report(&*peer).await, channel.engine().id())
    })
}

fn next_event(channel: Arc<Outgoing>) -> NextEvent {
    Box::pin(async move { channel.next_event().await })
}

/// The engine tells the stream id of a channel only in its statistics, and those only while nothing else
/// goes on in it.
async fn open(channel: Arc<Outgoing>, shared: Arc<Shared>) {
    if channel.stream_id().is_none()
        && let Some(peer) = shared.engine_peer()
        && let Some(id) = convert::stream_id(&convert::report(&*peer).await, channel.engine().id())
    {
        channel.set_stream_id(id);
    }
    shared.pulse.calm();
    channel.set_open();
}
