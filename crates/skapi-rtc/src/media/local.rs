//! Tracks that we send: made before the call, written while it is up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use skapi_rtc_backend::{
    Codec, EncodedFrame, EventSender, LocalTrack as EngineTrack, LocalTrackEvent, LocalTrackEvents,
    LocalTrackHandle, MediaError, MediaKind, RtpPacket, TrackInit, queue,
};

use crate::runtime;

/// Events of a track that may wait for their reader.
const MAX_EVENTS: usize = 32;

/// A track of audio or video that we send, as encoded frames.
///
/// It is made on its own and then given to calls: in the [`CallOptions`](crate::CallOptions) of the
/// caller, so that it is part of the offer, or of the callee, so that it is part of the answer, or by
/// [`Call::add_track`](crate::Call::add_track) later. Given to several calls, what is written goes to all
/// of them. Clones are handles of the same track.
///
/// ```no_run
/// # async fn example(
/// #     realtime: skapi_rtc::Realtime,
/// #     peer: skapi_rtc::ConnectionId,
/// #     mut next_picture: impl FnMut(bool) -> skapi_rtc::EncodedFrame,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// use skapi_rtc::{CallOptions, Codec, LocalTrack, LocalTrackEvent, TrackInit};
///
/// let init = TrackInit::new([Codec::Vp8], "camera", "camera-video");
/// let (track, mut events) = LocalTrack::new(init)?;
/// let call = realtime.connect_rtc(peer, CallOptions::default().track(&track)).await?.await?;
/// let mut keyframe = true;
/// loop {
///     while let Some(event) = events.try_recv() {
///         keyframe |= event == LocalTrackEvent::KeyframeRequested;
///     }
///     track.write(next_picture(std::mem::take(&mut keyframe))).await?;
/// #   break;
/// }
/// # drop(call);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct LocalTrack {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    kind: MediaKind,
    init: TrackInit,
    events: EventSender<LocalTrackEvent>,
    /// The track in each call that it was given to.
    calls: Mutex<Vec<Arc<dyn EngineTrack>>>,
}

impl LocalTrack {
    /// A track, with what its receivers ask for. The events may be dropped; they end with the last
    /// handle of the track.
    ///
    /// # Errors
    /// [`MediaError::Init`] when the options contradict each other.
    pub fn new(init: TrackInit) -> Result<(Self, LocalTrackEvents), MediaError> {
        let kind = init.kind()?;
        let (events, reader) = queue(MAX_EVENTS, usize::MAX);
        let inner = Inner { kind, init, events, calls: Mutex::default() };
        Ok((Self { inner: Arc::new(inner) }, reader))
    }

    /// Sound or pictures.
    pub fn kind(&self) -> MediaKind {
        self.inner.kind
    }

    /// The track's id, by which the peer finds it in its stream.
    pub fn id(&self) -> &str {
        &self.inner.init.track_id
    }

    /// The id of the stream that the track belongs to.
    pub fn stream_id(&self) -> &str {
        &self.inner.init.stream_id
    }

    /// The codec that was negotiated, of the first call where one was.
    pub fn codec(&self) -> Option<Codec> {
        self.inner.calls().iter().find_map(|track| track.codec())
    }

    /// Sends a frame in every call that has the track. It is dropped where the call is not up yet;
    /// [`LocalTrackEvent::KeyframeRequested`] comes when pictures can flow. Waits while a connection
    /// takes no more.
    ///
    /// # Errors
    /// [`MediaError::Unsupported`] when no call takes the frame, since its codec was not negotiated.
    pub async fn write(&self, frame: EncodedFrame) -> Result<(), MediaError> {
        let mut outcome = Outcome::default();
        for track in self.inner.snapshot() {
            outcome.add(track.write(frame.clone()).await);
        }
        outcome.result()
    }

    /// Sends a packet that another call delivered ([`RemoteTrack::next_packet`]) as it is, which is the
    /// quickest way to pass media on. Otherwise as [`write`](Self::write).
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    ///
    /// [`RemoteTrack::next_packet`]: crate::RemoteTrack::next_packet
    pub async fn write_packet(&self, packet: RtpPacket) -> Result<(), MediaError> {
        let mut outcome = Outcome::default();
        for track in self.inner.snapshot() {
            outcome.add(track.write_packet(packet.clone()).await);
        }
        outcome.result()
    }

    /// A track that the browser has: of a camera, a microphone, a screen, a canvas, another call. The browser
    /// encodes and sends it; nothing is written to it. It stays the page's, which stops it when it wants. The
    /// peer finds it by its own id in this stream.
    ///
    /// # Errors
    /// None for tracks of a browser; the result is that of [`new`](Self::new).
    #[cfg(all(feature = "web", target_arch = "wasm32"))]
    pub fn from_native(
        track: &web_sys::MediaStreamTrack,
        stream: &web_sys::MediaStream,
    ) -> Result<(Self, LocalTrackEvents), MediaError> {
        Self::new(skapi_rtc_backend_web::local_track(track, stream))
    }

    pub(crate) fn init(&self) -> TrackInit {
        self.inner.init.clone()
    }

    /// The track is part of one more connection, until that takes its events away.
    pub(crate) fn attach(&self, handle: LocalTrackHandle) {
        self.inner.calls().push(handle.track.clone());
        let inner = Arc::downgrade(&self.inner);
        runtime::spawn(pump(inner, handle));
    }

    /// The track's part in a connection, if it has one there.
    pub(crate) fn parts(&self) -> Vec<Arc<dyn EngineTrack>> {
        self.inner.snapshot()
    }
}

/// Handles are equal that are of the same track.
impl PartialEq for LocalTrack {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl Eq for LocalTrack {}

impl Inner {
    fn calls(&self) -> MutexGuard<'_, Vec<Arc<dyn EngineTrack>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn snapshot(&self) -> Vec<Arc<dyn EngineTrack>> {
        self.calls().clone()
    }
}

/// Carries what the receiver of one call asks for to the track's reader.
async fn pump(inner: Weak<Inner>, mut handle: LocalTrackHandle) {
    while let Some(event) = handle.events.recv().await {
        let Some(inner) = inner.upgrade() else { return };
        // Nobody has to read them: requests are repeated.
        let _ = inner.events.try_send(event);
    }
    if let Some(inner) = inner.upgrade() {
        let gone = Arc::as_ptr(&handle.track);
        inner.calls().retain(|track| !std::ptr::addr_eq(Arc::as_ptr(track), gone));
    }
}

/// What came of writing to several calls: one that took it is enough.
#[derive(Default)]
struct Outcome {
    taken: bool,
    refused: Option<MediaError>,
}

impl Outcome {
    fn add(&mut self, result: Result<(), MediaError>) {
        match result {
            Ok(()) => self.taken = true,
            // A call that has just ended is no fault of the writer's.
            Err(MediaError::Closed) => {}
            Err(error) => self.refused = Some(error),
        }
    }

    fn result(self) -> Result<(), MediaError> {
        match self.refused {
            Some(error) if !self.taken => Err(error),
            _ => Ok(()),
        }
    }
}
