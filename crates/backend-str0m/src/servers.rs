//! The STUN and TURN servers among the configured ones.

use std::fmt;

use skapi_rtc_protocol::IceServer;
use tracing::debug;

const DEFAULT_PORT: u16 = 3478;
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

impl Servers {
    /// Reads `stun:` URLs (RFC 7064) and `turn:` URLs (RFC 7065); those over TCP or TLS are left out, as there is no
    /// client for them.
    ///
    /// # Errors
    /// Says which URL cannot be read, or has no credentials.
    pub(crate) fn read(servers: &[IceServer]) -> Result<Self, String> {
        let mut found = Self::default();
        let urls =
            servers.iter().flat_map(|server| server.urls.iter().map(move |url| (server, url)));
        for (server, url) in urls {
            let Some((scheme, rest)) = url.split_once(':') else {
                return Err(format!("the ICE server {url:?} is no URL"));
            };
            match scheme {
                "stun" => found.stun.push(host_and_port(rest).ok_or_else(|| {
                    format!("the ICE server {url:?} is not of the form stun:host or stun:host:port")
                })?),
                "turn" => found.turn.extend(turn_server(server, url, rest)?),
                "turns" | "stuns" => {
                    debug!(url, "not used: this engine has no client for TLS");
                }
                _ => return Err(format!("the ICE server {url:?} is neither stun: nor turn:")),
            }
        }
        found.stun.sort();
        found.stun.dedup();
        found.turn.sort();
        found.turn.dedup();
        Ok(found)
    }
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

fn turn_server(server: &IceServer, url: &str, rest: &str) -> Result<Option<TurnServer>, String> {
    let (host, transport) = match rest.split_once('?') {
        Some((host, query)) => (host, query.strip_prefix("transport=")),
        None => (rest, Some("udp")),
    };
    let address = match (host_and_port(host), transport) {
        (Some(address), Some("udp")) => address,
        (Some(_), Some("tcp")) => {
            debug!(url, "not used: this engine has no TURN client over TCP");
            return Ok(None);
        }
        _ => {
            return Err(format!(
                "the ICE server {url:?} is not of the form turn:host, turn:host:port or \
                 turn:host:port?transport=udp"
            ));
        }
    };
    let (Some(username), Some(password)) = (&server.username, &server.credential) else {
        return Err(format!("the ICE server {url:?} needs a username and a credential"));
    };
    if username.len() > MAX_USERNAME {
        return Err(format!(
            "the username of the ICE server {url:?} has more than {MAX_USERNAME} bytes"
        ));
    }
    Ok(Some(TurnServer { address, username: username.clone(), password: password.clone() }))
}

fn host_and_port(value: &str) -> Option<String> {
    let is_good = |host: &str| {
        !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "/?#@".contains(c))
    };
    let after_host = if value.starts_with('[') {
        value.find(']')? + 1
    } else {
        value.find(':').unwrap_or(value.len())
    };
    let (host, port) = value.split_at(after_host);
    if !is_good(host) {
        return None;
    }
    match port.strip_prefix(':') {
        Some(port) => port.parse::<u16>().ok().map(|port| format!("{host}:{port}")),
        None if port.is_empty() => Some(format!("{host}:{DEFAULT_PORT}")),
        None => None,
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
        for url in [
            "nonsense",
            "http://a.test",
            "stun:",
            "stun:a.test:port",
            "stun:a.test/x",
            "stun:[::1",
            "turn:",
            "turn:a.test?transport=sctp",
            "turn:a.test?udp",
            "turn:user@a.test",
        ] {
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
