//! The receiving half: what happens on a channel, as its reader sees it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;

use super::{BufferedChannel, ChannelEngine};
use crate::{ChannelEvent, EventReceiver, Message, Weigh};

/// An event on its way to the reader; a message counts as unread until then.
pub(super) struct Delivery<U> {
    event: ChannelEvent,
    _unread: Option<U>,
}

impl<U> Delivery<U> {
    pub(super) fn message(message: Message, unread: U) -> Self {
        Self { event: ChannelEvent::Message(message), _unread: Some(unread) }
    }

    pub(super) fn event(event: ChannelEvent) -> Self {
        Self { event, _unread: None }
    }
}

impl<U> Weigh for Delivery<U> {}

pub(super) struct Events<E: ChannelEngine> {
    deliveries: EventReceiver<Delivery<E::Unread>>,
    channel: Arc<BufferedChannel<E>>,
}

impl<E: ChannelEngine> Events<E> {
    pub(super) fn new(
        deliveries: EventReceiver<Delivery<E::Unread>>,
        channel: Arc<BufferedChannel<E>>,
    ) -> Self {
        Self { deliveries, channel }
    }
}

impl<E: ChannelEngine> Stream for Events<E> {
    type Item = ChannelEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ChannelEvent>> {
        let event = ready!(self.deliveries.poll_recv(cx)).map(|delivery| delivery.event);
        if event == Some(ChannelEvent::BufferedAmountLow) {
            self.channel.low_was_told();
        }
        Poll::Ready(event)
    }
}
