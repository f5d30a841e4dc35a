//! A track of the peer's, as the application holds it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use skapi_rtc_backend::{MediaError, MediaKind, RemoteTrack, TrackView, rtp::Wishes};
use str0m::media::Mid;

use crate::shared::Shared;

/// A wish for a key frame in one section, on its way to the driver.
#[derive(Debug)]
pub(crate) struct Asking {
    section: Mid,
    called: AtomicBool,
    shared: Arc<Shared>,
}

impl Asking {
    pub(crate) fn new(section: Mid, shared: &Arc<Shared>) -> Arc<Self> {
        Arc::new(Self { section, called: AtomicBool::new(false), shared: shared.clone() })
    }

    /// Has the driver ask for a key frame; what is asked before the driver looks is asked once.
    pub(crate) fn ask(self: &Arc<Self>) {
        if !self.called.swap(true, Ordering::AcqRel) {
            self.shared.call_for_keyframe(self.clone());
        }
    }

    /// The section that is meant; the driver has been called for it.
    pub(crate) fn take(&self) -> Mid {
        self.called.store(false, Ordering::Release);
        self.section
    }
}

pub(crate) struct Remote {
    pub(crate) kind: MediaKind,
    pub(crate) stream_id: String,
    pub(crate) track_id: String,
    pub(crate) wishes: Arc<Wishes>,
    pub(crate) asking: Arc<Asking>,
    pub(crate) shared: Arc<Shared>,
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
            self.asking.ask();
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
