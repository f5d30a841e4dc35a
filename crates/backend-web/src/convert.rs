//! From the words of the traits to the browser's, and back.

use js_sys::{Array, Error, Function, Reflect};
use skapi_rtc_backend::{ChannelInit, ConnectionState, PeerConfig, Reliability, TransportPolicy};
use skapi_rtc_protocol::{IceCandidate, IceServer, SdpKind, SessionDescription};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    RtcConfiguration, RtcDataChannel, RtcDataChannelInit, RtcIceCandidate, RtcIceCandidateInit,
    RtcIceServer, RtcIceTransportPolicy, RtcPeerConnection, RtcPeerConnectionState, RtcSdpType,
    RtcSessionDescriptionInit,
};

pub(crate) fn configuration(config: &PeerConfig) -> RtcConfiguration {
    let out = RtcConfiguration::new();
    out.set_ice_servers(&ice_servers(&config.ice_servers));
    out.set_ice_transport_policy(match config.transport_policy {
        TransportPolicy::All => RtcIceTransportPolicy::All,
        TransportPolicy::Relay => RtcIceTransportPolicy::Relay,
    });
    out
}

pub(crate) fn ice_servers(servers: &[IceServer]) -> Array {
    let native = |server: &IceServer| {
        let out = RtcIceServer::new();
        out.set_urls(&server.urls.iter().map(|url| JsValue::from_str(url)).collect::<Array>());
        if let Some(username) = &server.username {
            out.set_username(username);
        }
        if let Some(credential) = &server.credential {
            out.set_credential(credential);
        }
        out
    };
    servers.iter().map(native).collect()
}

pub(crate) fn description(description: &SessionDescription) -> RtcSessionDescriptionInit {
    let out = RtcSessionDescriptionInit::new(match description.kind {
        SdpKind::Offer => RtcSdpType::Offer,
        SdpKind::Answer => RtcSdpType::Answer,
        SdpKind::ProvisionalAnswer => RtcSdpType::Pranswer,
    });
    out.set_sdp(&description.sdp);
    out
}

pub(crate) fn local_candidate(candidate: &RtcIceCandidate) -> IceCandidate {
    IceCandidate {
        candidate: candidate.candidate(),
        sdp_mid: candidate.sdp_mid(),
        sdp_m_line_index: candidate.sdp_m_line_index(),
        username_fragment: get(candidate, "usernameFragment").as_string(),
    }
}

/// Whether the browser can read a candidate. It says nothing of what it cannot, and leaves the parts out.
pub(crate) fn is_candidate(candidate: &IceCandidate) -> bool {
    RtcIceCandidate::new(&remote_candidate(candidate))
        .is_ok_and(|read| get(&read, "foundation").as_string().is_some())
}

pub(crate) fn remote_candidate(candidate: &IceCandidate) -> RtcIceCandidateInit {
    let out = RtcIceCandidateInit::new(&candidate.candidate);
    // An empty `mid`, as webrtc-rs sends it, is none; then the index counts.
    out.set_sdp_mid(candidate.sdp_mid.as_deref().filter(|mid| !mid.is_empty()));
    out.set_sdp_m_line_index(candidate.sdp_m_line_index);
    if let Some(fragment) = &candidate.username_fragment {
        set(&out, "usernameFragment", &fragment.as_str().into());
    }
    out
}

/// `createDataChannel`, with its exceptions.
pub(crate) fn create_channel(
    peer: &RtcPeerConnection,
    label: &str,
    init: &ChannelInit,
) -> Result<RtcDataChannel, JsValue> {
    let options = RtcDataChannelInit::new();
    options.set_ordered(init.ordered);
    options.set_protocol(&init.protocol);
    match init.reliability {
        Reliability::Reliable => {}
        Reliability::MaxRetransmits(count) => options.set_max_retransmits(count),
        Reliability::MaxLifetime(time) => {
            options.set_max_packet_life_time(u16::try_from(time.as_millis()).unwrap_or(u16::MAX));
        }
    }
    if let Some(id) = init.negotiated {
        options.set_negotiated(true);
        options.set_id(id);
    }
    let create: Function = get(peer, "createDataChannel").unchecked_into();
    create.call2(peer, &label.into(), &options).map(JsCast::unchecked_into)
}

/// How a channel was made, as the browser tells it.
pub(crate) fn init_of(channel: &RtcDataChannel, agreed: Option<u16>) -> ChannelInit {
    let mut init = ChannelInit::default();
    init.ordered = get(channel, "ordered").is_truthy();
    init.reliability = match (channel.max_retransmits(), channel.max_packet_life_time()) {
        (Some(count), _) => Reliability::MaxRetransmits(count),
        (None, Some(ms)) => Reliability::MaxLifetime(std::time::Duration::from_millis(ms.into())),
        (None, None) => Reliability::Reliable,
    };
    init.protocol = get(channel, "protocol").as_string().unwrap_or_default();
    init.negotiated = agreed;
    init
}

pub(crate) fn connection_state(state: RtcPeerConnectionState) -> Option<ConnectionState> {
    Some(match state {
        RtcPeerConnectionState::New => ConnectionState::New,
        RtcPeerConnectionState::Connecting => ConnectionState::Connecting,
        RtcPeerConnectionState::Connected => ConnectionState::Connected,
        RtcPeerConnectionState::Disconnected => ConnectionState::Disconnected,
        RtcPeerConnectionState::Failed => ConnectionState::Failed,
        RtcPeerConnectionState::Closed => ConnectionState::Closed,
        _ => return None,
    })
}

/// A property that the bindings lack; `undefined` where there is none.
pub(crate) fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or_default()
}

fn set(object: &JsValue, name: &str, value: &JsValue) {
    // Refused only by objects that are frozen, and ours are new.
    let _ = Reflect::set(object, &name.into(), value);
}

/// What an exception says.
pub(crate) fn text_of(error: &JsValue) -> String {
    match error.dyn_ref::<Error>() {
        Some(error) => format!("{}: {}", String::from(error.name()), String::from(error.message())),
        None => error.as_string().unwrap_or_else(|| "the browser refused".to_owned()),
    }
}
