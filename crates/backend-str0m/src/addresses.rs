//! The machine's addresses that a connection uses, at the moment of asking.

use std::net::IpAddr;

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
