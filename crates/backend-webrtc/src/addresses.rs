//! Which local addresses a connection binds its sockets to.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::Arc,
    vec,
};

use skapi_rtc_backend::choose_addresses;
use tracing::warn;

use crate::Config;

/// The addresses to bind for a configuration, on this machine, at the moment of asking: an ICE restart
/// asks again, and so follows the machine to another network.
#[derive(Debug, Clone)]
pub(crate) struct LocalAddresses(pub(crate) Arc<Config>);

impl LocalAddresses {
    pub(crate) fn chosen(&self) -> Vec<IpAddr> {
        let Config { addresses, include_loopback, .. } = &*self.0;
        choose_addresses(addresses, *include_loopback, &local_addresses())
    }
}

impl ToSocketAddrs for LocalAddresses {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        let sockets = self.chosen().into_iter().map(|address| SocketAddr::new(address, 0));
        Ok(sockets.collect::<Vec<_>>().into_iter())
    }
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
