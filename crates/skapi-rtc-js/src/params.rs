//! What a page asks of a call: `RTCConnectorParams` and `RTCReceiverParams` of Skapi's document.

use std::time::Duration;

use js_sys::Array;
use skapi_rtc::{
    CallOptions, ChannelInit, ChannelOptions, ChannelPreset, ConnectionId, DEFAULT_CHANNEL,
    Reliability,
};
use wasm_bindgen::{JsCast, JsValue};

use crate::{
    fault::{INVALID_PARAMETER, fault},
    object::{get, text},
};

/// The prefix by which pages name connections.
const CID: &str = "cid:";
/// The channels of a call at most; a call holds no more.
const MAX_CHANNELS: u32 = 64;

/// A connection id as pages write it.
pub(crate) fn page_cid(cid: &ConnectionId) -> String {
    format!("{CID}{}", cid.as_str())
}

/// Reads `cid`.
pub(crate) fn cid(params: &JsValue) -> Result<ConnectionId, JsValue> {
    let invalid = || fault(INVALID_PARAMETER, "\"cid\" should be a valid connection id.");
    let text = text(params, "cid").ok_or_else(invalid)?;
    let bare = text.strip_prefix(CID).ok_or_else(invalid)?;
    ConnectionId::new(bare).map_err(|_| invalid())
}

/// Reads `channels`, and our own `timeout` in seconds.
pub(crate) fn call_options(params: &JsValue) -> Result<CallOptions, JsValue> {
    let mut options = CallOptions::default();
    if let Some(seconds) = get(params, "timeout").as_f64() {
        options.no_answer_timeout = Duration::try_from_secs_f64(seconds).ok();
    }
    let channels = get(params, "channels");
    let channels = match channels.dyn_ref::<Array>() {
        Some(channels) if channels.length() > MAX_CHANNELS => {
            let message = format!("a call has at most {MAX_CHANNELS} \"channels\".");
            return Err(fault(INVALID_PARAMETER, &message));
        }
        Some(channels) => channels.clone(),
        None => Array::new(),
    };
    for asked in channels {
        let channel = channel(&asked)?;
        if options.channels.iter().any(|other| other.label == channel.label) {
            let label = channel.label;
            let message = format!("Data channel with the protocol \"{label}\" already exists.");
            return Err(fault("INVALID_REQUEST", &message));
        }
        options.channels.push(channel);
    }
    if options.channels.is_empty() {
        let init = ChannelInit::default().protocol(DEFAULT_CHANNEL);
        options.channels.push(ChannelOptions::with_init(DEFAULT_CHANNEL, init));
    }
    Ok(options)
}

/// A preset's name, or an `RTCDataChannelInit`, whose protocol is also its label.
fn channel(asked: &JsValue) -> Result<ChannelOptions, JsValue> {
    if let Some(name) = asked.as_string() {
        let preset = match name.as_str() {
            "text-chat" => ChannelPreset::TextChat,
            "file-transfer" => ChannelPreset::FileTransfer,
            "video-chat" => ChannelPreset::VideoChat,
            "voice-chat" => ChannelPreset::VoiceChat,
            "gaming" => ChannelPreset::Gaming,
            _ => {
                return Err(fault(INVALID_PARAMETER, "\"channels\" has a name that is no preset."));
            }
        };
        return Ok(preset.into());
    }
    if !asked.is_object() {
        return Err(fault(INVALID_PARAMETER, "\"channels\" holds names of presets and objects."));
    }
    let label = text(asked, "protocol").filter(|protocol| !protocol.is_empty());
    let label = label.unwrap_or_else(|| DEFAULT_CHANNEL.to_owned());
    let ordered = get(asked, "ordered");
    let number = |name: &str| get(asked, name).as_f64();
    let reliability = match (number("maxRetransmits"), number("maxPacketLifeTime")) {
        (Some(_), Some(_)) => {
            let message = "\"maxRetransmits\" and \"maxPacketLifeTime\" exclude each other.";
            return Err(fault(INVALID_PARAMETER, message));
        }
        (Some(count), None) => Reliability::MaxRetransmits(count as u16),
        (None, Some(ms)) => Reliability::MaxLifetime(Duration::from_millis(ms as u64)),
        (None, None) => Reliability::Reliable,
    };
    let init = ChannelInit::default()
        .ordered(ordered.is_undefined() || ordered.is_truthy())
        .reliability(reliability)
        .protocol(label.as_str());
    init.validate(&label).map_err(|error| fault(INVALID_PARAMETER, &error.to_string()))?;
    Ok(ChannelOptions::with_init(label, init))
}
