//! One call as the page sees it: its `RTCPeerConnection`, its channels, and the callback that is told all.

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
    sync::Arc,
};

use gloo_events::EventListener;
use js_sys::{Function, Object, Reflect};
use skapi_rtc::{CallEnd, ConnectionHook, Side, backend::PeerConnection};
use skapi_rtc_backend_web::WebConnection;
use tokio::sync::watch;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{RtcDataChannel, RtcPeerConnection};

use crate::{
    fault,
    media::Media,
    object::{get, object, set},
    reports,
};

pub(crate) struct PageCall {
    /// The peer's connection id, as the page writes it.
    pub(crate) cid: String,
    callback: Function,
    media: Option<Media>,
    /// STUN servers beside those that the service names.
    ice: JsValue,
    /// The page holds this very object, so it is kept as it is.
    channels: Object,
    target: RefCell<Option<RtcPeerConnection>>,
    listeners: RefCell<Vec<EventListener>>,
    hung_up: watch::Sender<bool>,
}

impl PageCall {
    pub(crate) fn new(
        cid: String,
        callback: Function,
        media: Option<Media>,
        ice: JsValue,
    ) -> Rc<Self> {
        Rc::new(Self {
            cid,
            callback,
            media,
            ice,
            channels: Object::new(),
            target: RefCell::default(),
            listeners: RefCell::default(),
            hung_up: watch::Sender::new(false),
        })
    }

    /// Wishes the end of the call.
    pub(crate) fn hang_up(&self) {
        self.hung_up.send_replace(true);
    }

    /// Waits until the page wishes the end.
    pub(crate) async fn wished_over(&self) {
        // We hold the sender, so it does not go.
        let _ = self.hung_up.subscribe().wait_for(|over| *over).await;
    }

    /// A function for the page that hangs up.
    pub(crate) fn hangup_function(self: &Rc<Self>) -> JsValue {
        let call = self.clone();
        Closure::<dyn Fn()>::new(move || call.hang_up()).into_js_value()
    }

    /// Takes each of the call's peer connections into our care before it is negotiated.
    pub(crate) fn hook(self: &Rc<Self>) -> ConnectionHook {
        let call = Rc::downgrade(self);
        ConnectionHook::new(move |peer| {
            if let Some(call) = call.upgrade() {
                call.adopt(peer);
            }
        })
    }

    /// `RTCResolved`: what a page gets of a call that is up.
    pub(crate) fn resolved(self: &Rc<Self>) -> JsValue {
        let media = self.media.as_ref().map(|media| &media.stream);
        object! {
            "target": self.target.borrow().clone(),
            "channels": &self.channels,
            "media": media.map_or(JsValue::NULL, |stream| Clone::clone(stream).into()),
            "hangup": self.hangup_function(),
        }
        .into()
    }

    /// Tells the page how the call ended, and lets everything go.
    pub(crate) fn end(&self, end: &CallEnd) {
        self.listeners.borrow_mut().clear();
        for channel in Object::values(&self.channels) {
            self.drop_channel(channel.unchecked_ref());
            self.tell(&reports::CHANNEL_CLOSE.of(&channel, &JsValue::UNDEFINED));
        }
        if let Some(target) = self.target.borrow().as_ref() {
            self.tell(&reports::STATE_CHANGE.of(target, &JsValue::UNDEFINED));
        }
        if let Some(media) = &self.media {
            media.stop();
        }
        let told = object! { "type": "ended", "target": self.target.borrow().clone() };
        describe(&told, end);
        self.tell(&told);
    }

    /// Tells the page that the call has come to a stage that no event of the browser stands for.
    pub(crate) fn tell_plain(&self, kind: &str) {
        self.tell(&object! { "type": kind, "target": self.target.borrow().clone() });
    }

    fn adopt(self: &Rc<Self>, peer: &Arc<dyn PeerConnection>) {
        let Some(connection) = WebConnection::of(peer) else { return };
        let native = connection.native();
        *self.target.borrow_mut() = Some(native.clone());
        self.add_ice(native);
        let mut listeners = Vec::new();
        for report in reports::CONNECTION {
            listeners.push(self.listen(native, report.name, |call, target, name, event| {
                if let Some(report) = reports::CONNECTION.iter().find(|report| report.name == name)
                {
                    call.tell(&report.of(target, event));
                }
            }));
        }
        listeners.push(self.listen(native, "icecandidate", |call, target, _, event| {
            call.tell(&reports::candidate(event).of(target, event));
        }));
        self.listeners.borrow_mut().extend(listeners);
        let call = Rc::downgrade(self);
        connection.take_channels(move |channel| {
            if let Some(call) = call.upgrade() {
                call.adopt_channel(channel);
            }
        });
        if let Some(media) = &self.media {
            // Refused only by a connection that is closed, and this one is new.
            let _ = connection.add_stream(&media.stream);
        }
    }

    fn adopt_channel(self: &Rc<Self>, channel: &RtcDataChannel) {
        set(&self.channels, &channel.label(), channel);
        let mut listeners = Vec::new();
        for report in reports::CHANNEL {
            listeners.push(self.listen(channel, report.name, |call, target, name, event| {
                if let Some(report) = reports::CHANNEL.iter().find(|report| report.name == name) {
                    call.tell(&report.of(target, event));
                }
            }));
        }
        listeners.push(self.listen(channel, "close", |call, target, _, event| {
            call.drop_channel(target.unchecked_ref());
            call.tell(&reports::CHANNEL_CLOSE.of(target, event));
        }));
        self.listeners.borrow_mut().extend(listeners);
    }

    fn drop_channel(&self, channel: &RtcDataChannel) {
        // A newer one of the same name stays.
        let current = get(&self.channels, &channel.label());
        if current == JsValue::from(channel) {
            let _ = Reflect::delete_property(&self.channels, &channel.label().into());
        }
    }

    fn listen(
        self: &Rc<Self>,
        target: &web_sys::EventTarget,
        name: &'static str,
        act: fn(&Self, &JsValue, &str, &JsValue),
    ) -> EventListener {
        let call: Weak<Self> = Rc::downgrade(self);
        let source = target.clone();
        EventListener::new(target, name, move |event| {
            if let Some(call) = call.upgrade() {
                act(&call, &source, &event.type_(), event);
            }
        })
    }

    /// Adds the page's own servers to those of the session.
    fn add_ice(&self, native: &RtcPeerConnection) {
        if !self.ice.is_truthy() {
            return;
        }
        let config = native.get_configuration();
        let servers = config.get_ice_servers().unwrap_or_default();
        servers.push(&object! { "urls": &self.ice }.into());
        config.set_ice_servers(&servers);
        if native.set_configuration_with_configuration(&config).is_err() {
            let told = object! { "type": "icecandidateerror", "url": &self.ice, "errorText": "the browser refuses this server" };
            self.tell(&told);
        }
    }

    fn tell(&self, event: &Object) {
        call_page(&self.callback, event);
    }
}

/// Adds to an event why a call ended, and who ended it.
pub(crate) fn describe(event: &Object, end: &CallEnd) {
    set(event, "reason", fault::reason(end));
    set(
        event,
        "by",
        match end.by {
            Side::Local => "local",
            Side::Remote => "remote",
        },
    );
    set(event, "text", end.to_string());
}

/// Calls a function of the page. What it throws is its own, and shown as such.
pub(crate) fn call_page(callback: &Function, event: &Object) {
    if let Err(thrown) = callback.call1(&JsValue::NULL, event) {
        wasm_bindgen_futures::spawn_local(async move {
            // A promise that nobody catches is what a browser shows best.
            drop(js_sys::Promise::reject(&thrown));
        });
    }
}
