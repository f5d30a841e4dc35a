//! What two peers say to each other about a call, inside `rtc` frames.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    IceCandidate, Json, SdpKind, SessionDescription,
    codec::{DecodeError, Fields, invalid},
    server::some,
    text_enum::text_enum,
};

/// The content of an `rtc` frame: one signal of Skapi's, and beside it what our own peers add.
///
/// Skapi's client ignores keys it does not know, so the additions travel with every content. A peer that
/// has sent [`capabilities`](Self::capabilities) knows them; one that has not is complete without.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RtcContent {
    /// The signal.
    pub signal: RtcSignal,
    /// Which call of the two connections it belongs to. Our extension.
    pub call: Option<CallKey>,
    /// Why the call ended; with [`RtcSignal::HungUp`]. Our extension.
    pub reason: Option<HangupReason>,
    /// What the sender knows beyond Skapi; in its first content of a call. Our extension.
    pub capabilities: Option<Vec<Capability>>,
    /// The number of this content among those of its sender in this call, counted from 1; a content
    /// without a signal, or with [`RtcSignal::Restart`], has none. Our extension.
    pub seq: Option<u32>,
    /// All of the peer's contents of this call up to this number have arrived. Our extension.
    pub ack: Option<u32>,
    /// Which of its sender's offers in a running call this is, answers or refuses. Our extension.
    pub round: Option<u32>,
}

/// One signal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RtcSignal {
    /// `sdpoffer`: rings, or renegotiates a running call.
    Offer(SessionDescription),
    /// `sdpanswer`: the callee's first content after it has accepted.
    Answer(SessionDescription),
    /// `candidate`: one more way to reach the sender.
    Candidate(IceCandidate),
    /// `pickup`: the callee has accepted. Carries the sender's user id, which readers take from the
    /// frame instead.
    Pickup(String),
    /// `hungup`: the call is over, declined or cancelled. Carries the sender's user id, like `pickup`.
    HungUp(String),
    /// `ringing`: the callee's application knows of the call. Our extension.
    Ringing,
    /// `refused`: an offer in a running call cannot be accepted; the call goes on as it was. Our
    /// extension.
    Refused,
    /// `restart`: how the sender's transports are, from a side that may want to start ICE anew. Our
    /// extension.
    Restart(Transports),
    /// No signal that this version knows.
    None,
}

impl RtcContent {
    /// A content with nothing beside the signal.
    pub fn new(signal: RtcSignal) -> Self {
        Self {
            signal,
            call: None,
            reason: None,
            capabilities: None,
            seq: None,
            ack: None,
            round: None,
        }
    }

    /// Sets the call it belongs to.
    pub fn call(mut self, call: CallKey) -> Self {
        self.call = Some(call);
        self
    }

    /// Sets why the call ended.
    pub fn reason(mut self, reason: HangupReason) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Sets what the sender knows.
    pub fn capabilities(mut self, capabilities: Vec<Capability>) -> Self {
        self.capabilities = Some(capabilities);
        self
    }

    /// Sets its number.
    pub fn seq(mut self, seq: u32) -> Self {
        self.seq = Some(seq);
        self
    }

    /// Sets up to which number the peer's contents have arrived.
    pub fn ack(mut self, ack: u32) -> Self {
        self.ack = Some(ack);
        self
    }

    /// Sets which of its sender's offers it is, answers or refuses.
    pub fn round(mut self, round: u32) -> Self {
        self.round = Some(round);
        self
    }

    /// Reads the content of an `rtc` frame.
    ///
    /// # Errors
    /// Names the field that cannot be used. More than one signal in a content is an error; none is not.
    pub fn decode(content: &Json) -> Result<Self, DecodeError> {
        let raw: RawContent<'_> = Fields::object(content.as_str())?;
        let mut signals = Vec::new();
        if raw.sdpoffer.is_some() {
            let offer = description("sdpoffer", raw.sdpoffer, SdpKind::Offer)?;
            signals.push(RtcSignal::Offer(offer));
        }
        if raw.sdpanswer.is_some() {
            let answer = description("sdpanswer", raw.sdpanswer, SdpKind::Answer)?;
            signals.push(RtcSignal::Answer(answer));
        }
        if let Some(candidate) = raw.candidate {
            let candidate = match candidate.get() {
                "null" => IceCandidate::default(),
                _ => Fields::record("candidate", raw.candidate)?,
            };
            signals.push(RtcSignal::Candidate(candidate));
        }
        if raw.pickup.is_some() {
            signals.push(RtcSignal::Pickup(Fields::required("pickup", raw.pickup)?));
        }
        if raw.hungup.is_some() {
            signals.push(RtcSignal::HungUp(Fields::required("hungup", raw.hungup)?));
        }
        if Fields::optional("ringing", raw.ringing)? == Some(true) {
            signals.push(RtcSignal::Ringing);
        }
        if Fields::optional("refused", raw.refused)? == Some(true) {
            signals.push(RtcSignal::Refused);
        }
        if let Some(transports) = Fields::optional("restart", raw.restart)? {
            signals.push(RtcSignal::Restart(transports));
        }
        if signals.len() > 1 {
            return Err(invalid("content", "it holds more than one signal"));
        }
        Ok(Self {
            signal: signals.pop().unwrap_or(RtcSignal::None),
            call: Fields::optional("call", raw.call)?,
            reason: Fields::optional("reason", raw.reason)?,
            capabilities: Fields::optional("caps", raw.caps)?,
            seq: Fields::optional("seq", raw.seq)?,
            ack: Fields::optional("ack", raw.ack)?,
            round: Fields::optional("round", raw.round)?,
        })
    }

    /// Writes the content, ready for an `rtc` frame.
    pub fn encode(&self) -> Json {
        let mut out = ContentOut {
            call: self.call,
            reason: self.reason.as_ref(),
            caps: self.capabilities.as_deref(),
            seq: self.seq,
            ack: self.ack,
            round: self.round,
            ..ContentOut::default()
        };
        match &self.signal {
            RtcSignal::Offer(offer) => out.sdpoffer = Some(offer),
            RtcSignal::Answer(answer) => out.sdpanswer = Some(answer),
            RtcSignal::Candidate(candidate) => out.candidate = Some(candidate),
            RtcSignal::Pickup(user) => out.pickup = Some(user),
            RtcSignal::HungUp(user) => out.hungup = Some(user),
            RtcSignal::Ringing => out.ringing = Some(true),
            RtcSignal::Refused => out.refused = Some(true),
            RtcSignal::Restart(transports) => out.restart = Some(transports),
            RtcSignal::None => {}
        }
        Json::from_serialize(&out)
            .unwrap_or_else(|error| unreachable!("a content always has a form in JSON: {error}"))
    }
}

/// Tells the calls between two connections apart: 64 random bits of the caller's, on the wire 16
/// hexadecimal digits. Our extension.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallKey(pub u64);

impl fmt::Display for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallKey({self})")
    }
}

impl FromStr for CallKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        match u64::from_str_radix(text, 16) {
            Ok(key) if digits => Ok(Self(key)),
            _ => Err("a call key has 16 hexadecimal digits".to_owned()),
        }
    }
}

impl TryFrom<String> for CallKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<CallKey> for String {
    fn from(key: CallKey) -> String {
        key.to_string()
    }
}

text_enum! {
    /// Why a call ended, as the side that ended it tells. Our extension.
    HangupReason {
        /// The callee did not want it.
        Declined = "declined",
        /// The callee is in another call.
        Busy = "busy",
        /// The caller took it back before it was answered.
        Cancelled = "cancelled",
        /// Nobody answered in time.
        NoAnswer = "no_answer",
        /// The callee took it on another device.
        AnsweredElsewhere = "answered_elsewhere",
        /// The connection could not be made or kept.
        Failed = "failed",
    }
}

text_enum! {
    /// Something a peer knows beyond Skapi. Our extension.
    Capability {
        /// It tells the caller that it rings.
        Ringing = "ringing",
        /// It takes an offer in a running call for a renegotiation, and resolves colliding offers as the
        /// W3C's perfect negotiation does.
        Renegotiate = "renegotiate",
        /// It acknowledges contents that carry a number, and sends its own again until they are.
        Ack = "ack",
        /// It starts ICE anew when the transports are lost, and understands `restart`.
        Restart = "restart",
    }
}

text_enum! {
    /// How a side's transports are. Our extension.
    Transports {
        /// They have lost the peer.
        Lost = "lost",
        /// They have not; the sender is there, should the other side want to start ICE anew.
        Ready = "ready",
    }
}

#[derive(Deserialize)]
struct RawContent<'a> {
    #[serde(borrow)]
    sdpoffer: Option<&'a RawValue>,
    #[serde(borrow)]
    sdpanswer: Option<&'a RawValue>,
    // `null` is the end of candidates.
    #[serde(borrow, default, deserialize_with = "some")]
    candidate: Option<&'a RawValue>,
    #[serde(borrow)]
    pickup: Option<&'a RawValue>,
    #[serde(borrow)]
    hungup: Option<&'a RawValue>,
    #[serde(borrow)]
    ringing: Option<&'a RawValue>,
    #[serde(borrow)]
    refused: Option<&'a RawValue>,
    #[serde(borrow)]
    restart: Option<&'a RawValue>,
    #[serde(borrow)]
    call: Option<&'a RawValue>,
    #[serde(borrow)]
    reason: Option<&'a RawValue>,
    #[serde(borrow)]
    caps: Option<&'a RawValue>,
    #[serde(borrow)]
    seq: Option<&'a RawValue>,
    #[serde(borrow)]
    ack: Option<&'a RawValue>,
    #[serde(borrow)]
    round: Option<&'a RawValue>,
}

#[derive(Default, Serialize)]
struct ContentOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sdpoffer: Option<&'a SessionDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sdpanswer: Option<&'a SessionDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate: Option<&'a IceCandidate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pickup: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hungup: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ringing: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restart: Option<&'a Transports>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<CallKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a HangupReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caps: Option<&'a [Capability]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ack: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    round: Option<u32>,
}

fn description(
    field: &'static str,
    raw: Option<&RawValue>,
    kind: SdpKind,
) -> Result<SessionDescription, DecodeError> {
    let description: SessionDescription = Fields::record(field, raw)?;
    if description.kind != kind {
        return Err(invalid(field, format_args!("its type is {:?}", description.kind)));
    }
    Ok(description)
}
