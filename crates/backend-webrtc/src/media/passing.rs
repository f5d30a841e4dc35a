//! The form of our interceptors: they look at what comes in, and let everything pass.

use std::{collections::VecDeque, time::Instant};

use rtc::{
    interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket},
    sansio::Protocol,
};
use webrtc::error::Error as EngineError;

/// What is done with what comes in. Runs on the engine's driver, so it must not take long.
pub(super) trait Look: Send + Sync + 'static {
    /// A packet comes in.
    fn look(&mut self, packet: &mut Packet);

    /// A source of the peer's is known from now on.
    fn source_bound(&mut self, _info: &StreamInfo) {}

    /// A source of the peer's is gone.
    fn source_unbound(&mut self, _info: &StreamInfo) {}
}

pub(super) struct Passing<L> {
    look: L,
    read: VecDeque<TaggedPacket>,
    written: VecDeque<TaggedPacket>,
}

impl<L> Passing<L> {
    pub(super) fn new(look: L) -> Self {
        Self { look, read: VecDeque::new(), written: VecDeque::new() }
    }
}

impl<L: Look> Protocol<TaggedPacket, TaggedPacket, ()> for Passing<L> {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = EngineError;
    type Time = Instant;

    fn handle_read(&mut self, mut message: TaggedPacket) -> Result<(), EngineError> {
        self.look.look(&mut message.message.packet);
        self.read.push_back(message);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.read.pop_front()
    }

    fn handle_write(&mut self, message: TaggedPacket) -> Result<(), EngineError> {
        self.written.push_back(message);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.written.pop_front()
    }
}

impl<L: Look> Interceptor for Passing<L> {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}

    fn unbind_local_stream(&mut self, _: &StreamInfo) {}

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        self.look.source_bound(info);
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.look.source_unbound(info);
    }
}
