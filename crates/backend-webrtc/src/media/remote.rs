//! A track of the peer's.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use rtc::{
    rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication,
    rtp_transceiver::rtp_sender::RtpCodecKind,
};
use skapi_rtc_backend::{
    MediaError, MediaKind, PeerEvent, RemoteTrack, RemoteTrackEvents, RemoteTrackHandle, RtpPacket,
    TrackView,
    rtp::{Arrivals, Wishes, inbound},
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
    let asking = keyframe.clone();
    let wishes = Wishes::new(move || asking.notify_one());
    let (arrivals, events) = inbound(kind, wishes.clone());
    let source = engine.ssrcs().await.first().copied().unwrap_or_default();
    let source = Arc::new(AtomicU32::new(source));
    let track = Remote {
        kind,
        track_id: engine.track_id().await,
        stream_id: engine.stream_id().await,
        engine: engine.clone(),
        source: source.clone(),
        wishes,
        shared: shared.clone(),
    };
    let handle = RemoteTrackHandle::new(Arc::new(track), RemoteTrackEvents::new(events));
    if shared.try_emit(PeerEvent::Track(handle)).is_some() {
        warn!("the peer adds tracks faster than they are taken: one is refused");
    }
    let reader = Reader { shared: shared.clone(), engine, arrivals, source, heard: None };
    shared.runtime.spawn(reader.run(keyframe));
}

struct Remote {
    kind: MediaKind,
    track_id: String,
    stream_id: String,
    engine: Arc<dyn EngineTrack>,
    /// The number of the source (SSRC) that is heard.
    source: Arc<AtomicU32>,
    wishes: Arc<Wishes>,
    shared: Arc<Shared>,
}

#[async_trait]
impl RemoteTrack for Remote {
    fn kind(&self) -> MediaKind {
        self.kind
    }

    fn track_id(&self) -> &str {
        &self.track_id
    }

    fn stream_id(&self) -> &str {
        &self.stream_id
    }

    fn set_view(&self, view: TrackView) {
        self.wishes.set_view(view);
    }

    async fn request_keyframe(&self) -> Result<(), MediaError> {
        if self.shared.is_closing() {
            return Err(MediaError::Closed);
        }
        if self.kind == MediaKind::Video {
            request_keyframe(&*self.engine, &self.source).await;
        }
        Ok(())
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("kind", &self.kind)
            .field("track_id", &self.track_id)
            .field("stream_id", &self.stream_id)
            .finish_non_exhaustive()
    }
}

async fn request_keyframe(engine: &dyn EngineTrack, source: &AtomicU32) {
    let media_ssrc = source.load(Ordering::Relaxed);
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
    source: Arc<AtomicU32>,
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
                    request_keyframe(&*self.engine, &self.source).await;
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
        if self.source.load(Ordering::Relaxed) != source {
            if !silent {
                return false;
            }
            self.source.store(source, Ordering::Relaxed);
        }
        self.heard = Some(now);
        true
    }
}
