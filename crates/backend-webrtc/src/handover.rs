//! One message on its way into the engine.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use skapi_rtc_backend::{ChannelError, Message};
use webrtc::{
    data_channel::DataChannel as EngineChannel,
    error::{Error as EngineError, Result as EngineResult},
};

use crate::{convert, outgoing::Outgoing};

/// A message on its way into the engine. Dropped half way it goes on in the background, so that a
/// cancelled `send` neither loses another sender's message nor unbalances the account.
pub(crate) struct Handover(Option<Passage>);

struct Passage {
    outgoing: Arc<Outgoing>,
    size: usize,
    passing: Pin<Box<dyn Future<Output = EngineResult<()>> + Send>>,
}

impl Handover {
    pub(crate) fn new(outgoing: Arc<Outgoing>, message: Message) -> Self {
        let size = message.len();
        let passing = Box::pin(give(outgoing.engine().clone(), message));
        Self(Some(Passage { outgoing, size, passing }))
    }
}

impl Future for Handover {
    type Output = Result<(), ChannelError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(passage) = &mut self.0 else {
            return Poll::Ready(Ok(()));
        };
        let result = ready!(passage.passing.as_mut().poll(cx));
        let outgoing = passage.outgoing.clone();
        let next = outgoing.handed_over(passage.size);
        self.0 = None;
        if let Some(next) = next {
            let handle = outgoing.handle().clone();
            handle.spawn(hand_over_all(outgoing, next));
        }
        Poll::Ready(result.map_err(|error| send_error(&error)))
    }
}

impl Drop for Handover {
    fn drop(&mut self) {
        if let Some(passage) = self.0.take() {
            let handle = passage.outgoing.handle().clone();
            handle.spawn(async move {
                let Passage { outgoing, size, passing } = passage;
                let _ = passing.await;
                if let Some(next) = outgoing.handed_over(size) {
                    hand_over_all(outgoing, next).await;
                }
            });
        }
    }
}

async fn hand_over_all(outgoing: Arc<Outgoing>, first: Message) {
    let mut next = Some(first);
    while let Some(message) = next {
        let size = message.len();
        // Who sent it no longer listens; a closed channel says so itself.
        let _ = give(outgoing.engine().clone(), message).await;
        next = outgoing.handed_over(size);
    }
}

async fn give(engine: Arc<dyn EngineChannel>, message: Message) -> EngineResult<()> {
    match message {
        Message::Text(text) => engine.send_text(&text).await,
        Message::Binary(bytes) => engine.send(BytesMut::from(bytes)).await,
    }
}

fn send_error(error: &EngineError) -> ChannelError {
    match error {
        EngineError::ErrDataChannelNotOpen => ChannelError::NotOpen,
        error if convert::means_closed(error) => ChannelError::Closed,
        error => ChannelError::Engine(error.to_string()),
    }
}
