//! What two peers say to each other about a call, inside `rtc` frames.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    CallKey, ConnectionId, HeldCall, IceCandidate, Json, SdpKind, SessionDescription,
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
    /// without a signal, or with [`RtcSignal::Restart`] or [`RtcSignal::Hello`], has none. Our extension.
    pub seq: Option<u32>,
    /// All of the peer's contents of this call up to this number have arrived. Our extension.
    pub ack: Option<u32>,
    /// Which of its sender's offers in a running call this is, answers or refuses. Our extension.
    pub round: Option<u32>,
    /// The call whose place the offered one is to take, because another device of the same user takes it over;
    /// with the [`RtcSignal::Offer`] that begins a call. Our extension.
    pub replaces: Option<CallKey>,
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
    /// `ask_calls`: which calls could be taken over from the receiver, a connection of the same user? Our
    /// extension.
    AskCalls,
    /// `calls`: these. Our extension.
    Calls(Vec<HeldCall>),
    /// `take_over`: the sender, of the same user, wants the receiver's call with this connection. Our extension.
    TakeOver(ConnectionId),
    /// `granted`: it may have the call, which has this key. Our extension.
    Granted(CallKey),
    /// `taken`: the call in the place of another is up at the one who took it over. Our extension.
    Taken,
    /// `hello`: whoever is the peer of this call, the sender is in it and has another connection than before.
    /// Our extension.
    Hello,
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
            replaces: None,
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

    /// Sets the call whose place the offered one is to take.
    pub fn replaces(mut self, call: CallKey) -> Self {
        self.replaces = Some(call);
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
        if Fields::optional("ask_calls", raw.ask_calls)? == Some(true) {
            signals.push(RtcSignal::AskCalls);
        }
        if let Some(calls) = Fields::optional("calls", raw.calls)? {
            signals.push(RtcSignal::Calls(calls));
        }
        if let Some(peer) = Fields::optional("take_over", raw.take_over)? {
            signals.push(RtcSignal::TakeOver(peer));
        }
        if let Some(call) = Fields::optional("granted", raw.granted)? {
            signals.push(RtcSignal::Granted(call));
        }
        if Fields::optional("taken", raw.taken)? == Some(true) {
            signals.push(RtcSignal::Taken);
        }
        if Fields::optional("hello", raw.hello)? == Some(true) {
            signals.push(RtcSignal::Hello);
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
            replaces: Fields::optional("replaces", raw.replaces)?,
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
            replaces: self.replaces,
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
            RtcSignal::AskCalls => out.ask_calls = Some(true),
            RtcSignal::Calls(calls) => out.calls = Some(calls),
            RtcSignal::TakeOver(peer) => out.take_over = Some(peer),
            RtcSignal::Granted(call) => out.granted = Some(*call),
            RtcSignal::Taken => out.taken = Some(true),
            RtcSignal::Hello => out.hello = Some(true),
            RtcSignal::None => {}
        }
        Json::from_serialize(&out)
            .unwrap_or_else(|error| unreachable!("a content always has a form in JSON: {error}"))
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
        /// Another device of the same user has taken the call over.
        Moved = "moved",
        /// The call cannot be taken over: it is over, its device does not let it go, or another one was first.
        NotHandedOver = "not_handed_over",
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
        /// It goes on with another device of the peer's user, when that takes the call over.
        Handover = "handover",
        /// It says `hello` to a connection that may be a lost peer's, and answers it.
        Hello = "hello",
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
    ask_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    calls: Option<&'a RawValue>,
    #[serde(borrow)]
    take_over: Option<&'a RawValue>,
    #[serde(borrow)]
    granted: Option<&'a RawValue>,
    #[serde(borrow)]
    taken: Option<&'a RawValue>,
    #[serde(borrow)]
    hello: Option<&'a RawValue>,
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
    #[serde(borrow)]
    replaces: Option<&'a RawValue>,
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
    ask_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calls: Option<&'a [HeldCall]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    take_over: Option<&'a ConnectionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    granted: Option<CallKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    taken: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hello: Option<bool>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<CallKey>,
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
