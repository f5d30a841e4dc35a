//! The browser's tracks: ours, which it encodes and sends, and the peer's, which it plays.

use std::{
    cell::{Cell, RefCell},
    rc::Weak,
    sync::Arc,
};

use async_trait::async_trait;
use gloo_events::EventListener;
use js_sys::Array;
use skapi_rtc_backend::{
    Codec, EncodedFrame, EventSender, LocalTrack, LocalTrackEvent, LocalTrackHandle, MediaError,
    MediaKind, NativeTrack, RemoteTrack, RemoteTrackEvent, RemoteTrackEvents, RemoteTrackHandle,
    RtpPacket, TrackInit, TrackView, queue,
};
use wasm_bindgen::JsCast;
use web_sys::{MediaStream, MediaStreamTrack, RtcPeerConnection, RtcRtpSender};

use crate::{convert::get, shared::Shared};

/// Events of a track that may wait; nobody has to read them.
const MAX_EVENTS: usize = 32;

/// A track of the page's, and the stream in which the peer finds it.
#[derive(Debug)]
struct Source {
    track: MediaStreamTrack,
    stream: MediaStream,
}

/// Describes a track that the browser has: of a camera, a microphone, a screen, a canvas, another call. The
/// peer finds it by its own id in this stream. It stays the page's, which stops it when it wants.
pub fn local_track(track: &MediaStreamTrack, stream: &MediaStream) -> TrackInit {
    let source = Source { track: Clone::clone(track), stream: Clone::clone(stream) };
    TrackInit::native(kind_of(track), NativeTrack::new(source), stream.id(), track.id())
}

/// The track of the browser that a peer sends, to be put into a `MediaStream` and a `<video>`; `None` for
/// one of another engine.
pub fn remote_track(track: &dyn RemoteTrack) -> Option<MediaStreamTrack> {
    let track: &dyn std::any::Any = track;
    track.downcast_ref::<Received>().map(|track| Clone::clone(&track.native))
}

fn kind_of(track: &MediaStreamTrack) -> MediaKind {
    if track.kind() == "audio" { MediaKind::Audio } else { MediaKind::Video }
}

/// A track that we send.
#[derive(Debug)]
pub(crate) struct Sent {
    kind: MediaKind,
    source: NativeTrack,
    /// `None` while it waits for a section that the peer offers, and once it is removed.
    sender: RefCell<Option<RtcRtpSender>>,
    waits: Cell<bool>,
    codec: Cell<Option<Codec>>,
    events: RefCell<Option<EventSender<LocalTrackEvent>>>,
}

impl Sent {
    pub(crate) fn new(init: &TrackInit) -> Result<(Arc<Self>, LocalTrackHandle), MediaError> {
        let kind = init.kind()?;
        let source = init.native.clone().filter(|native| native.get::<Source>().is_some());
        let source = source.ok_or_else(|| {
            MediaError::Unsupported(
                "encoded frames; a browser sends tracks of its own, made by `local_track`"
                    .to_owned(),
            )
        })?;
        let (sender, events) = queue(MAX_EVENTS, usize::MAX);
        let track = Arc::new(Self {
            kind,
            source,
            sender: RefCell::default(),
            waits: Cell::new(true),
            codec: Cell::default(),
            events: RefCell::new(Some(sender)),
        });
        Ok((track.clone(), LocalTrackHandle::new(track, events)))
    }

    /// Adds the track to what the connection sends, or offers to send.
    pub(crate) fn add_to(&self, peer: &RtcPeerConnection) {
        if let Some(source) = self.source.get::<Source>() {
            let sender = peer.add_track(&source.track, &source.stream, &Array::new());
            *self.sender.borrow_mut() = Some(sender);
            self.waits.set(false);
        }
    }

    /// Adds a track that only answers, where the peer has offered a section for it.
    pub(crate) fn join_offer(&self, peer: &RtcPeerConnection) {
        let is_free = |transceiver: &wasm_bindgen::JsValue| {
            let track = get(&get(transceiver, "receiver"), "track");
            get(&track, "kind").as_string().as_deref() == Some(self.kind.to_string().as_str())
                && !get(&get(transceiver, "sender"), "track").is_object()
                && get(transceiver, "mid").is_string()
                && get(transceiver, "direction").as_string().as_deref() != Some("stopped")
        };
        let transceivers: Vec<_> = peer.get_transceivers().iter().collect();
        if self.waits.get() && transceivers.iter().any(is_free) {
            self.add_to(peer);
        }
    }

    /// Looks what the negotiation has chosen.
    pub(crate) fn negotiated(&self) {
        let codec = self.sender.borrow().as_ref().and_then(|sender| {
            let codecs = Array::from(&get(&sender.get_parameters(), "codecs"));
            let name = get(&codecs.get(0), "mimeType").as_string()?;
            let name = name.split_once('/').map(|(_, name)| name.to_ascii_lowercase())?;
            Codec::ALL.into_iter().find(|codec| codec.name().to_ascii_lowercase() == name)
        });
        let before = self.codec.replace(codec);
        if let (Some(codec), true, Some(events)) = (codec, codec != before, &*self.events.borrow())
        {
            // Nobody has to read them.
            let _ = events.try_send(LocalTrackEvent::Negotiated(codec));
        }
    }

    /// Sends no more. Gives what sent it, for the browser to take away.
    pub(crate) fn end(&self) -> Option<RtcRtpSender> {
        self.events.take();
        self.codec.set(None);
        self.waits.set(false);
        self.sender.take()
    }
}

#[async_trait(?Send)]
impl LocalTrack for Sent {
    fn kind(&self) -> MediaKind {
        self.kind
    }

    fn codec(&self) -> Option<Codec> {
        self.codec.get()
    }

    async fn write(&self, _frame: EncodedFrame) -> Result<(), MediaError> {
        Err(self.feeds_itself())
    }

    async fn write_packet(&self, _packet: RtpPacket) -> Result<(), MediaError> {
        Err(self.feeds_itself())
    }
}

impl Sent {
    fn feeds_itself(&self) -> MediaError {
        if self.events.borrow().is_none() {
            return MediaError::Closed;
        }
        MediaError::Unsupported("writing: the browser encodes what the track delivers".to_owned())
    }
}

/// A track that the peer sends.
#[derive(Debug)]
pub(crate) struct Received {
    native: MediaStreamTrack,
    id: String,
    stream: String,
    events: RefCell<Option<EventSender<RemoteTrackEvent>>>,
    listener: RefCell<Option<EventListener>>,
}

impl Received {
    pub(crate) fn new(
        native: MediaStreamTrack,
        streams: &Array,
        shared: Weak<Shared>,
    ) -> (Arc<Self>, RemoteTrackHandle) {
        let (sender, events) = queue(MAX_EVENTS, usize::MAX);
        let stream = streams.get(0).dyn_into::<MediaStream>();
        let track = Arc::new(Self {
            id: native.id(),
            stream: stream.map_or_else(|_| "-".to_owned(), |stream| stream.id()),
            native,
            events: RefCell::new(Some(sender)),
            listener: RefCell::default(),
        });
        let ended = Arc::downgrade(&track);
        let listener = EventListener::once(&track.native, "ended", move |_| {
            if let Some(track) = ended.upgrade() {
                track.end();
                if let Some(shared) = shared.upgrade() {
                    shared.forget_received(&track.native);
                }
            }
        });
        *track.listener.borrow_mut() = Some(listener);
        let events = RemoteTrackEvents::new(events);
        (track.clone(), RemoteTrackHandle::new(track, events))
    }

    pub(crate) fn is(&self, native: &MediaStreamTrack) -> bool {
        self.native == *native
    }

    pub(crate) fn end(&self) {
        if let Some(events) = self.events.take() {
            events.force_send(RemoteTrackEvent::Ended);
        }
    }
}

#[async_trait(?Send)]
impl RemoteTrack for Received {
    fn kind(&self) -> MediaKind {
        kind_of(&self.native)
    }

    fn track_id(&self) -> &str {
        &self.id
    }

    fn stream_id(&self) -> &str {
        &self.stream
    }

    fn set_view(&self, _view: TrackView) {}

    async fn request_keyframe(&self) -> Result<(), MediaError> {
        if self.events.borrow().is_none() {
            return Err(MediaError::Closed);
        }
        Err(MediaError::Unsupported("key frames on demand: a browser asks by itself".to_owned()))
    }
}
