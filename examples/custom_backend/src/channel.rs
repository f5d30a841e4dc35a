//! One end of a data channel. What it sends is in the other end's queue at once, and takes room until it is
//! read there.

use std::sync::{Arc, OnceLock, Weak};

use skapi_rtc_backend::{
    BufferedChannel, ChannelEngine, ChannelHandle, ChannelInit, ChannelState, ChannelWork,
    DataChannel as _,
};

use crate::network::network;

/// The largest message, in bytes.
pub(crate) const MAX_MESSAGE_SIZE: usize = 256 * 1024;
/// The room for what is sent and unread: the largest message, and as much again.
const SEND_BUFFER: usize = 2 * MAX_MESSAGE_SIZE;

pub(crate) type Channel = BufferedChannel<Line>;

/// What our engine knows of a channel: the other end, from the opening on.
#[derive(Default)]
pub(crate) struct Line(OnceLock<Weak<Channel>>);

impl ChannelEngine for Line {
    type Unread = Receipt;

    fn has_work(&self, channel: &Arc<Channel>) {
        // Both ends open under this lock, so that no message comes before `Open`.
        let _network = network();
        while let ChannelWork::Send(message) = channel.next_work() {
            channel.handed_over(message.len());
            if let Some(far) = far_end(channel) {
                far.received(message, Receipt(channel.clone()));
            }
        }
        if channel.state() != ChannelState::Open {
            close(channel);
        }
    }

    fn max_message_size(&self) -> usize {
        MAX_MESSAGE_SIZE
    }
}

/// Tells the sender, when dropped, that its message is read or never will be.
pub(crate) struct Receipt(Arc<Channel>);

impl Drop for Receipt {
    fn drop(&mut self) {
        self.0.settle_oldest();
    }
}

/// An end that is not open yet.
pub(crate) fn create(label: &str, init: ChannelInit) -> (Arc<Channel>, ChannelHandle) {
    Channel::new(Line::default(), label, init, SEND_BUFFER)
}

/// Opens two ends with each other.
pub(crate) fn open(one: &Arc<Channel>, other: &Arc<Channel>, id: u16) {
    for (end, far) in [(one, other), (other, one)] {
        end.engine().0.get_or_init(|| Arc::downgrade(far));
        end.opened(Some(id));
    }
}

/// Closes both ends. What lies unread can still be read.
pub(crate) fn close(channel: &Channel) {
    channel.set_closed();
    if let Some(far) = far_end(channel) {
        far.set_closed();
    }
}

fn far_end(channel: &Channel) -> Option<Arc<Channel>> {
    channel.engine().0.get()?.upgrade()
}
