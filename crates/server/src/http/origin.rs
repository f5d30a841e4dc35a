//! Where a request came from, and under which address its sender knows the service.

use std::net::IpAddr;

use axum::http::{HeaderMap, header, uri::Authority};

use super::{ApiError, forwarded};
use crate::{accept::Peer, address::PublicAddress, shared::Shared};

/// Who asks, and which address it used. Where a proxy stands in front, that is what the proxy says, if it
/// is one that is trusted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) client: IpAddr,
    secure: bool,
    host: Option<String>,
}

impl Origin {
    pub(super) fn of(shared: &Shared, peer: &Peer, headers: &HeaderMap) -> Self {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let mut origin = Self {
            client: peer.address.ip().to_canonical(),
            secure: peer.secure,
            host: host.and_then(valid_host),
        };
        let trusted = |address| shared.config.trusted_proxies.iter().any(|r| r.contains(address));
        // From the nearest proxy outwards, until one reports somebody who is not a proxy of ours.
        let mut hops = forwarded::hops(headers).into_iter().rev();
        while trusted(origin.client)
            && let Some(hop) = hops.next()
        {
            origin.secure = hop.secure.unwrap_or(origin.secure);
            origin.host = hop.host.as_deref().and_then(valid_host).or(origin.host);
            match hop.client {
                Some(client) => origin.client = client,
                None => break,
            }
        }
        origin
    }

    /// The service's address: the configured one, or the one that the request was sent to.
    pub(super) fn address(&self, shared: &Shared) -> Result<PublicAddress, ApiError> {
        if let Some(address) = &shared.public_address {
            return Ok(address.clone());
        }
        let host = self.host.as_deref().ok_or_else(|| {
            ApiError::bad_request("INVALID_REQUEST", "the request has no usable `Host`")
        })?;
        Ok(PublicAddress::at_host(self.secure, host))
    }
}

/// The host comes back in addresses, so it has to be one.
fn valid_host(text: &str) -> Option<String> {
    let authority: Authority = text.parse().ok()?;
    let valid = !authority.host().is_empty() && !text.contains('@');
    valid.then(|| text.to_owned())
}
