//! How to connect, and how to call.

use std::{sync::Arc, time::Duration};

use skapi_rtc_backend::{Backend, ChannelInit, Reliability, TransportPolicy};
use skapi_rtc_protocol::IceServer;
use skapi_rtc_signaling::{Config as SessionConfig, HandoverPolicy};

use crate::{
    ConnectionHook, Endpoint, EndpointError, LocalTrack, TokenProvider, token::Tokens,
    transport::Transport,
};

/// How to connect to a service.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use skapi_rtc::{ConnectOptions, connect_realtime};
///
/// let options = ConnectOptions::new("http://127.0.0.1:8787", "a token".to_owned())?;
/// let (realtime, events) = connect_realtime(options).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    pub(crate) endpoint: Endpoint,
    pub(crate) tokens: Tokens,
    pub(crate) session: SessionConfig,
    pub(crate) backend: Option<Arc<dyn Backend>>,
    pub(crate) transport: Option<Arc<dyn Transport>>,
    pub(crate) transport_policy: TransportPolicy,
    pub(crate) service: String,
    pub(crate) owner: String,
    pub(crate) event_capacity: usize,
    pub(crate) retry_first: bool,
    pub(crate) seed: Option<u64>,
}

/// Events that wait for the application before posts are dropped.
const DEFAULT_EVENT_CAPACITY: usize = 1024;

impl ConnectOptions {
    /// The service at this address, with this token or provider of tokens.
    ///
    /// # Errors
    /// When the address is no URL of a service.
    pub fn new(url: &str, token: impl TokenProvider) -> Result<Self, EndpointError> {
        Ok(Self::with_endpoint(Endpoint::new(url)?, token))
    }

    /// The service at this endpoint.
    pub fn with_endpoint(endpoint: Endpoint, token: impl TokenProvider) -> Self {
        Self {
            endpoint,
            tokens: Tokens(Arc::new(token)),
            session: SessionConfig::default(),
            backend: None,
            transport: None,
            transport_policy: TransportPolicy::All,
            service: "self".to_owned(),
            owner: "self".to_owned(),
            event_capacity: DEFAULT_EVENT_CAPACITY,
            retry_first: false,
            seed: None,
        }
    }

    /// The engine that makes the calls. Default: webrtc-rs, with the feature `webrtc`; without it a
    /// session has groups and posts, and every call ends as
    /// [`EngineFailed`](crate::EndReason::EngineFailed).
    pub fn backend(mut self, backend: Arc<dyn Backend>) -> Self {
        self.backend = Some(backend);
        self
    }

    /// The way to the service. Default: WebSocket and HTTP, with the feature `websocket`.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Times and bounds of the session.
    pub fn session(mut self, session: SessionConfig) -> Self {
        self.session = session;
        self
    }

    /// STUN and TURN servers for every call, besides those the service names. Default: none.
    pub fn ice_servers(mut self, servers: Vec<IceServer>) -> Self {
        self.session.ice_servers = servers;
        self
    }

    /// What happens when a device of the same user wants to take a call over from this one, or one of the
    /// peer's goes on with a call. Default: it may, which the application is told; it has to ask for the
    /// [`successor`](crate::Call::successor) of a call then.
    pub fn handover(mut self, policy: HandoverPolicy) -> Self {
        self.session.handover = policy;
        self
    }

    /// Which candidates calls may use. Default: all.
    pub fn transport_policy(mut self, policy: TransportPolicy) -> Self {
        self.transport_policy = policy;
        self
    }

    /// The ids of the Skapi project, which its queries name. Default: `self` for both; a self-hosted
    /// service does not look at them.
    pub fn project(mut self, service: impl Into<String>, owner: impl Into<String>) -> Self {
        self.service = service.into();
        self.owner = owner.into();
        self
    }

    /// How many events may wait for the application. Beyond, posts are dropped and counted
    /// ([`RealtimeEvent::Lagged`](crate::RealtimeEvent::Lagged)); everything else is kept, and the service
    /// held back. Default: 1,024.
    pub fn event_capacity(mut self, events: usize) -> Self {
        self.event_capacity = events.max(1);
        self
    }

    /// Whether a first attempt that fails is repeated, as every later one is. Default: no, so that a wrong
    /// address shows at once.
    pub fn retry_first(mut self, retry: bool) -> Self {
        self.retry_first = retry;
        self
    }

    /// The seed of jitter and of the names of calls, for tests that repeat a run. Default: random.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}

/// How a call is made, by the caller or by the callee.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallOptions {
    /// Data channels to open as soon as the call is up, as a caller. If there is none, one named
    /// `default` is opened, since a call needs something to carry.
    pub channels: Vec<ChannelOptions>,
    /// Audio and video to send: the caller's are part of the offer, the callee's of the answer, each in
    /// the first section of its kind that is offered. A callee's track for which nothing is offered asks
    /// for a negotiation of its own, which Skapi's own client takes for another call;
    /// [`TrackInit::answer_only`](crate::TrackInit) spares that. Default: none.
    pub tracks: Vec<LocalTrack>,
    /// How long it may ring, as a caller. Default: that of the session, 30 s.
    pub no_answer_timeout: Option<Duration>,
    /// In a call to a [user](crate::Realtime::connect_rtc_user): whether one device that declines does so for
    /// all. Default: no, the others ring on.
    pub decline_ends_all: bool,
    /// What to do with each peer connection of the call before it is negotiated. Default: nothing.
    pub on_connection: Option<ConnectionHook>,
}

impl CallOptions {
    /// Adds a data channel.
    pub fn channel(mut self, channel: impl Into<ChannelOptions>) -> Self {
        self.channels.push(channel.into());
        self
    }

    /// Adds a track to send.
    pub fn track(mut self, track: &LocalTrack) -> Self {
        self.tracks.push(track.clone());
        self
    }

    /// Sets how long it may ring.
    pub fn no_answer_timeout(mut self, timeout: Duration) -> Self {
        self.no_answer_timeout = Some(timeout);
        self
    }

    /// Sets whether one device of a called user that declines does so for all.
    pub fn decline_ends_all(mut self, all: bool) -> Self {
        self.decline_ends_all = all;
        self
    }

    /// Hands the application each peer connection of the call (one, as a rule) before it has channels and is
    /// negotiated: for what only the engine at hand can do, such as adding a browser's `MediaStream`. Must not
    /// block; negotiating and closing are the session's business.
    pub fn on_connection(mut self, hook: ConnectionHook) -> Self {
        self.on_connection = Some(hook);
        self
    }
}

/// One data channel to open.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelOptions {
    /// Its label, by which both sides find it.
    pub label: String,
    /// Its options. Default: ordered and reliable.
    pub init: ChannelInit,
}

impl ChannelOptions {
    /// An ordered, reliable channel.
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), init: ChannelInit::default() }
    }

    /// A channel with options of its own.
    pub fn with_init(label: impl Into<String>, init: ChannelInit) -> Self {
        Self { label: label.into(), init }
    }
}

impl From<&str> for ChannelOptions {
    fn from(label: &str) -> Self {
        Self::new(label)
    }
}

impl From<ChannelPreset> for ChannelOptions {
    fn from(preset: ChannelPreset) -> Self {
        preset.options()
    }
}

/// The data channels that Skapi's documents name, with the options that its client gives them. Label and
/// protocol are the preset's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChannelPreset {
    /// `text-chat`: ordered, at most 10 retransmissions.
    TextChat,
    /// `file-transfer`: unordered, given up after 3 s. Lossy on a bad path; for files that must arrive
    /// whole take a [channel of your own](ChannelOptions::new).
    FileTransfer,
    /// `video-chat`: ordered, at most 10 retransmissions.
    VideoChat,
    /// `voice-chat`: ordered, at most 10 retransmissions.
    VoiceChat,
    /// `gaming`: unordered, given up after 100 ms.
    Gaming,
    /// `default`, as Skapi's client opens it when nothing is asked for: ordered, given up after 10 ms.
    SkapiDefault,
}

impl ChannelPreset {
    /// The preset's name, which is its label and its protocol.
    pub fn name(self) -> &'static str {
        match self {
            Self::TextChat => "text-chat",
            Self::FileTransfer => "file-transfer",
            Self::VideoChat => "video-chat",
            Self::VoiceChat => "voice-chat",
            Self::Gaming => "gaming",
            Self::SkapiDefault => DEFAULT_CHANNEL,
        }
    }

    fn options(self) -> ChannelOptions {
        let lifetime = |ms| Reliability::MaxLifetime(Duration::from_millis(ms));
        let (ordered, reliability) = match self {
            Self::TextChat | Self::VideoChat | Self::VoiceChat => {
                (true, Reliability::MaxRetransmits(10))
            }
            Self::FileTransfer => (false, lifetime(3000)),
            Self::Gaming => (false, lifetime(100)),
            Self::SkapiDefault => (true, lifetime(10)),
        };
        let init =
            ChannelInit::default().ordered(ordered).reliability(reliability).protocol(self.name());
        ChannelOptions::with_init(self.name(), init)
    }
}

/// The label of the channel that is opened when nothing is asked for.
pub const DEFAULT_CHANNEL: &str = "default";
