//! Data channels: `RTCDataChannel` and `RTCDataChannelInit` (W3C WebRTC §6).

use std::{fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{ChannelError, EventStream, Last, MaybeSend, MaybeSync, Weigh};

/// One message. Its boundaries survive the journey, whatever its size.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// Text, UTF-8.
    Text(String),
    /// Bytes.
    Binary(Bytes),
}

impl Message {
    /// A message as it came over the wire. Text that is not UTF-8 is repaired, as browsers do it (W3C
    /// WebRTC §6.2, "UTF-8 decode").
    pub fn received(is_text: bool, payload: Bytes) -> Self {
        if !is_text {
            return Self::Binary(payload);
        }
        match String::from_utf8(payload.into()) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Text(String::from_utf8_lossy(error.as_bytes()).into_owned()),
        }
    }

    /// The payload's size in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether the payload is empty; empty messages travel like any other (RFC 8831 §6.6).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Debug for Message {
    /// Kind and size only: payloads belong to the application and do not end up in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self {
            Self::Text(_) => "Text",
            Self::Binary(_) => "Binary",
        };
        write!(f, "{kind}({} bytes)", self.len())
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

/// How hard a channel tries. The web platform's two optional fields exclude each other; this is what
/// remains possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reliability {
    /// Every message arrives, or the channel closes.
    #[default]
    Reliable,
    /// `maxRetransmits`: a message is sent again at most this often.
    MaxRetransmits(u16),
    /// `maxPacketLifeTime`: a message is given up after this time; whole milliseconds, at most 65,535.
    MaxLifetime(Duration),
}

/// How a channel is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelInit {
    /// Whether messages arrive in the order in which they were sent. Default: yes.
    pub ordered: bool,
    /// How hard to try. Default: reliable.
    pub reliability: Reliability,
    /// The sub-protocol's name, at most 65,535 bytes. Default: empty.
    pub protocol: String,
    /// The stream id (0 to 65,534) when both sides make the channel by themselves; `None` announces it
    /// in band (RFC 8832). Default: `None`.
    pub negotiated: Option<u16>,
}

impl Default for ChannelInit {
    fn default() -> Self {
        Self {
            ordered: true,
            reliability: Reliability::Reliable,
            protocol: String::new(),
            negotiated: None,
        }
    }
}

/// The options of a channel are out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelInitError {
    /// The label is too long.
    #[error("the label has {0} bytes, at most 65,535 are allowed")]
    LabelTooLong(usize),
    /// The protocol name is too long.
    #[error("the protocol has {0} bytes, at most 65,535 are allowed")]
    ProtocolTooLong(usize),
    /// The lifetime does not fit 16 bits of milliseconds.
    #[error("the lifetime must be at most 65,535 ms, it is {0:?}")]
    LifetimeTooLong(Duration),
    /// 65,535 is not a stream id.
    #[error("the negotiated id must be at most 65,534")]
    IdOutOfRange,
    /// A channel with this id exists already.
    #[error("a channel with the negotiated id {0} exists already")]
    IdInUse(u16),
}

impl ChannelInit {
    /// Sets whether messages arrive in order.
    pub fn ordered(mut self, ordered: bool) -> Self {
        self.ordered = ordered;
        self
    }

    /// Sets how hard to try.
    pub fn reliability(mut self, reliability: Reliability) -> Self {
        self.reliability = reliability;
        self
    }

    /// Names the sub-protocol.
    pub fn protocol(mut self, protocol: impl Into<String>) -> Self {
        self.protocol = protocol.into();
        self
    }

    /// Makes the channel by agreement: the other side makes one with the same id.
    pub fn negotiated(mut self, id: u16) -> Self {
        self.negotiated = Some(id);
        self
    }

    /// Checks the ranges of W3C WebRTC §6.1 (`createDataChannel`), for every engine alike.
    ///
    /// # Errors
    /// Names the option that is out of range.
    pub fn validate(&self, label: &str) -> Result<(), ChannelInitError> {
        const MAX: usize = u16::MAX as usize;
        if label.len() > MAX {
            return Err(ChannelInitError::LabelTooLong(label.len()));
        }
        if self.protocol.len() > MAX {
            return Err(ChannelInitError::ProtocolTooLong(self.protocol.len()));
        }
        if let Reliability::MaxLifetime(lifetime) = self.reliability
            && lifetime.as_millis() > u128::from(u16::MAX)
        {
            return Err(ChannelInitError::LifetimeTooLong(lifetime));
        }
        if self.negotiated == Some(u16::MAX) {
            return Err(ChannelInitError::IdOutOfRange);
        }
        Ok(())
    }
}

/// How a channel is doing: `RTCDataChannelState` (W3C WebRTC §6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChannelState {
    /// Not yet usable.
    Connecting,
    /// Messages can be sent.
    Open,
    /// Being closed; what was sent before still arrives.
    Closing,
    /// Closed for good.
    Closed,
}

/// One event of a data channel.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelEvent {
    /// The channel is usable. First event of every channel that opens, on both sides.
    Open,
    /// A message arrived.
    Message(Message),
    /// `bufferedAmount` has fallen to or below its low threshold.
    BufferedAmountLow,
    /// The channel is closed, by either side or with its connection. Last event, exactly once.
    Closed,
}

impl Weigh for ChannelEvent {
    fn weight(&self) -> usize {
        match self {
            Self::Message(message) => message.len(),
            _ => 0,
        }
    }
}

impl Last for ChannelEvent {
    fn is_last(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

/// A data channel.
#[cfg_attr(not(target_arch = "wasm32"), async_trait)]
#[cfg_attr(target_arch = "wasm32", async_trait(?Send))]
pub trait DataChannel: Debug + MaybeSend + MaybeSync + 'static {
    /// The label given at creation, the same on both sides.
    fn label(&self) -> &str;

    /// How the channel was made, by us or by the peer who announced it.
    fn init(&self) -> &ChannelInit;

    /// The sub-protocol's name, or empty.
    fn protocol(&self) -> &str {
        &self.init().protocol
    }

    /// Whether messages arrive in order.
    fn ordered(&self) -> bool {
        self.init().ordered
    }

    /// How hard the channel tries; see
    /// [`Capabilities::incoming_reliability`](crate::Capabilities::incoming_reliability) for channels
    /// that the peer opened.
    fn reliability(&self) -> Reliability {
        self.init().reliability
    }

    /// Whether the channel was made by agreement instead of in band.
    fn negotiated(&self) -> bool {
        self.init().negotiated.is_some()
    }

    /// The SCTP stream id, known from [`Open`](ChannelEvent::Open) on at the latest.
    fn id(&self) -> Option<u16>;

    /// The channel's state now.
    fn state(&self) -> ChannelState;

    /// Sends a message; waits while the send buffer is full, so that a fast sender takes bounded memory.
    /// Messages of one task leave in order. Cancelling the future either sends the message or does not;
    /// it never sends a part.
    ///
    /// # Errors
    /// [`ChannelError::NotOpen`] before the channel is open, [`ChannelError::Closed`] after it was
    /// closed, [`ChannelError::TooLarge`] above [`max_message_size`](Self::max_message_size).
    async fn send(&self, message: Message) -> Result<(), ChannelError>;

    /// Sends a message if the send buffer has room, and returns at once.
    ///
    /// # Errors
    /// Those of [`send`](Self::send), and [`ChannelError::Full`].
    fn try_send(&self, message: Message) -> Result<(), ChannelError>;

    /// `bufferedAmount`: payload bytes that were given to [`send`](Self::send) and that the transport
    /// has not yet let go of. Engines differ in whether bytes in flight count; none reports more than
    /// was sent.
    fn buffered_amount(&self) -> usize;

    /// `bufferedAmountLowThreshold` in bytes. Default: 0.
    fn buffered_amount_low_threshold(&self) -> usize;

    /// Sets the threshold for [`ChannelEvent::BufferedAmountLow`].
    fn set_buffered_amount_low_threshold(&self, bytes: usize);

    /// The largest message the peer accepts, in bytes (`RTCSctpTransport.maxMessageSize`).
    fn max_message_size(&self) -> usize;

    /// Closes the channel; what was sent before still arrives. Idempotent. Returns when the request is
    /// on its way; [`ChannelEvent::Closed`] tells the end.
    async fn close(&self);
}

/// The events of one channel, in order. They end after [`ChannelEvent::Closed`]. Not reading them holds
/// the sender back where the channel is reliable.
pub type ChannelEvents = EventStream<ChannelEvent>;

/// A channel together with its events.
#[derive(Debug)]
#[non_exhaustive]
pub struct ChannelHandle {
    /// The channel. It stays open when handles are dropped; close it, or its connection.
    pub channel: Arc<dyn DataChannel>,
    /// What happens on it.
    pub events: ChannelEvents,
}

impl ChannelHandle {
    /// Pairs a channel with its events.
    pub fn new(channel: Arc<dyn DataChannel>, events: ChannelEvents) -> Self {
        Self { channel, events }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_knows_its_size_in_bytes() {
        assert_eq!(Message::from("grüß").len(), 6);
        assert_eq!(Message::from(vec![0; 3]).len(), 3);
        assert!(Message::from("").is_empty());
        assert!(!Message::from("x").is_empty());
    }

    #[test]
    fn received_text_and_bytes_keep_their_kind() {
        let received = |is_text, payload: &'static [u8]| {
            Message::received(is_text, Bytes::from_static(payload))
        };
        assert_eq!(received(true, "grüß".as_bytes()), Message::from("grüß"));
        assert_eq!(received(false, &[0, 255]), Message::from(vec![0, 255]));
        assert_eq!(received(true, &[]), Message::from(""));
        assert_eq!(received(true, b"a\xffb"), Message::from("a\u{fffd}b"));
    }

    #[test]
    fn debug_output_hides_the_payload() {
        assert_eq!(format!("{:?}", Message::from("secret")), "Text(6 bytes)");
        assert_eq!(format!("{:?}", Message::from(vec![1, 2])), "Binary(2 bytes)");
    }

    #[test]
    fn the_defaults_are_those_of_the_web() {
        let init = ChannelInit::default();
        assert!(init.ordered);
        assert_eq!(init.reliability, Reliability::Reliable);
        assert_eq!((&*init.protocol, init.negotiated), ("", None));
        assert_eq!(init.validate(""), Ok(()));
    }

    #[test]
    fn options_are_accepted_up_to_their_limits() {
        let longest = "x".repeat(65_535);
        let init = ChannelInit::default()
            .ordered(false)
            .reliability(Reliability::MaxLifetime(Duration::from_millis(65_535)))
            .protocol(longest.as_str())
            .negotiated(65_534);
        assert_eq!(init.validate(&longest), Ok(()));
    }

    #[test]
    fn options_beyond_their_limits_are_named() {
        let long = "x".repeat(65_536);
        let lifetime = Duration::from_millis(65_536);
        let plain = ChannelInit::default();
        assert_eq!(plain.validate(&long), Err(ChannelInitError::LabelTooLong(65_536)));
        assert_eq!(
            plain.clone().protocol(long).validate("x"),
            Err(ChannelInitError::ProtocolTooLong(65_536))
        );
        assert_eq!(
            plain.clone().reliability(Reliability::MaxLifetime(lifetime)).validate("x"),
            Err(ChannelInitError::LifetimeTooLong(lifetime))
        );
        assert_eq!(plain.negotiated(u16::MAX).validate("x"), Err(ChannelInitError::IdOutOfRange));
    }

    #[test]
    fn what_holds_events_can_be_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<ChannelEvents>();
        shared::<ChannelHandle>();
        shared::<crate::PeerHandle>();
    }
}
