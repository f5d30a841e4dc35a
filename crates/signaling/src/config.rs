//! What can be set about a session.

use std::time::Duration;

use skapi_rtc_protocol::IceServer;

use crate::HandoverPolicy;

/// How much longer a callee rings than a caller waits, so that the caller is the one who gives up.
const CALLEE_PATIENCE: Duration = Duration::from_secs(5);

/// Times and bounds of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How often `keepAlive` is sent. Default: 15 s, as Skapi's client does.
    pub keep_alive: Duration,
    /// How long to wait for the service's greeting (`#ready`) before taking it for one that does not
    /// greet. Default: 2 s.
    pub greeting_timeout: Duration,
    /// The first wait before a reconnect; it doubles with each attempt. Default: 500 ms.
    pub reconnect_base: Duration,
    /// The longest wait before a reconnect. Default: 30 s.
    pub reconnect_max: Duration,
    /// How long a request (join, post) may go unanswered. Default: 10 s.
    pub request_timeout: Duration,
    /// How long a call that we place may ring before it ends as not answered. Default: 30 s.
    pub no_answer_timeout: Duration,
    /// How long a call that comes in may ring here before it ends as not answered, should neither our user
    /// nor the caller end it. Default (`None`): 5 s longer than `no_answer_timeout`, so that between two with
    /// the same settings the caller is the one who gives up.
    pub ring_timeout: Option<Duration>,
    /// How long the two engines may take to connect after the call was accepted. Default: 30 s.
    pub connect_timeout: Duration,
    /// How long an interrupted connection may come back by itself before ICE is started anew. Default:
    /// 3 s.
    pub disconnected_grace: Duration,
    /// How long an interrupted call is searched for before it ends as failed. Default: 45 s.
    pub reconnect_timeout: Duration,
    /// How long a call waits for a peer that has lost its link to the service, and is not on the line.
    /// Default: 10 s.
    pub peer_gone_grace: Duration,
    /// Calls at a time, in any phase; further ones are answered `busy`. Default: 64.
    pub max_calls: usize,
    /// What happens to a call that comes in during another one. Default: it rings.
    pub busy: BusyPolicy,
    /// What happens when another device of the same user wants to take a call over. Default: it may.
    pub handover: HandoverPolicy,
    /// STUN and TURN servers for every call, besides those the service names. Default: none.
    pub ice_servers: Vec<IceServer>,
}

/// What happens to a call that comes in during another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BusyPolicy {
    /// It rings; the application decides.
    #[default]
    CallWaiting,
    /// It is answered `busy`, and the application does not learn of it.
    Reject,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            keep_alive: Duration::from_secs(15),
            greeting_timeout: Duration::from_secs(2),
            reconnect_base: Duration::from_millis(500),
            reconnect_max: Duration::from_secs(30),
            request_timeout: Duration::from_secs(10),
            no_answer_timeout: Duration::from_secs(30),
            ring_timeout: None,
            connect_timeout: Duration::from_secs(30),
            disconnected_grace: Duration::from_secs(3),
            reconnect_timeout: Duration::from_secs(45),
            peer_gone_grace: Duration::from_secs(10),
            max_calls: 64,
            busy: BusyPolicy::CallWaiting,
            handover: HandoverPolicy::Allow,
            ice_servers: Vec::new(),
        }
    }
}

/// A configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A time that must be positive is zero.
    #[error("`{0}` must be longer than zero")]
    Zero(&'static str),
    /// The longest wait is shorter than the first.
    #[error("`reconnect_max` must not be shorter than `reconnect_base`")]
    ReconnectOrder,
    /// No call could ever be made.
    #[error("`max_calls` must be at least 1")]
    NoCalls,
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)+) => {
        $(
            $(#[$doc])*
            pub fn $name(mut self, $name: $type) -> Self {
                self.$name = $name;
                self
            }
        )+
    };
}

impl Config {
    setters! {
        /// Sets how often `keepAlive` is sent.
        keep_alive: Duration,
        /// Sets how long to wait for the service's greeting.
        greeting_timeout: Duration,
        /// Sets the first wait before a reconnect.
        reconnect_base: Duration,
        /// Sets the longest wait before a reconnect.
        reconnect_max: Duration,
        /// Sets how long a request may go unanswered.
        request_timeout: Duration,
        /// Sets how long a call that we place may ring.
        no_answer_timeout: Duration,
        /// Sets how long the two engines may take to connect.
        connect_timeout: Duration,
        /// Sets how long an interrupted connection may come back by itself.
        disconnected_grace: Duration,
        /// Sets how long an interrupted call is searched for.
        reconnect_timeout: Duration,
        /// Sets how long a call waits for a peer whose link was lost.
        peer_gone_grace: Duration,
        /// Sets how many calls there may be at a time.
        max_calls: usize,
        /// Sets what happens to a call that comes in during another one.
        busy: BusyPolicy,
        /// Sets what happens when another device of the same user wants to take a call over.
        handover: HandoverPolicy,
        /// Sets the STUN and TURN servers for every call.
        ice_servers: Vec<IceServer>,
    }

    /// Sets how long a call that comes in may ring here.
    pub fn ring_timeout(mut self, ring_timeout: Duration) -> Self {
        self.ring_timeout = Some(ring_timeout);
        self
    }

    /// How long a call that comes in may ring here.
    pub(crate) fn ring_time(&self) -> Duration {
        self.ring_timeout.unwrap_or(self.no_answer_timeout + CALLEE_PATIENCE)
    }

    /// Checks that the values make sense together.
    ///
    /// # Errors
    /// Names the value that does not.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let times = [
            ("keep_alive", self.keep_alive),
            ("greeting_timeout", self.greeting_timeout),
            ("reconnect_base", self.reconnect_base),
            ("request_timeout", self.request_timeout),
            ("no_answer_timeout", self.no_answer_timeout),
            ("ring_timeout", self.ring_time()),
            ("connect_timeout", self.connect_timeout),
            ("reconnect_timeout", self.reconnect_timeout),
            ("peer_gone_grace", self.peer_gone_grace),
        ];
        if let Some((name, _)) = times.iter().find(|(_, time)| time.is_zero()) {
            return Err(ConfigError::Zero(name));
        }
        if self.reconnect_max < self.reconnect_base {
            return Err(ConfigError::ReconnectOrder);
        }
        if self.max_calls == 0 {
            return Err(ConfigError::NoCalls);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_named() {
        assert_eq!(Config::default().validate(), Ok(()));
        let zero = Config { keep_alive: Duration::ZERO, ..Config::default() };
        assert_eq!(zero.validate(), Err(ConfigError::Zero("keep_alive")));
        let silent = Config::default().ring_timeout(Duration::ZERO);
        assert_eq!(silent.validate(), Err(ConfigError::Zero("ring_timeout")));
        let order = Config { reconnect_max: Duration::from_millis(1), ..Config::default() };
        assert_eq!(order.validate(), Err(ConfigError::ReconnectOrder));
        let none = Config { max_calls: 0, ..Config::default() };
        assert_eq!(none.validate(), Err(ConfigError::NoCalls));
    }
}
