//! The configuration of a server, with its defaults.

use std::{path::PathBuf, time::Duration};

use skapi_rtc_protocol::{DEFAULT_MAX_FRAME_BYTES, IceServer, Project};

use crate::{
    address::PublicAddress, hub::HubLimits, ip_range::IpRange, limits::Rate, socket::OutboxLimits,
};

/// What a server is like. Made with [`Config::default`], changed by its setters, checked when the server
/// starts.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The service's name, as `GET /api/service` tells it. Default: `skapi-rtc`.
    pub service_name: String,
    /// The address that clients reach the service under, such as `https://rtc.example` or, beneath a path
    /// that a proxy takes away, `https://example.com/rtc`. The discovery documents tell it. Default: the
    /// host that a request was sent to.
    pub public_url: Option<String>,
    /// Proxies whose `Forwarded` or `X-Forwarded-*` headers say where a request came from and which address
    /// it was sent to. From anybody else such headers count for nothing. Default: none.
    pub trusted_proxies: Vec<IpRange>,
    /// The project that pages are made for. In dev mode, sessions are for it unless a page names another.
    /// Default: none.
    pub project: Option<Project>,
    /// A folder whose files are served at every address that is not one of the service's own. Files whose
    /// names begin with a dot are not. Default: none.
    pub web: Option<PathBuf>,
    /// Users whose names `get-users` knows; beyond that the one who was not seen for the longest time is
    /// forgotten. Default: 10,000.
    pub max_known_users: usize,
    /// STUN and TURN servers that clients are told in `#ready`. Default: none.
    pub ice_servers: Vec<IceServer>,
    /// How much the hub holds: connections, groups. Defaults: see [`HubLimits`].
    pub hub: HubLimits,
    /// The largest frame of a client, in bytes. A larger one is refused with `TOO_LARGE`; one of more
    /// than eight times this closes the connection with code 1009. Default: 128 KiB.
    pub max_frame_bytes: usize,
    /// Frames that a connection may send at once. A call starts with some 30 of them. Default: 500.
    pub frame_burst: u32,
    /// Frames per second that a connection may send in the long run. Default: 100.
    pub frames_per_second: f64,
    /// HTTP queries that a user may send at once. Default: 200.
    pub query_burst: u32,
    /// HTTP queries per second that a user may send in the long run. Default: 50.
    pub queries_per_second: f64,
    /// Frames that wait for a client to read them, at most; it is disconnected when it falls behind
    /// further. Default: 1024.
    pub max_queued_frames: usize,
    /// The same in bytes. Default: 2 MiB.
    pub max_queued_bytes: usize,
    /// For how long a secret lets a client resume its connection at a service that has nothing of it but
    /// the key. Default: 7 days. How long the connection itself is kept: [`HubLimits::resume`].
    pub resume_secret_life: Duration,
    /// HTTP connections at a time, those that are about to become WebSockets included. More wait in the
    /// system's queue. Default: 4096.
    pub max_http_connections: usize,
    /// WebSocket connections that may be opened at once. Default: 2000.
    pub open_burst: u32,
    /// WebSocket connections per second that may be opened in the long run. More wait, as long as
    /// [`max_open_wait`](Self::max_open_wait) allows; the others are sent away with a `Retry-After` that
    /// spreads them. Also how fast clients are told to come back after a shutdown. Default: 2000.
    pub opens_per_second: f64,
    /// How long a client waits with its handshake before it is sent away. Default: 2 s, as Skapi's client
    /// does not come back when it is.
    pub max_open_wait: Duration,
    /// How often a client is pinged. Default: 20 s.
    pub ping_interval: Duration,
    /// A client of which nothing is heard for this long, not even a pong, is disconnected; so is one that
    /// takes no byte for this long while there are some. Default: 60 s.
    pub silence_timeout: Duration,
    /// How long a shutdown waits for clients to say goodbye. Default: 2 s, as Skapi's client gives up on
    /// a service that does not come back within 3 s.
    pub shutdown_grace: Duration,
    /// Whether `GET /metrics` shows the counters to anybody who asks. Default: no.
    pub expose_metrics: bool,
}

/// A configuration that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A limit that lets nothing through.
    #[error("`{0}` must be greater than zero")]
    Zero(&'static str),
    /// A queue that could not take a single frame.
    #[error("`max_queued_bytes` is {queued}, less than `max_frame_bytes`, which is {frame}")]
    QueueTooSmall {
        /// The queue, in bytes.
        queued: usize,
        /// The frame, in bytes.
        frame: usize,
    },
    /// An address that is none.
    #[error(
        "`public_url` is `{0}`; it must be like `https://rtc.example` or `https://example.com/rtc`, \
         without user, query and fragment"
    )]
    PublicUrl(String),
    /// Healthy clients would be disconnected.
    #[error("`silence_timeout` must be longer than `ping_interval`")]
    SilenceTooShort,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            service_name: "skapi-rtc".to_owned(),
            public_url: None,
            trusted_proxies: Vec::new(),
            project: None,
            web: None,
            max_known_users: 10_000,
            ice_servers: Vec::new(),
            hub: HubLimits::default(),
            max_frame_bytes: DEFAULT_MAX_FRAME_BYTES,
            frame_burst: 500,
            frames_per_second: 100.0,
            query_burst: 200,
            queries_per_second: 50.0,
            max_queued_frames: 1024,
            max_queued_bytes: 2 * 1024 * 1024,
            resume_secret_life: Duration::from_secs(7 * 86_400),
            max_http_connections: 4096,
            open_burst: 2000,
            opens_per_second: 2000.0,
            max_open_wait: Duration::from_secs(2),
            ping_interval: Duration::from_secs(20),
            silence_timeout: Duration::from_secs(60),
            shutdown_grace: Duration::from_secs(2),
            expose_metrics: false,
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $($path:ident).+ => $name:ident: $type:ty;)+) => {
        $(
            $(#[$doc])*
            pub fn $name(mut self, $name: $type) -> Self {
                self.$($path).+ = $name;
                self
            }
        )+
    };
}

impl Config {
    setters! {
        /// Sets which proxies are believed.
        trusted_proxies => trusted_proxies: Vec<IpRange>;
        /// Sets how many users are known by name.
        max_known_users => max_known_users: usize;
        /// Sets the STUN and TURN servers that clients are told.
        ice_servers => ice_servers: Vec<IceServer>;
        /// Sets how many connections there may be in all.
        hub.max_connections => max_connections: usize;
        /// Sets how many connections a user may have.
        hub.max_connections_per_user => max_connections_per_user: usize;
        /// Sets how many groups there may be at a time.
        hub.max_groups => max_groups: usize;
        /// Sets how many connections may be in one group.
        hub.max_group_size => max_group_size: usize;
        /// Sets for how long a connection stays without a socket; zero turns resuming off.
        hub.resume.window => resume_window: Duration;
        /// Sets how many frames are kept for a client; never more than half of what may be queued.
        hub.resume.frames => resume_frames: usize;
        /// Sets how many bytes are kept for a client; never more than half of what may be queued.
        hub.resume.bytes => resume_bytes: usize;
        /// Sets for how long a resume secret is good.
        resume_secret_life => resume_secret_life: Duration;
        /// Sets the largest frame of a client, in bytes.
        max_frame_bytes => max_frame_bytes: usize;
        /// Sets how many frames may wait for a client.
        max_queued_frames => max_queued_frames: usize;
        /// Sets how many bytes may wait for a client.
        max_queued_bytes => max_queued_bytes: usize;
        /// Sets how many HTTP connections there may be at a time.
        max_http_connections => max_http_connections: usize;
        /// Sets how long a client waits with its handshake before it is sent away.
        max_open_wait => max_open_wait: Duration;
        /// Sets how often a client is pinged.
        ping_interval => ping_interval: Duration;
        /// Sets how long a client may be silent.
        silence_timeout => silence_timeout: Duration;
        /// Sets how long a shutdown waits for clients.
        shutdown_grace => shutdown_grace: Duration;
        /// Sets whether `GET /metrics` answers.
        expose_metrics => expose_metrics: bool;
    }

    /// Sets the service's name.
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        self.service_name = name.into();
        self
    }

    /// Sets the address that clients reach the service under.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into());
        self
    }

    /// Sets the project that pages are made for.
    pub fn project(mut self, project: Project) -> Self {
        self.project = Some(project);
        self
    }

    /// Sets the folder whose files are served.
    pub fn web(mut self, folder: impl Into<PathBuf>) -> Self {
        self.web = Some(folder.into());
        self
    }

    /// Sets how many frames a connection may send at once, and per second in the long run.
    pub fn frame_rate(mut self, burst: u32, per_second: f64) -> Self {
        self.frame_burst = burst;
        self.frames_per_second = per_second;
        self
    }

    /// Sets how many WebSocket connections may be opened at once, and per second in the long run.
    pub fn open_rate(mut self, burst: u32, per_second: f64) -> Self {
        self.open_burst = burst;
        self.opens_per_second = per_second;
        self
    }

    /// Sets how many HTTP queries a user may send at once, and per second in the long run.
    pub fn query_rate(mut self, burst: u32, per_second: f64) -> Self {
        self.query_burst = burst;
        self.queries_per_second = per_second;
        self
    }

    /// Checks the whole.
    ///
    /// # Errors
    /// Names the first setting that makes no sense.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let counts = [
            ("max_connections", self.hub.max_connections),
            ("max_connections_per_user", self.hub.max_connections_per_user),
            ("max_groups", self.hub.max_groups),
            ("max_group_size", self.hub.max_group_size),
            ("max_frame_bytes", self.max_frame_bytes),
            ("frame_burst", self.frame_burst as usize),
            ("query_burst", self.query_burst as usize),
            ("open_burst", self.open_burst as usize),
            ("resume_frames", self.hub.resume.frames),
            ("resume_bytes", self.hub.resume.bytes),
            ("max_queued_frames", self.max_queued_frames),
            ("max_known_users", self.max_known_users),
            ("max_http_connections", self.max_http_connections),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, value)| *value == 0) {
            return Err(ConfigError::Zero(name));
        }
        let rates = [
            ("frames_per_second", self.frames_per_second),
            ("queries_per_second", self.queries_per_second),
            ("opens_per_second", self.opens_per_second),
        ];
        if let Some((name, _)) = rates.iter().find(|(_, value)| value.is_nan() || *value <= 0.0) {
            return Err(ConfigError::Zero(name));
        }
        if self.ping_interval.is_zero() {
            return Err(ConfigError::Zero("ping_interval"));
        }
        if self.silence_timeout <= self.ping_interval {
            return Err(ConfigError::SilenceTooShort);
        }
        self.public_address()?;
        if self.max_queued_bytes < self.max_frame_bytes {
            return Err(ConfigError::QueueTooSmall {
                queued: self.max_queued_bytes,
                frame: self.max_frame_bytes,
            });
        }
        Ok(())
    }

    pub(crate) fn public_address(&self) -> Result<Option<PublicAddress>, ConfigError> {
        let parse = |url: &String| {
            PublicAddress::parse(url).ok_or_else(|| ConfigError::PublicUrl(url.clone()))
        };
        self.public_url.as_ref().map(parse).transpose()
    }

    /// Above this the transport gives up on a message instead of reading it.
    pub(crate) fn max_transport_bytes(&self) -> usize {
        self.max_frame_bytes.saturating_mul(8)
    }

    /// What the hub may hold. What is kept for a client is queued at once when it comes back, and there has
    /// to be room for more.
    pub(crate) fn hub_limits(&self) -> HubLimits {
        let mut limits = self.hub.clone();
        limits.resume.frames = limits.resume.frames.min(self.max_queued_frames / 2);
        limits.resume.bytes = limits.resume.bytes.min(self.max_queued_bytes / 2);
        limits
    }

    pub(crate) fn frame_rate_limit(&self) -> Rate {
        Rate { burst: self.frame_burst, per_second: self.frames_per_second }
    }

    pub(crate) fn query_rate_limit(&self) -> Rate {
        Rate { burst: self.query_burst, per_second: self.queries_per_second }
    }

    pub(crate) fn open_rate_limit(&self) -> Rate {
        Rate { burst: self.open_burst, per_second: self.opens_per_second }
    }

    pub(crate) fn outbox_limits(&self) -> OutboxLimits {
        OutboxLimits { frames: self.max_queued_frames, bytes: self.max_queued_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid() {
        assert_eq!(Config::default().validate(), Ok(()));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let error = |config: Config| config.validate().unwrap_err().to_string();
        let config = Config::default;
        assert!(error(config().max_groups(0)).contains("`max_groups`"));
        assert!(error(config().frame_rate(10, f64::NAN)).contains("`frames_per_second`"));
        assert!(error(config().open_rate(0, 1.0)).contains("`open_burst`"));
        assert!(error(config().query_rate(0, 1.0)).contains("`query_burst`"));
        assert!(error(config().max_queued_bytes(1)).contains("`max_queued_bytes` is 1"));
        assert!(error(config().resume_frames(0)).contains("`resume_frames`"));
        assert!(error(config().public_url("rtc.example")).contains("`rtc.example`"));
        let impatient = config().silence_timeout(Duration::from_secs(20));
        assert!(error(impatient).contains("`silence_timeout`"));
    }
}
