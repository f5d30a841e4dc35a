//! Settings of the engine that hold for every connection it makes.

use std::{net::IpAddr, time::Duration};

/// Largest message that the engine can receive, in bytes.
pub const MAX_MESSAGE_SIZE: usize = 256 * 1024;

/// What connections do over TCP, for networks that let no UDP through. UDP is preferred wherever it gets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IceTcp {
    /// Nothing.
    Off,
    /// They connect to where the peer listens, as browsers do, but for ports below 1024 other than 80 and 443.
    #[default]
    Active,
    /// They listen, too: each on a port of its own for each local address, or all on
    /// [`shared_port`](Config::shared_port). Meant for servers: at least one of two sides has to listen.
    Listen,
}

/// Settings of the engine.
///
/// ```
/// use skapi_rtc_backend_str0m::{Config, Str0mBackend};
///
/// let engine = Str0mBackend::new(Config::default().include_loopback(true))?;
/// # Ok::<(), skapi_rtc_backend_str0m::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Local addresses to use. Default: none, which means every address of the machine but loopback and
    /// link-local ones.
    pub addresses: Vec<IpAddr>,
    /// Whether loopback addresses are used beside the others. They are in any case when the machine has
    /// no others. Default: no.
    pub include_loopback: bool,
    /// The UDP port that all connections of this engine share, one socket for each local address; 0 is a
    /// port of the system's choice. Meant for servers with thousands of calls: packets find their
    /// connection by ICE user name, then by the peer's address. Two engines that both share their sockets
    /// can have one connection with each other at a time, as nothing would tell a second one from the
    /// first. Each allocation at a TURN server has a socket of its own all the same. Default: `None`, every connection has sockets of its own.
    pub shared_port: Option<u16>,
    /// What connections do over TCP beside UDP (ICE over TCP, RFC 6544). Default: [`IceTcp::Active`].
    pub ice_tcp: IceTcp,
    /// Certificates (DER) of authorities that TURN servers over TLS may have theirs from, beside those that the system
    /// trusts. Default: none.
    pub tls_roots: Vec<Vec<u8>>,
    /// Send buffer of one data channel, in bytes; a message counts for 256 bytes more than it has.
    /// Default: 1 MiB.
    pub send_buffer: usize,
    /// Received messages of one connection that may wait for their readers, in bytes; a message counts
    /// for 256 bytes more than it has. When they are more, the connection takes no data until half of
    /// them are read. Default: 2 MiB.
    pub receive_buffer: usize,
    /// Largest message that is accepted, in bytes, at most [`MAX_MESSAGE_SIZE`]. Default: 256 KiB, as in
    /// browsers.
    pub max_message_size: usize,
    /// Kernel buffer for received packets of a socket, in bytes; the system caps it
    /// (`net.core.rmem_max`). Default: 4 MiB.
    pub receive_socket_buffer: usize,
    /// Kernel buffer for packets to be sent of a socket, in bytes. Default: 4 MiB.
    pub send_socket_buffer: usize,
    /// How long the peer may be silent before the connection counts as disconnected. Default: 4 s.
    pub disconnected_after: Duration,
    /// How long after that it counts as failed. Default: 15 s.
    pub failed_after: Duration,
    /// How often an idle connection asks the peer for a sign of life. Default: 1 s.
    pub keepalive: Duration,
    /// How long after the first check of a pair of addresses the second one follows; the wait doubles
    /// with every further one, up to the keepalive interval. Default: 50 ms.
    pub check_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            include_loopback: false,
            shared_port: None,
            ice_tcp: IceTcp::default(),
            tls_roots: Vec::new(),
            send_buffer: 1024 * 1024,
            receive_buffer: 2 * 1024 * 1024,
            max_message_size: MAX_MESSAGE_SIZE,
            receive_socket_buffer: 4 * 1024 * 1024,
            send_socket_buffer: 4 * 1024 * 1024,
            disconnected_after: Duration::from_secs(4),
            failed_after: Duration::from_secs(15),
            keepalive: Duration::from_secs(1),
            check_interval: Duration::from_millis(50),
        }
    }
}

impl Config {
    /// Sets the local addresses to use.
    pub fn addresses(mut self, addresses: Vec<IpAddr>) -> Self {
        self.addresses = addresses;
        self
    }

    /// Sets whether loopback addresses are used beside the others.
    pub fn include_loopback(mut self, include: bool) -> Self {
        self.include_loopback = include;
        self
    }

    /// Lets all connections share one socket for each local address, at this port.
    pub fn shared_port(mut self, port: u16) -> Self {
        self.shared_port = Some(port);
        self
    }

    /// Sets what connections do over TCP.
    pub fn ice_tcp(mut self, ice_tcp: IceTcp) -> Self {
        self.ice_tcp = ice_tcp;
        self
    }

    /// Trusts further authorities with TURN servers over TLS.
    pub fn tls_roots(mut self, roots: Vec<Vec<u8>>) -> Self {
        self.tls_roots = roots;
        self
    }

    /// Sets the send buffer of one data channel, in bytes.
    pub fn send_buffer(mut self, bytes: usize) -> Self {
        self.send_buffer = bytes;
        self
    }

    /// Sets how many bytes of a connection may wait for their readers.
    pub fn receive_buffer(mut self, bytes: usize) -> Self {
        self.receive_buffer = bytes;
        self
    }

    /// Sets the largest message that is accepted, in bytes.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.max_message_size = bytes;
        self
    }

    /// Sets the kernel's buffers of a socket, in bytes.
    pub fn socket_buffers(mut self, receive: usize, send: usize) -> Self {
        self.receive_socket_buffer = receive;
        self.send_socket_buffer = send;
        self
    }

    /// Sets when a silent peer counts as disconnected, and how long after that as failed.
    pub fn timeouts(mut self, disconnected_after: Duration, failed_after: Duration) -> Self {
        self.disconnected_after = disconnected_after;
        self.failed_after = failed_after;
        self
    }

    /// Sets how often an idle connection asks for a sign of life.
    pub fn keepalive(mut self, interval: Duration) -> Self {
        self.keepalive = interval;
        self
    }

    /// Sets the wait between the first two checks of a pair of addresses.
    pub fn check_interval(mut self, interval: Duration) -> Self {
        self.check_interval = interval;
        self
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the first setting that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        const SHORTEST_CHECK: Duration = Duration::from_millis(1);
        let out_of_range = |setting, reason| Err(ConfigError { setting, reason });
        if !(1..=MAX_MESSAGE_SIZE).contains(&self.max_message_size) {
            return out_of_range("max_message_size", "must be 1 to 262,144 bytes");
        }
        if self.send_buffer == 0 {
            return out_of_range("send_buffer", "must be at least 1 byte");
        }
        if self.receive_buffer == 0 {
            return out_of_range("receive_buffer", "must be at least 1 byte");
        }
        if self.check_interval < SHORTEST_CHECK || self.check_interval > self.keepalive {
            return out_of_range("check_interval", "must be 1 ms to the keepalive interval");
        }
        if self.disconnected_after <= self.keepalive {
            return out_of_range(
                "disconnected_after",
                "must be longer than the keepalive interval",
            );
        }
        if self.failed_after.is_zero() {
            return out_of_range("failed_after", "must not be zero");
        }
        Ok(())
    }
}

/// A setting is out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting} {reason}")]
#[non_exhaustive]
pub struct ConfigError {
    /// The setting's name.
    pub setting: &'static str,
    /// What it must be.
    pub reason: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        Config::default().validate().unwrap();
    }

    #[test]
    fn each_setting_out_of_range_is_named() {
        let zero = Duration::ZERO;
        let second = Duration::from_secs(1);
        for (config, setting) in [
            (Config::default().max_message_size(0), "max_message_size"),
            (Config::default().max_message_size(MAX_MESSAGE_SIZE + 1), "max_message_size"),
            (Config::default().send_buffer(0), "send_buffer"),
            (Config::default().receive_buffer(0), "receive_buffer"),
            (Config::default().check_interval(zero), "check_interval"),
            (Config::default().keepalive(zero), "check_interval"),
            (Config::default().timeouts(second, second), "disconnected_after"),
            (Config::default().timeouts(second * 3, zero), "failed_after"),
        ] {
            assert_eq!(config.validate().unwrap_err().setting, setting);
        }
    }
}
