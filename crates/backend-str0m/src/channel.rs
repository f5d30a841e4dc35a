//! A data channel, between the application and the driver.

use std::sync::Arc;

use skapi_rtc_backend::{BufferedChannel, ChannelEngine};

use crate::{gate::Weight, shared::Shared};

pub(crate) type Channel = BufferedChannel<Driven>;

/// The driver does the channel's work.
pub(crate) struct Driven(pub(crate) Arc<Shared>);

impl ChannelEngine for Driven {
    type Unread = Weight;

    fn has_work(&self, channel: &Arc<Channel>) {
        self.0.call(channel.clone());
    }

    fn max_message_size(&self) -> usize {
        self.0.max_message_size()
    }

    /// The engine would put nothing on the wire and count it, after which nothing arrives any more.
    fn empty_messages(&self) -> bool {
        false
    }
}
