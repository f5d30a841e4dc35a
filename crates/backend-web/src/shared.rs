//! What a peer connection, its channels and the browser's callbacks share.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use js_sys::Promise;
use skapi_rtc_backend::{
    CandidatePair, ChannelHandle, ConnectionState, EventSender, PeerEvent, TrySendError,
};
use tokio::sync::watch;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{RtcDataChannel, RtcPeerConnection};

use crate::{channel::Channel, convert, line::Line, stats};

/// What may be sent at once before the descriptions say otherwise (RFC 8841 §6.1).
const DEFAULT_MAX_MESSAGE_SIZE: usize = 65_536;

type ChannelHook = Rc<dyn Fn(&RtcDataChannel)>;

pub(crate) struct Shared {
    pub(crate) native: RtcPeerConnection,
    closed: watch::Sender<bool>,
    events: RefCell<Option<EventSender<PeerEvent>>>,
    /// Every channel that is not closed.
    lines: RefCell<Vec<Rc<Line>>>,
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
    pub(crate) fn tell_channel(self: &Rc<Self>, native: RtcDataChannel) {
        let handle = self.adopt(native, None);
        let refused = match &*self.events.borrow() {
            Some(events) => match events.try_send(PeerEvent::Channel(handle)) {
                Err(TrySendError::Full(event) | TrySendError::Closed(event)) => Some(event),
                Ok(()) => None,
            },
            None => None,
        };
        if let Some(PeerEvent::Channel(handle)) = refused {
            tracing::warn!(label = handle.channel.label(), "too many data channels at once");
            spawn_local(async move { handle.channel.close().await });
        }
    }

    /// Takes a channel of the browser into our care.
    pub(crate) fn adopt(
        self: &Rc<Self>,
        native: RtcDataChannel,
        agreed: Option<u16>,
    ) -> ChannelHandle {
        let hook = self.channel_hook.borrow().clone();
        let (line, events) = Line::new(native, hook.is_some(), Rc::downgrade(self));
        self.lines.borrow_mut().push(line.clone());
        if let Some(hook) = hook {
            hook(&line.native);
        }
        Channel::handle(line, events, agreed, self.clone())
    }

    pub(crate) fn forget(&self, line: &Line) {
        self.lines.borrow_mut().retain(|known| !std::ptr::eq(&**known, line));
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
