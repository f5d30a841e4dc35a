//! The receiving half of a data channel: a stream that polls the engine directly.
//!
//! There is no task and no second queue between the engine and the reader. Not polling the stream fills
//! the engine's own queue (256 messages), after which the engine stops reading from SCTP and the peer
//! is told to wait. As the engine has one such gate for a whole connection, a channel that nobody reads
//! holds back its siblings too.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;
use skapi_rtc_backend::{ChannelEvent, Message};
use webrtc::data_channel::DataChannelEvent;

use crate::{outgoing::Outgoing, pulse::Pulse};

type NextEvent = Pin<Box<dyn Future<Output = Option<DataChannelEvent>> + Send>>;

pub(crate) struct Incoming {
    channel: Arc<Outgoing>,
    pulse: Arc<Pulse>,
    next: Option<NextEvent>,
    opened: bool,
    ended: bool,
}

impl Incoming {
    pub(crate) fn new(channel: Arc<Outgoing>, pulse: Arc<Pulse>) -> Self {
        Self { channel, pulse, next: None, opened: false, ended: false }
    }

    fn open(&mut self) -> Poll<Option<ChannelEvent>> {
        self.opened = true;
        self.pulse.calm();
        self.channel.set_open();
        Poll::Ready(Some(ChannelEvent::Open))
    }

    fn end(&mut self) -> Poll<Option<ChannelEvent>> {
        self.ended = true;
        self.next = None;
        self.channel.set_closed();
        Poll::Ready(Some(ChannelEvent::Closed))
    }
}

impl Stream for Incoming {
    type Item = ChannelEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ChannelEvent>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        if !this.opened && this.channel.born_open() {
            return this.open();
        }
        this.channel.watch(cx);
        loop {
            if this.opened && this.channel.take_low() {
                return Poll::Ready(Some(ChannelEvent::BufferedAmountLow));
            }
            let next = this.next.get_or_insert_with(|| next_event(this.channel.clone()));
            let Poll::Ready(event) = next.as_mut().poll(cx) else {
                // The engine is silent about channels that are closed before they open.
                return if this.channel.is_closed() { this.end() } else { Poll::Pending };
            };
            this.next = None;
            match event {
                Some(DataChannelEvent::OnOpen) if !this.opened => return this.open(),
                Some(DataChannelEvent::OnMessage(message)) => {
                    return Poll::Ready(Some(ChannelEvent::Message(Message::received(
                        message.is_string,
                        message.data.freeze(),
                    ))));
                }
                Some(DataChannelEvent::OnClosing) => {
                    this.channel.set_closing();
                }
                // After `None` the engine has stopped, and emits no event for that.
                Some(DataChannelEvent::OnClose) | None => return this.end(),
                Some(_) => {}
            }
        }
    }
}

impl Drop for Incoming {
    /// A channel whose events nobody reads is emptied in the background, or it would hold back the whole
    /// connection.
    fn drop(&mut self) {
        if self.ended || self.channel.is_closed() {
            return;
        }
        let (channel, pulse, next) = (self.channel.clone(), self.pulse.clone(), self.next.take());
        self.channel.handle().spawn(async move {
            let mut next = next.unwrap_or_else(|| next_event(channel.clone()));
            loop {
                match next.await {
                    Some(DataChannelEvent::OnOpen) => {
                        pulse.calm();
                        channel.set_open();
                    }
                    Some(DataChannelEvent::OnClose) | None => break,
                    Some(_) => {}
                }
                next = next_event(channel.clone());
            }
            channel.set_closed();
        });
    }
}

fn next_event(channel: Arc<Outgoing>) -> NextEvent {
    Box::pin(async move { channel.next_event().await })
}
