//! Key-frame requests of the peer. The engine keeps RTCP to itself, so they are seen where it passes by.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use rtc::{
    interceptor::Packet,
    rtcp::payload_feedbacks::{
        full_intra_request::FullIntraRequest, picture_loss_indication::PictureLossIndication,
    },
};

use super::{Local, passing::Look};

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
            track.outbound.keyframe_requested();
        }
    }

    fn tracks(&self) -> MutexGuard<'_, HashMap<u32, Weak<Local>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sees the requests among what comes in.
pub(super) struct KeyframeWatch(pub(super) Arc<KeyframeRequests>);

impl Look for KeyframeWatch {
    fn look(&mut self, packet: &mut Packet) {
        let Packet::Rtcp(packets) = packet else { return };
        for packet in packets {
            let packet = packet.as_any();
            if let Some(loss) = packet.downcast_ref::<PictureLossIndication>() {
                self.0.requested(loss.media_ssrc);
            } else if let Some(request) = packet.downcast_ref::<FullIntraRequest>() {
                request.fir.iter().for_each(|entry| self.0.requested(entry.ssrc));
            }
        }
    }
}
