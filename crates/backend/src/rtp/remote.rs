//! A track of the peer's, as the application holds it, over any engine that hands out its packets.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use super::inbound::{Arrivals, Wishes, inbound};
use crate::{MediaError, MediaKind, RemoteTrack, RemoteTrackHandle, TrackView};

/// Where the packets of a remote track come from.
pub trait RemoteSource: Send + Sync + 'static {
    /// Asks the peer for a key frame. Called wherever the track is read, so it must not wait.
    fn ask_for_keyframe(&self);

    /// Whether the connection is closed.
    fn is_closed(&self) -> bool;
}

/// Both ends of a remote track: where the engine puts its packets, and what the application gets.
pub fn remote_track(
    kind: MediaKind,
    stream_id: String,
    track_id: String,
    source: impl RemoteSource,
) -> (Arrivals, RemoteTrackHandle) {
    let source = Arc::new(source);
    let asked = source.clone();
    let wishes = Wishes::new(move || asked.ask_for_keyframe());
    let (arrivals, events) = inbound(kind, wishes.clone());
    let track = Remote { kind, stream_id, track_id, wishes, source };
    (arrivals, RemoteTrackHandle::new(Arc::new(track), events))
}

struct Remote<S> {
    kind: MediaKind,
    stream_id: String,
    track_id: String,
    wishes: Arc<Wishes>,
    source: Arc<S>,
}

#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
impl<S: RemoteSource> RemoteTrack for Remote<S> {
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
        if self.source.is_closed() {
            return Err(MediaError::Closed);
        }
        if self.kind == MediaKind::Video {
            self.source.ask_for_keyframe();
        }
        Ok(())
    }
}

impl<S> fmt::Debug for Remote<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("kind", &self.kind)
            .field("track_id", &self.track_id)
            .field("stream_id", &self.stream_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    #[derive(Clone, Default)]
    struct Engine(Arc<(AtomicUsize, AtomicBool)>);

    impl RemoteSource for Engine {
        fn ask_for_keyframe(&self) {
            self.0.0.fetch_add(1, Ordering::SeqCst);
        }

        fn is_closed(&self) -> bool {
            self.0.1.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn key_frames_are_asked_for_of_pictures_as_long_as_there_is_a_connection() {
        let engine = Engine::default();
        for (kind, asked) in [(MediaKind::Audio, 0), (MediaKind::Video, 1)] {
            let ids = ("stream".to_owned(), "track".to_owned());
            let (_arrivals, handle) = remote_track(kind, ids.0, ids.1, engine.clone());
            let track = handle.track;
            assert_eq!(
                (track.kind(), track.stream_id(), track.track_id()),
                (kind, "stream", "track")
            );
            assert_eq!(track.request_keyframe().await, Ok(()));
            assert_eq!(engine.0.0.load(Ordering::SeqCst), asked);
        }
        engine.0.1.store(true, Ordering::SeqCst);
        let (_arrivals, handle) =
            remote_track(MediaKind::Video, String::new(), String::new(), engine.clone());
        assert_eq!(handle.track.request_keyframe().await, Err(MediaError::Closed));
        assert_eq!(engine.0.0.load(Ordering::SeqCst), 1);
    }
}
