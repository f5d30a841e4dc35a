//! The machine's addresses that a connection uses, at the moment of asking.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use skapi_rtc_backend::choose_addresses;
use tracing::warn;

use crate::Config;

/// The addresses to bind for a configuration. An ICE restart asks again, and so follows the machine to
/// another network.
pub(crate) fn addresses(config: &Config) -> Vec<IpAddr> {
    choose_addresses(&config.addresses, config.include_loopback, &local_addresses())
}

fn local_addresses() -> Vec<IpAddr> {
    match if_addrs::get_if_addrs() {
        Ok(interfaces) => interfaces.iter().map(if_addrs::Interface::ip).collect(),
        Err(error) => {
            warn!(%error, "cannot list the network interfaces");
            Vec::new()
        }
    }
}

/// The address from which the machine would reach another, if that is one of those to be used, or else any of those.
pub(crate) fn way_to(remote: SocketAddr, usable: &[IpAddr]) -> Option<IpAddr> {
    let any: IpAddr = match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let route = || {
        // Connecting a UDP socket sends nothing, and asks the system for the way.
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect(remote).ok()?;
        socket.local_addr().ok()
    };
    let routed = route().map(|address| address.ip()).filter(|ip| usable.contains(ip));
    routed.or_else(|| usable.iter().copied().find(|ip| ip.is_ipv4() == remote.is_ipv4()))
}
