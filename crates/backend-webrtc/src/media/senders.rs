//! Our tracks and the engine's senders: when a track is attached to a section, and what may be sent.

use std::sync::Arc;

use rtc::rtp_transceiver::RTCRtpTransceiverDirection as Direction;
use skapi_rtc_backend::{
    Codec, LocalTrack, MediaError,
    rtp::{Section, agreed},
};
use tracing::debug;
use webrtc::{
    error::Result as EngineResult,
    peer_connection::PeerConnection as EnginePeer,
    rtp_transceiver::{RtpSender, RtpTransceiver},
};

use super::{engine::preferences, feedback::KeyframeRequests, local::Local};

/// The local tracks of a connection.
#[derive(Default)]
pub(crate) struct Senders(Vec<Entry>);

struct Entry {
    local: Arc<Local>,
    track: Arc<dyn LocalTrack>,
    attached: Option<Attached>,
}

struct Attached {
    sender: Arc<dyn RtpSender>,
    /// What the engine was told the sender sends.
    codec: Codec,
}

impl Senders {
    pub(crate) fn add(&mut self, local: Arc<Local>, track: Arc<dyn LocalTrack>) {
        self.0.push(Entry { local, track, attached: None });
    }

    /// Whether a track waits for an offer of ours.
    pub(crate) fn want_offer(&self) -> bool {
        self.0
            .iter()
            .any(|entry| entry.attached.is_none() && !entry.local.outbound.init().answer_only)
    }

    /// Attaches what waits, each to a section of its own, for an offer.
    pub(crate) async fn attach_for_offer(
        &mut self,
        engine: &dyn EnginePeer,
        requests: &KeyframeRequests,
    ) -> EngineResult<()> {
        for entry in &mut self.0 {
            if entry.attached.is_some() || entry.local.outbound.init().answer_only {
                continue;
            }
            let Some(&codec) = entry.local.outbound.init().codecs.first() else { continue };
            let transceiver = entry.attach(engine, codec, requests).await?;
            if let Some(transceiver) = transceiver {
                let order = preferences(entry.local.kind(), &entry.local.outbound.init().codecs);
                transceiver.set_codec_preferences(order).await?;
            }
        }
        Ok(())
    }

    /// Attaches what waits to the sections that the peer offers, as long as there are any.
    pub(crate) async fn attach_to_offered(
        &mut self,
        engine: &dyn EnginePeer,
        offered: &[Section],
        requests: &KeyframeRequests,
    ) -> EngineResult<()> {
        let mut free = Vec::new();
        for transceiver in engine.get_transceivers().await {
            let mid = transceiver.mid().await?;
            let section = offered.iter().find(|section| Some(&section.mid) == mid.as_ref());
            if transceiver.sender().await?.is_some() {
                continue;
            }
            if let Some(section) = section.filter(|section| section.receives) {
                free.push(section);
            }
        }
        for entry in self.0.iter_mut().filter(|entry| entry.attached.is_none()) {
            let fits = |section: &&Section| {
                section.kind == entry.local.kind()
                    && entry.local.outbound.chosen(&section.formats).is_some()
            };
            let Some(at) = free.iter().position(fits) else { continue };
            let section = free.remove(at);
            if let Some(codec) = entry.local.outbound.chosen(&section.formats) {
                entry.attach(engine, codec, requests).await?;
            }
        }
        restrict_directions(engine, offered).await
    }

    /// Tells the engine which codec each sender will use, by the peer's description: it buffers for
    /// retransmission by that.
    pub(crate) async fn fit_to(
        &mut self,
        engine: &dyn EnginePeer,
        remote: &[Section],
    ) -> EngineResult<()> {
        for entry in &mut self.0 {
            let Some(attached) = &mut entry.attached else { continue };
            let Some(section) = section_of(engine, &attached.sender, remote).await else {
                continue;
            };
            if let Some(codec) = entry.local.outbound.chosen(&section.formats)
                && codec != attached.codec
            {
                attached.sender.replace_track(entry.local.engine_track(codec)).await?;
                attached.codec = codec;
            }
        }
        Ok(())
    }

    /// A negotiation has ended: every track learns what it may send.
    pub(crate) async fn negotiated(
        &self,
        engine: &dyn EnginePeer,
        local: &[Section],
        remote: &[Section],
    ) {
        for entry in &self.0 {
            let Some(attached) = &entry.attached else { continue };
            let own = section_of(engine, &attached.sender, local).await;
            let peers = section_of(engine, &attached.sender, remote).await;
            let formats = match (own, peers) {
                (Some(own), Some(peers)) => agreed(own, peers),
                _ => Vec::new(),
            };
            entry.local.outbound.negotiated(formats);
        }
    }

    /// Takes a track out; its section goes inactive with the next negotiation.
    pub(crate) async fn remove(
        &mut self,
        engine: &dyn EnginePeer,
        track: &Arc<dyn LocalTrack>,
    ) -> Result<(), MediaError> {
        let at = self
            .0
            .iter()
            .position(|entry| std::ptr::addr_eq(Arc::as_ptr(&entry.track), Arc::as_ptr(track)))
            .ok_or(MediaError::UnknownTrack)?;
        let entry = self.0.remove(at);
        entry.local.end();
        if let Some(attached) = entry.attached {
            let removed = engine.remove_track(&attached.sender).await;
            removed.map_err(|error| MediaError::Engine(error.to_string()))?;
        }
        Ok(())
    }
}

impl Entry {
    /// Gives the track to the engine, which puts it into the first free section of its kind, or makes
    /// one.
    async fn attach(
        &mut self,
        engine: &dyn EnginePeer,
        codec: Codec,
        requests: &KeyframeRequests,
    ) -> EngineResult<Option<Arc<dyn RtpTransceiver>>> {
        let track = self.local.engine_track(codec);
        let sender = engine.add_track(track.clone()).await?;
        self.local.bound(track);
        requests.watch(self.local.source, &self.local);
        let transceiver = transceiver_of(engine, &sender).await;
        self.attached = Some(Attached { sender, codec });
        Ok(transceiver)
    }
}

/// The engine answers with the directions it would like. An answer may only send what the offer
/// receives, and should not announce what nobody sends (RFC 9429 §5.3.1).
async fn restrict_directions(engine: &dyn EnginePeer, offered: &[Section]) -> EngineResult<()> {
    for transceiver in engine.get_transceivers().await {
        let mid = transceiver.mid().await?;
        let Some(section) = offered.iter().find(|section| Some(&section.mid) == mid.as_ref())
        else {
            continue;
        };
        let direction = transceiver.direction().await?;
        let sends =
            direction.has_send() && section.receives && transceiver.sender().await?.is_some();
        let receives = direction.has_recv() && section.sends;
        let restricted = Direction::from_send_recv(sends, receives);
        if restricted != direction {
            debug!(?mid, %direction, %restricted, "a section is answered with less");
            transceiver.set_direction(restricted).await?;
        }
    }
    Ok(())
}

async fn transceiver_of(
    engine: &dyn EnginePeer,
    sender: &Arc<dyn RtpSender>,
) -> Option<Arc<dyn RtpTransceiver>> {
    let all = engine.get_transceivers().await;
    all.into_iter().find(|transceiver| sender.id() == transceiver.id().into())
}

async fn section_of<'a>(
    engine: &dyn EnginePeer,
    sender: &Arc<dyn RtpSender>,
    sections: &'a [Section],
) -> Option<&'a Section> {
    let mid = transceiver_of(engine, sender).await?.mid().await.ok()??;
    sections.iter().find(|section| section.mid == mid)
}
