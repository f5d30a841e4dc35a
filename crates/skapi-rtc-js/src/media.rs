//! The page's `media`: a stream of its own, or what to ask the user for.

use js_sys::Object;
use skapi_rtc_backend_web::media::user_media;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{MediaStream, MediaStreamTrack};

use crate::{fault::fault, object::get};

/// What a call sends. A stream that was asked for ends with the call; one of the page's own is the page's.
#[derive(Debug, Clone)]
pub(crate) struct Media {
    pub(crate) stream: MediaStream,
    is_ours: bool,
}

impl Media {
    /// Reads `media`; asks the user where that is meant. `None` for a call without.
    pub(crate) async fn of(media: &JsValue) -> Result<Option<Self>, JsValue> {
        if let Some(stream) = media.dyn_ref::<MediaStream>() {
            // `MediaStream` has a `clone` of its own, which makes another stream.
            return Ok(Some(Self { stream: Clone::clone(stream), is_ours: false }));
        }
        if !get(media, "video").is_truthy() && !get(media, "audio").is_truthy() {
            return Ok(None);
        }
        let constraints = media.unchecked_ref::<Object>().unchecked_ref();
        let asked = user_media(constraints).await;
        let stream = asked.map_err(|error| fault("INVALID_REQUEST", &error.to_string()))?;
        Ok(Some(Self { stream, is_ours: true }))
    }

    pub(crate) fn stop(&self) {
        if self.is_ours {
            for track in self.stream.get_tracks() {
                track.unchecked_into::<MediaStreamTrack>().stop();
            }
        }
    }
}
