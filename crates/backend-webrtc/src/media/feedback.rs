//! Key-frame requests of the peer. The engine keeps RTCP to itself, so they are seen where it passes by.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Instant,
};

use rtc::{
    interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket},
    rtcp::payload_feedbacks::{
        full_intra_request::FullIntraRequest, picture_loss_indication::PictureLossIndication,
    },
    sansio::Protocol,
};
use webrtc::error::Error as EngineError;

use super::Local;

/// Who is to be told of a request, by the number of the source (SSRC) that it names.
#[derive(Default)]
pub(crate) struct KeyframeRequests(Mutex<HashMap<u32, Weak<Local>>>);

impl KeyframeRequests {
    pub(super) fn watch(&self, source: u32, track: &Arc<Local>) {
        let mut tracks = self.tracks();
        tracks.retain(|_, track| track.strong_count() > 0);
        tracks.insert(source, Arc::downgrade(track));
    }

    fn requested(&self, source: u32) {
        let track = self.tracks().get(&source).and_then(Weak::upgrade);
        if let Some(track) = track {
            track.keyframe_requested();
        }
    }

    fn tracks(&self) -> MutexGuard<'_, HashMap<u32, Weak<Local>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at every RTCP packet and lets it pass. Runs on the engine's driver, so it only queues.
pub(super) struct KeyframeWatch {
    requests: Arc<KeyframeRequests>,
    read: VecDeque<TaggedPacket>,
    written: VecDeque<TaggedPacket>,
}

impl KeyframeWatch {
    pub(super) fn new(requests: Arc<KeyframeRequests>) -> Self {
        Self { requests, read: VecDeque::new(), written: VecDeque::new() }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for KeyframeWatch {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = EngineError;
    type Time = Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), EngineError> {
        if let Packet::Rtcp(packets) = &message.message.packet {
            for packet in packets {
                let packet = packet.as_any();
                if let Some(loss) = packet.downcast_ref::<PictureLossIndication>() {
                    self.requests.requested(loss.media_ssrc);
                } else if let Some(request) = packet.downcast_ref::<FullIntraRequest>() {
                    request.fir.iter().for_each(|entry| self.requests.requested(entry.ssrc));
                }
            }
        }
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

impl Interceptor for KeyframeWatch {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}
