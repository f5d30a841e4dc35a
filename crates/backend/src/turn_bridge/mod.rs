//! TURN over TCP and TLS for engines that speak it over UDP only (RFC 8656 §3.1).
//!
//! A server over TCP or TLS becomes one over UDP, at a socket of ours from which everything goes on in a stream:
//!
//! ```text
//!   engine ── datagrams ──► TurnBridge ── TCP, TLS ──► TURN server ── datagrams ──► peer
//! ```

mod connect;
mod framing;
mod refusal;
mod way;

use std::{
    io,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use skapi_rtc_protocol::{IceScheme, IceServer, IceTransport, IceUrl};

use self::{connect::Connector, way::Way};
use crate::BackendError;

/// Servers of one connection, former ones included: what they relay goes on until there is something better.
const MAX_WAYS: usize = 16;

/// Whom an engine trusts with TURN over TLS: the certificates of the system, which are read once, and its own.
#[derive(Debug, Clone, Default)]
pub struct TurnTrust(Arc<Connector>);

impl TurnTrust {
    /// Trusts these authorities (DER) beside those of the system.
    pub fn new(roots: Vec<Vec<u8>>) -> Self {
        Self(Arc::new(Connector::new(roots)))
    }
}

/// The ways of one connection to its TURN servers over TCP and TLS. They end with it.
///
/// An engine has its servers go through [`carry`](Self::carry), takes what that gives, and calls
/// [`close`](Self::close) when its connection has ended.
#[derive(Debug)]
pub struct TurnBridge {
    connector: Arc<Connector>,
    ways: Mutex<Vec<Way>>,
}

impl TurnBridge {
    /// For a new connection of an engine.
    pub fn new(trust: &TurnTrust) -> Self {
        Self { connector: trust.0.clone(), ways: Mutex::default() }
    }

    /// The servers as the engine is to see them. Those over TCP and TLS (`turn:…?transport=tcp`, `turns:`) become some
    /// over UDP, all others stay what they are, also those that cannot be read. `engine` says where the engine's sockets
    /// are, and is not asked unless that matters.
    ///
    /// A server that was carried before keeps its socket. Nothing is connected to before the engine asks for it.
    ///
    /// # Errors
    /// [`BackendError::Engine`] when the system gives no socket.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn carry(
        &self,
        mut servers: Vec<IceServer>,
        engine: impl FnOnce() -> Vec<IpAddr>,
    ) -> Result<Vec<IceServer>, BackendError> {
        let urls = servers.iter_mut().flat_map(|server| &mut server.urls);
        let carried: Vec<_> =
            urls.filter_map(|url| Some((url.parse().ok().filter(needs_a_stream)?, url))).collect();
        let engine = if carried.is_empty() { Vec::new() } else { engine() };
        for (server, url) in carried {
            let seen = self.way(server, &engine).map_err(|error| {
                BackendError::Engine(format!("no way to the TURN server {url}: {error}"))
            })?;
            *url = seen;
        }
        Ok(servers)
    }

    fn way(&self, url: IceUrl, engine: &[IpAddr]) -> io::Result<String> {
        let mut ways = self.ways();
        if let Some(way) = ways.iter().find(|way| way.leads_to(&url, engine)) {
            return Ok(way.url());
        }
        let mut addresses = engine.to_vec();
        addresses.sort_by_key(IpAddr::is_ipv6);
        let mut refused = io::ErrorKind::AddrNotAvailable.into();
        let way = addresses.into_iter().find_map(|address| {
            let opened = Way::open(url.clone(), address, engine, self.connector.clone());
            opened.map_err(|error| refused = error).ok()
        });
        let way = way.ok_or(refused)?;
        let seen = way.url();
        if ways.len() >= MAX_WAYS {
            ways.remove(0);
        }
        ways.push(way);
        Ok(seen)
    }

    /// Ends all ways, and waits for that.
    pub async fn close(&self) {
        let ways = std::mem::take(&mut *self.ways());
        for way in ways {
            way.close().await;
        }
    }

    fn ways(&self) -> MutexGuard<'_, Vec<Way>> {
        // No code of others runs under the lock, so a poisoned state is still a whole one.
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn needs_a_stream(url: &IceUrl) -> bool {
    matches!(url.scheme, IceScheme::Turn | IceScheme::Turns) && url.transport == IceTransport::Tcp
}

#[cfg(test)]
mod tests;
