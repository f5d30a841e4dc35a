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
use webrtc::data_channel::{DataChannelEvent, RTCDataChannelMessage};

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
                    return Poll::Ready(Some(ChannelEvent::Message(to_message(message))));
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

/// Text that is not UTF-8 is repaired, as browsers do it (W3C WebRTC §6.2, "UTF-8 decode").
fn to_message(message: RTCDataChannelMessage) -> Message {
    let bytes = message.data.freeze();
    if !message.is_string {
        return Message::Binary(bytes);
    }
    match String::from_utf8(bytes.into()) {
        Ok(text) => Message::Text(text),
        Err(error) => Message::Text(String::from_utf8_lossy(error.as_bytes()).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn message(is_string: bool, data: &[u8]) -> RTCDataChannelMessage {
        RTCDataChannelMessage { is_string, data: BytesMut::from(data) }
    }

    #[test]
    fn text_and_bytes_keep_their_kind() {
        assert_eq!(to_message(message(true, "grüß".as_bytes())), Message::from("grüß"));
        assert_eq!(to_message(message(false, &[0, 255])), Message::from(vec![0, 255]));
        assert_eq!(to_message(message(true, &[])), Message::from(""));
    }

    #[test]
    fn text_that_is_not_utf8_is_repaired() {
        assert_eq!(to_message(message(true, b"a\xffb")), Message::from("a\u{fffd}b"));
    }
}
