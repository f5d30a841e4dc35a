//! Which local addresses a connection binds its sockets to.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    sync::Arc,
    vec,
};

use tracing::warn;

use crate::Config;

/// The addresses to bind for a configuration, on this machine, at the moment of asking: an ICE restart
/// asks again, and so follows the machine to another network.
#[derive(Debug, Clone)]
pub(crate) struct LocalAddresses(pub(crate) Arc<Config>);

impl ToSocketAddrs for LocalAddresses {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        Ok(choose(&self.0, &local_addresses()).into_iter())
    }
}

fn choose(config: &Config, local: &[IpAddr]) -> Vec<SocketAddr> {
    let mut chosen: Vec<IpAddr> = if config.addresses.is_empty() {
        local.iter().copied().filter(is_routable).collect()
    } else {
        config.addresses.clone()
    };
    if config.include_loopback || chosen.is_empty() {
        chosen.extend(local.iter().filter(|address| address.is_loopback()));
    }
    if chosen.is_empty() {
        // Nothing could be enumerated. A machine without this address is hard to find.
        chosen.push(Ipv4Addr::LOCALHOST.into());
    }
    chosen.sort_unstable();
    chosen.dedup();
    chosen.into_iter().map(|address| SocketAddr::new(address, 0)).collect()
}

fn local_addresses() -> Vec<IpAddr> {
    match rtc::shared::ifaces::ifaces() {
        Ok(interfaces) => {
            let addresses = interfaces.into_iter().filter_map(|interface| interface.addr);
            addresses.map(|address| address.ip()).collect()
        }
        Err(error) => {
            warn!(%error, "cannot list the network interfaces");
            Vec::new()
        }
    }
}

/// Whether a peer on another machine could reach the address: a link-local one means nothing to it.
fn is_routable(address: &IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => is_unicast_link_local(*address),
    };
    !link_local && !address.is_loopback() && !address.is_unspecified() && !address.is_multicast()
}

fn is_unicast_link_local(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xffc0 == 0xfe80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(config: &Config, local: &[&str]) -> Vec<String> {
        let local: Vec<IpAddr> = local.iter().map(|address| address.parse().unwrap()).collect();
        choose(config, &local).iter().map(|address| address.ip().to_string()).collect()
    }

    const INTERFACES: [&str; 6] =
        ["127.0.0.1", "::1", "192.0.2.2", "fd00::2", "fe80::1", "169.254.7.7"];

    #[test]
    fn real_interfaces_are_used_and_loopback_on_request() {
        assert_eq!(bound(&Config::default(), &INTERFACES), ["192.0.2.2", "fd00::2"]);
        assert_eq!(
            bound(&Config::default().include_loopback(true), &INTERFACES),
            ["127.0.0.1", "192.0.2.2", "::1", "fd00::2"]
        );
    }

    #[test]
    fn a_machine_with_loopback_alone_still_connects_to_itself() {
        assert_eq!(bound(&Config::default(), &["127.0.0.1", "::1"]), ["127.0.0.1", "::1"]);
        assert_eq!(bound(&Config::default(), &[]), ["127.0.0.1"]);
    }

    #[test]
    fn given_addresses_are_taken_as_they_are() {
        let config = Config::default().addresses(vec!["127.0.0.1".parse().unwrap()]);
        assert_eq!(bound(&config, &INTERFACES), ["127.0.0.1"]);
    }
}
