//! What a peer connection, its channels and the browser's callbacks share.

use std::{
    cell::{Cell, RefCell},
    ptr::addr_eq,
    rc::Rc,
    sync::Arc,
};

use js_sys::{Array, Promise};
use skapi_rtc_backend::{
    CandidatePair, ChannelHandle, ConnectionState, EventSender, LocalTrack, LocalTrackHandle,
    MediaError, PeerEvent, TrackInit, TrySendError,
};
use tokio::sync::watch;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{MediaStreamTrack, RtcDataChannel, RtcPeerConnection};

use crate::{
    channel::Channel,
    convert,
    line::Line,
    stats,
    tracks::{Received, Sent},
};

/// What may be sent at once before the descriptions say otherwise (RFC 8841 §6.1).
const DEFAULT_MAX_MESSAGE_SIZE: usize = 65_536;

/// Tracks in each direction at most.
const MAX_TRACKS: usize = 64;

type ChannelHook = Rc<dyn Fn(&RtcDataChannel)>;

pub(crate) struct Shared {
    pub(crate) native: RtcPeerConnection,
    closed: watch::Sender<bool>,
    events: RefCell<Option<EventSender<PeerEvent>>>,
    /// Every channel that is not closed.
    lines: RefCell<Vec<Rc<Line>>>,
    /// Every track that we send, or are about to.
    sent: RefCell<Vec<Arc<Sent>>>,
    /// Every track of the peer's that has not ended.
    received: RefCell<Vec<Arc<Received>>>,
    /// Local candidates since the last local description.
    pub(crate) candidates: watch::Sender<u32>,
    pair: RefCell<Option<CandidatePair>>,
    max_message_size: Cell<usize>,
    channel_hook: RefCell<Option<ChannelHook>>,
}

/// An operation of the browser did not succeed.
pub(crate) enum Refused {
    /// The connection was closed before; the browser then says nothing at all.
    Closed,
    /// It says why.
    Because(JsValue),
}

impl Shared {
    pub(crate) fn new(native: RtcPeerConnection, events: EventSender<PeerEvent>) -> Rc<Self> {
        Rc::new(Self {
            native,
            closed: watch::Sender::new(false),
            events: RefCell::new(Some(events)),
            lines: RefCell::default(),
            sent: RefCell::default(),
            received: RefCell::default(),
            candidates: watch::Sender::new(0),
            pair: RefCell::default(),
            max_message_size: Cell::new(DEFAULT_MAX_MESSAGE_SIZE),
            channel_hook: RefCell::default(),
        })
    }

    pub(crate) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// Waits for the browser, or for the end of the connection.
    pub(crate) async fn settle(&self, promise: Promise) -> Result<JsValue, Refused> {
        let mut closed = self.closed.subscribe();
        tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => Err(Refused::Closed),
            settled = JsFuture::from(promise) => settled.map_err(Refused::Because),
        }
    }

    /// Ends everything, once: channels, then the connection's state, then its events.
    pub(crate) fn close(&self) {
        if self.closed.send_replace(true) {
            return;
        }
        self.native.close();
        // The browser says nothing about what is closed by the page.
        for line in self.lines.take() {
            line.finish();
        }
        for track in self.sent.take() {
            track.end();
        }
        for track in self.received.take() {
            track.end();
        }
        if let Some(events) = self.events.take() {
            events.force_send(PeerEvent::State(ConnectionState::Closed));
        }
    }

    /// Tells something that comes from our own side, of which there is never much.
    pub(crate) fn tell(&self, event: PeerEvent) {
        if let Some(events) = &*self.events.borrow() {
            events.force_send(event);
        }
    }

    /// Tells of a channel that the peer has opened. Whoever opens more than are taken gets them closed.
    ///
    /// Not at once: Chromium (156) announces a channel as open before its own engine is through with it, and
    /// listens to it only afterwards. What a page sends in that moment is now and then dropped without a word,
    /// and never counted down in `bufferedAmount`.
    pub(crate) fn tell_channel(self: &Rc<Self>, native: RtcDataChannel) {
        let (line, handle) = self.adopt(native, None, true);
        let shared = self.clone();
        spawn_local(async move {
            shared.asked().await;
            line.announce();
            let refused = match &*shared.events.borrow() {
                Some(events) => match events.try_send(PeerEvent::Channel(handle)) {
                    Err(TrySendError::Full(event) | TrySendError::Closed(event)) => Some(event),
                    Ok(()) => None,
                },
                None => None,
            };
            if refused.is_some() {
                tracing::warn!(label = line.native.label(), "too many data channels at once");
                line.close();
            }
        });
    }

    /// Asks the connection something, and waits for the answer: it has dealt by then with what came before, or is
    /// closed.
    pub(crate) async fn asked(&self) {
        let _ = self.settle(self.native.get_stats()).await;
    }

    /// Takes a channel of the browser into our care.
    pub(crate) fn adopt(
        self: &Rc<Self>,
        native: RtcDataChannel,
        agreed: Option<u16>,
        from_peer: bool,
    ) -> (Rc<Line>, ChannelHandle) {
        let hook = self.channel_hook.borrow().clone();
        let (line, events) =
            Line::new(native, from_peer, agreed, hook.is_some(), Rc::downgrade(self));
        self.lines.borrow_mut().push(line.clone());
        if let Some(hook) = hook {
            hook(&line.native);
        }
        let handle = Channel::handle(line.clone(), events, self.clone());
        (line, handle)
    }

    pub(crate) fn forget(&self, line: &Line) {
        self.lines.borrow_mut().retain(|known| !std::ptr::eq(&**known, line));
    }

    /// Sends a track, now or once the peer offers a section for it.
    pub(crate) fn send_track(&self, init: &TrackInit) -> Result<LocalTrackHandle, MediaError> {
        if self.sent.borrow().len() >= MAX_TRACKS {
            return Err(MediaError::Init(format!("a connection has at most {MAX_TRACKS} tracks")));
        }
        let (track, handle) = Sent::new(init)?;
        if !init.answer_only {
            track.add_to(&self.native);
        }
        self.sent.borrow_mut().push(track);
        Ok(handle)
    }

    pub(crate) fn remove_track(&self, track: &Arc<dyn LocalTrack>) -> Result<(), MediaError> {
        let mut sent = self.sent.borrow_mut();
        let at = sent.iter().position(|sent| addr_eq(Arc::as_ptr(sent), Arc::as_ptr(track)));
        let at = at.ok_or(MediaError::UnknownTrack)?;
        if let Some(sender) = sent.swap_remove(at).end() {
            self.native.remove_track(&sender);
        }
        Ok(())
    }

    /// The peer's offer is in place: what only answers joins it.
    pub(crate) fn join_offer(&self) {
        for track in &*self.sent.borrow() {
            track.join_offer(&self.native);
        }
    }

    /// Tells of a track that the peer sends, or sends again.
    pub(crate) fn tell_track(self: &Rc<Self>, native: MediaStreamTrack, streams: &Array) {
        self.forget_received(&native);
        if self.received.borrow().len() >= MAX_TRACKS {
            tracing::warn!(id = native.id(), "too many tracks at once");
            return;
        }
        let (track, handle) = Received::new(native, streams, Rc::downgrade(self));
        self.received.borrow_mut().push(track);
        self.tell(PeerEvent::Track(handle));
    }

    pub(crate) fn forget_received(&self, native: &MediaStreamTrack) {
        let mut received = self.received.borrow_mut();
        if let Some(at) = received.iter().position(|track| track.is(native)) {
            received.swap_remove(at).end();
        }
    }

    pub(crate) fn set_channel_hook(&self, hook: ChannelHook) {
        *self.channel_hook.borrow_mut() = Some(hook);
    }

    pub(crate) fn is_agreed(&self, id: u16) -> bool {
        self.lines.borrow().iter().any(|line| line.native.id() == Some(id))
    }

    pub(crate) fn max_message_size(&self) -> usize {
        self.max_message_size.get()
    }

    /// Both descriptions are in place: learns what they say about messages.
    pub(crate) fn negotiated(&self) {
        let sctp = convert::get(&self.native, "sctp");
        if let Some(size) = convert::get(&sctp, "maxMessageSize").as_f64() {
            // Infinity, where the peer sets no limit, becomes the largest number there is.
            self.max_message_size.set(size as usize);
        }
        for track in &*self.sent.borrow() {
            track.negotiated();
        }
    }

    /// Looks which pair of candidates carries the traffic, and tells it if that is news.
    pub(crate) fn look_for_pair(self: &Rc<Self>) {
        let shared = self.clone();
        spawn_local(async move {
            let Ok(report) = shared.settle(shared.native.get_stats()).await else { return };
            let Some(pair) = stats::peer_stats(&report).selected_pair else { return };
            let news = {
                let mut known = shared.pair.borrow_mut();
                let same = known.as_ref().is_some_and(|known| {
                    (&known.local, &known.remote) == (&pair.local, &pair.remote)
                });
                *known = Some(pair.clone());
                !same
            };
            if news {
                shared.tell(PeerEvent::SelectedPair(pair));
            }
        });
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}
