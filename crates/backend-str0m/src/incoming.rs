//! The receiving half of a data channel, as the application reads it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use skapi_rtc_backend::{ChannelEvent, EventReceiver, Message, Weigh};

use crate::{gate::Weight, port::Port};

/// An event on its way to the reader; a message counts as unread until then.
pub(crate) struct Delivery {
    event: ChannelEvent,
    _weight: Option<Weight>,
}

impl Delivery {
    pub(crate) fn message(message: Message, weight: Weight) -> Self {
        Self { event: ChannelEvent::Message(message), _weight: Some(weight) }
    }

    pub(crate) fn event(event: ChannelEvent) -> Self {
        Self { event, _weight: None }
    }
}

impl Weigh for Delivery {}

pub(crate) struct Incoming {
    deliveries: EventReceiver<Delivery>,
    port: Arc<Port>,
    ended: bool,
}

impl Incoming {
    pub(crate) fn new(deliveries: EventReceiver<Delivery>, port: Arc<Port>) -> Self {
        Self { deliveries, port, ended: false }
    }
}

impl Stream for Incoming {
    type Item = ChannelEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ChannelEvent>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let delivery = ready!(self.deliveries.poll_recv(cx));
        let event = delivery.map(|delivery| delivery.event);
        match event {
            Some(ChannelEvent::Closed) | None => self.ended = true,
            Some(ChannelEvent::BufferedAmountLow) => self.port.low_was_told(),
            Some(_) => {}
        }
        Poll::Ready(event)
    }
}
