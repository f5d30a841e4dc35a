//! The STUN and TURN servers among the configured ones.

use std::{fmt, sync::Arc};

use skapi_rtc_backend::{BackendError, TurnBridge, TurnTrust};
use skapi_rtc_protocol::{IceScheme, IceServer, IceTransport, IceUrl};
use tracing::debug;

use crate::{Config, addresses::addresses};

/// Bytes of a user name (RFC 8489 §14.3).
const MAX_USERNAME: usize = 508;

/// What there is to ask.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Servers {
    /// Host and port of each STUN server.
    pub(crate) stun: Vec<String>,
    /// The TURN servers that are reached over UDP.
    pub(crate) turn: Vec<TurnServer>,
}

/// A TURN server, and who we are to it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TurnServer {
    /// Host and port.
    pub(crate) address: String,
    pub(crate) username: String,
    pub(crate) password: String,
}

/// How a connection reaches its servers, which its driver knows over UDP only.
pub(crate) struct Bridge {
    config: Arc<Config>,
    streams: TurnBridge,
}

impl Bridge {
    pub(crate) fn new(config: Arc<Config>, trust: &TurnTrust) -> Self {
        Self { config, streams: TurnBridge::new(trust) }
    }

    /// # Errors
    /// Says which server cannot be used.
    pub(crate) fn servers(&self, servers: Vec<IceServer>) -> Result<Servers, BackendError> {
        let carried = self.streams.carry(servers, || addresses(&self.config))?;
        Servers::read(&carried).map_err(BackendError::Config)
    }

    pub(crate) async fn close(&self) {
        self.streams.close().await;
    }
}

impl Servers {
    /// Reads the URLs of servers that are reached over UDP, and passes over others.
    ///
    /// # Errors
    /// Says which URL cannot be read, or has no credentials.
    pub(crate) fn read(servers: &[IceServer]) -> Result<Self, String> {
        let mut found = Self::default();
        let urls =
            servers.iter().flat_map(|server| server.urls.iter().map(move |url| (server, url)));
        for (server, url) in urls {
            let read: IceUrl = url.parse().map_err(|error| format!("the ICE server {error}"))?;
            match (read.scheme, read.transport) {
                (IceScheme::Stun, _) => found.stun.push(read.authority()),
                (IceScheme::Turn, IceTransport::Udp) => {
                    found.turn.push(turn_server(server, url, read.authority())?);
                }
                (IceScheme::Stuns | IceScheme::Turns, _) | (_, IceTransport::Tcp) => {
                    debug!(url, "not used: this engine has no client for such a server");
                }
            }
        }
        found.stun.sort();
        found.stun.dedup();
        found.turn.sort();
        found.turn.dedup();
        Ok(found)
    }
}

fn turn_server(server: &IceServer, url: &str, address: String) -> Result<TurnServer, String> {
    let (Some(username), Some(password)) = (&server.username, &server.credential) else {
        return Err(format!("the ICE server {url:?} needs a username and a credential"));
    };
    if username.len() > MAX_USERNAME {
        return Err(format!(
            "the username of the ICE server {url:?} has more than {MAX_USERNAME} bytes"
        ));
    }
    Ok(TurnServer { address, username: username.clone(), password: password.clone() })
}

impl fmt::Debug for TurnServer {
    /// Leaves the password out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TurnServer")
            .field("address", &self.address)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(urls: &[&str]) -> Result<Servers, String> {
        let urls = urls.iter().map(ToString::to_string).collect();
        let (username, credential) = (Some("user".to_owned()), Some("secret".to_owned()));
        Servers::read(&[IceServer { urls, username, credential }])
    }

    #[test]
    fn servers_are_found_and_those_over_tcp_and_tls_left_out() {
        let read = read(&[
            "turn:a.test:99?transport=udp",
            "stun:b.test",
            "turn:c.test?transport=tcp",
            "turns:c.test",
            "stuns:c.test",
            "turn:[::1]",
            "turn:[::1]:3478",
            "stun:[::1]:99",
        ])
        .unwrap();
        assert_eq!(read.stun, ["[::1]:99", "b.test:3478"]);
        let turn = read.turn.iter().map(|server| server.address.as_str());
        assert_eq!(turn.collect::<Vec<_>>(), ["[::1]:3478", "a.test:99"]);
        assert_eq!((&*read.turn[0].username, &*read.turn[0].password), ("user", "secret"));
        assert!(!format!("{read:?}").contains("secret"));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for url in ["nonsense", "turn:user@a.test"] {
            let refused = read(&[url]).unwrap_err();
            assert!(refused.contains(url), "{refused}");
        }
    }

    #[test]
    fn a_turn_server_needs_credentials_that_can_be_sent() {
        let server = |username: Option<String>, credential| {
            let urls = vec!["turn:a.test".to_owned()];
            Servers::read(&[IceServer { urls, username, credential }])
        };
        let secret = Some("secret".to_owned());
        assert!(server(Some("user".to_owned()), None).unwrap_err().contains("credential"));
        assert!(server(None, secret.clone()).unwrap_err().contains("username"));
        assert!(server(Some("u".repeat(509)), secret.clone()).unwrap_err().contains("508"));
        assert_eq!(server(Some("u".repeat(508)), secret).unwrap().turn.len(), 1);
    }
}
