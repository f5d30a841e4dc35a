//! A track of the peer's.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rtc::{
    rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication,
    rtp_transceiver::rtp_sender::RtpCodecKind,
};
use skapi_rtc_backend::{
    MediaKind, PeerEvent, RtpPacket,
    rtp::{Arrivals, RemoteSource, remote_track},
};
use tokio::sync::Notify;
use tracing::{debug, warn};
use webrtc::media_stream::track_remote::{TrackRemote as EngineTrack, TrackRemoteEvent};

use crate::shared::Shared;

/// A source that has been silent for so long may be followed by another one.
const SOURCE_SILENT: Duration = Duration::from_millis(500);

/// Tells of a track of the peer's, and reads it from now on. Runs on the engine's driver.
pub(crate) async fn announce(shared: &Arc<Shared>, engine: Arc<dyn EngineTrack>) {
    let kind = match engine.kind().await {
        RtpCodecKind::Audio => MediaKind::Audio,
        RtpCodecKind::Video => MediaKind::Video,
        kind => return debug!(?kind, "a track of an unknown kind is not told"),
    };
    let keyframe = Arc::<Notify>::default();
    let asked = Asked { keyframe: keyframe.clone(), shared: shared.clone() };
    let (stream_id, track_id) = (engine.stream_id().await, engine.track_id().await);
    let (arrivals, handle) = remote_track(kind, stream_id, track_id, asked);
    let source = engine.ssrcs().await.first().copied().unwrap_or_default();
    if shared.try_emit(PeerEvent::Track(handle)).is_some() {
        warn!("the peer adds tracks faster than they are taken: one is refused");
    }
    let reader = Reader { shared: shared.clone(), engine, arrivals, source, heard: None };
    shared.runtime.spawn(reader.run(keyframe));
}

/// What a track asks of its reader.
struct Asked {
    keyframe: Arc<Notify>,
    shared: Arc<Shared>,
}

impl RemoteSource for Asked {
    fn ask_for_keyframe(&self) {
        self.keyframe.notify_one();
    }

    fn is_closed(&self) -> bool {
        self.shared.is_closing()
    }
}

async fn request_keyframe(engine: &dyn EngineTrack, media_ssrc: u32) {
    let request = PictureLossIndication { sender_ssrc: 0, media_ssrc };
    if let Err(error) = engine.write_rtcp(vec![Box::new(request)]).await {
        debug!(%error, "a key frame could not be asked for");
    }
}

/// Empties the engine's queue of a track, which drops what is not fetched at once.
struct Reader {
    shared: Arc<Shared>,
    engine: Arc<dyn EngineTrack>,
    arrivals: Arrivals,
    /// The number of the source (SSRC) that is heard.
    source: u32,
    heard: Option<Instant>,
}

impl Reader {
    async fn run(mut self, keyframe: Arc<Notify>) {
        let shared = self.shared.clone();
        let over = shared.over();
        tokio::pin!(over);
        loop {
            tokio::select! {
                biased;
                event = self.engine.poll() => match event {
                    Some(TrackRemoteEvent::OnRtpPacket(packet)) => self.receive(packet),
                    Some(TrackRemoteEvent::OnEnded) | None => return,
                    Some(_) => {}
                },
                () = keyframe.notified() => {
                    request_keyframe(&*self.engine, self.source).await;
                }
                () = &mut over => return,
            }
        }
    }

    fn receive(&mut self, packet: rtc::rtp::Packet) {
        let now = Instant::now();
        if !self.is_heard(packet.header.ssrc, now) {
            return;
        }
        let Some(codec) = self.shared.codec(packet.header.payload_type) else {
            return;
        };
        let (header, payload) = (packet.header, packet.payload);
        let packet =
            RtpPacket::new(codec, header.sequence_number, header.timestamp, header.marker, payload);
        self.arrivals.push(packet, now);
    }

    /// A track can have several sources (simulcast); one is heard.
    fn is_heard(&mut self, source: u32, now: Instant) -> bool {
        let silent = self.heard.is_none_or(|heard| now.duration_since(heard) > SOURCE_SILENT);
        if self.source != source {
            if !silent {
                return false;
            }
            self.source = source;
        }
        self.heard = Some(now);
        true
    }
}
