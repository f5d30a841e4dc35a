//! A peer connection as the browser has it, for what only a page can do with it.

use std::{any::Any, rc::Rc, sync::Arc};

use js_sys::Array;
use skapi_rtc_backend::{MediaError, PeerConnection};
use wasm_bindgen::JsCast;
use web_sys::{MediaStream, MediaStreamTrack, RtcDataChannel, RtcPeerConnection, RtcRtpSender};

use crate::{peer::Peer, shared::Shared};

/// A peer connection of [`WebBackend`](crate::WebBackend). Clones are handles of the same connection, and
/// none of them keeps it open.
#[derive(Debug, Clone)]
pub struct WebConnection {
    shared: Rc<Shared>,
}

impl WebConnection {
    /// The browser's side of a connection; `None` for one of another engine.
    pub fn of(peer: &Arc<dyn PeerConnection>) -> Option<Self> {
        let peer: &dyn Any = &**peer;
        peer.downcast_ref::<Peer>().map(|peer| Self { shared: peer.shared.clone() })
    }

    /// The `RTCPeerConnection`. Negotiating or closing it goes past us; everything else is fine.
    pub fn native(&self) -> &RtcPeerConnection {
        &self.shared.native
    }

    /// Sends every track of a stream; carried over by the next negotiation.
    ///
    /// # Errors
    /// [`MediaError::Closed`] after close.
    pub fn add_stream(&self, stream: &MediaStream) -> Result<Vec<RtcRtpSender>, MediaError> {
        if self.shared.is_closed() {
            return Err(MediaError::Closed);
        }
        let sent = self.native().get_senders();
        let sends = |track: &MediaStreamTrack| {
            sent.iter().any(|sender| {
                sender.unchecked_into::<RtcRtpSender>().track().as_ref() == Some(track)
            })
        };
        let tracks = stream.get_tracks().into_iter().map(|track| track.unchecked_into());
        let added = tracks.filter(|track| !sends(track));
        Ok(added.map(|track| self.native().add_track(&track, stream, &Array::new())).collect())
    }

    /// Gives the page every data channel, ours and the peer's, from now on, as soon as it is there and before
    /// it is open. The page then reads their messages; the traits' channels get none.
    pub fn take_channels(&self, taker: impl Fn(&RtcDataChannel) + 'static) {
        self.shared.set_channel_hook(Rc::new(taker));
    }
}
