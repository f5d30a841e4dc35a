//! How a datagram travels: over which protocol, between which two addresses.

use std::net::SocketAddr;

use str0m::net::{Protocol, Transmit};

/// A way between an address of ours and another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Path {
    pub(crate) protocol: Protocol,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

impl Path {
    pub(crate) fn udp(local: SocketAddr, remote: SocketAddr) -> Self {
        Self { protocol: Protocol::Udp, local, remote }
    }

    pub(crate) fn of(transmit: &Transmit) -> Self {
        let (local, remote) = (transmit.source, transmit.destination);
        Self { protocol: transmit.proto, local, remote }
    }

    /// The protocol's name, as in a candidate.
    pub(crate) fn protocol_name(&self) -> &'static str {
        self.protocol.into()
    }
}
