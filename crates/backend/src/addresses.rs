//! Which addresses of the machine an engine uses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Chooses among the machine's addresses (`local`): those that are `wanted`, or else all that a peer on
/// another machine could reach; loopback ones beside them on request, and when there are no others.
pub fn choose_addresses(
    wanted: &[IpAddr],
    include_loopback: bool,
    local: &[IpAddr],
) -> Vec<IpAddr> {
    let mut chosen: Vec<IpAddr> = if wanted.is_empty() {
        local.iter().copied().filter(is_routable).collect()
    } else {
        wanted.to_vec()
    };
    if include_loopback || chosen.is_empty() {
        chosen.extend(local.iter().filter(|address| address.is_loopback()));
    }
    if chosen.is_empty() {
        // Nothing could be enumerated. A machine without this address is hard to find.
        chosen.push(Ipv4Addr::LOCALHOST.into());
    }
    chosen.sort_unstable();
    chosen.dedup();
    chosen
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

    fn chosen(wanted: &[&str], include_loopback: bool, local: &[&str]) -> Vec<String> {
        let parse = |addresses: &[&str]| -> Vec<IpAddr> {
            addresses.iter().map(|address| address.parse().unwrap()).collect()
        };
        let chosen = choose_addresses(&parse(wanted), include_loopback, &parse(local));
        chosen.iter().map(ToString::to_string).collect()
    }

    const INTERFACES: [&str; 6] =
        ["127.0.0.1", "::1", "192.0.2.2", "fd00::2", "fe80::1", "169.254.7.7"];

    #[test]
    fn real_interfaces_are_used_and_loopback_on_request() {
        assert_eq!(chosen(&[], false, &INTERFACES), ["192.0.2.2", "fd00::2"]);
        let with_loopback = ["127.0.0.1", "192.0.2.2", "::1", "fd00::2"];
        assert_eq!(chosen(&[], true, &INTERFACES), with_loopback);
    }

    #[test]
    fn a_machine_with_loopback_alone_still_connects_to_itself() {
        assert_eq!(chosen(&[], false, &["127.0.0.1", "::1"]), ["127.0.0.1", "::1"]);
        assert_eq!(chosen(&[], false, &[]), ["127.0.0.1"]);
    }

    #[test]
    fn given_addresses_are_taken_as_they_are() {
        assert_eq!(chosen(&["127.0.0.1"], false, &INTERFACES), ["127.0.0.1"]);
    }
}
