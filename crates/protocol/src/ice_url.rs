//! The URLs of STUN and TURN servers (RFC 7064, RFC 7065).

use std::{fmt, str::FromStr};

/// What a server is asked for, and whether over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IceScheme {
    /// `stun:`, what it sees of our address.
    Stun,
    /// `stuns:`, the same over TLS.
    Stuns,
    /// `turn:`, an address that relays.
    Turn,
    /// `turns:`, the same over TLS.
    Turns,
}

/// How a server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IceTransport {
    /// Over UDP: the default of `stun:` and `turn:`.
    Udp,
    /// Over TCP: the default of `stuns:` and `turns:`, with TLS.
    Tcp,
}

/// The URL of a STUN or TURN server.
///
/// ```
/// use skapi_rtc_protocol::{IceScheme, IceTransport, IceUrl};
///
/// let url: IceUrl = "turns:turn.example".parse()?;
/// assert_eq!((url.scheme, url.transport), (IceScheme::Turns, IceTransport::Tcp));
/// assert_eq!((url.host.as_str(), url.port), ("turn.example", 5349));
/// # Ok::<(), skapi_rtc_protocol::IceUrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct IceUrl {
    /// What the server is asked for.
    pub scheme: IceScheme,
    /// Name or address of the server, without the brackets around one of IPv6.
    pub host: String,
    /// Its port. Default: 3478, with TLS 5349.
    pub port: u16,
    /// How it is reached.
    pub transport: IceTransport,
}

/// Something is no URL of a STUN or TURN server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} is not of the form {form}")]
pub struct IceUrlError {
    url: String,
    form: &'static str,
}

impl IceUrl {
    /// Host and port, as a resolver takes them.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for IceUrl {
    type Err = IceUrlError;

    fn from_str(url: &str) -> Result<Self, IceUrlError> {
        let bad = |form| IceUrlError { url: url.to_owned(), form };
        let (scheme, rest) = url.split_once(':').ok_or(bad("stun:host or turn:host"))?;
        let (scheme, form) = match scheme.to_ascii_lowercase().as_str() {
            "stun" => (IceScheme::Stun, "stun:host or stun:host:port"),
            "stuns" => (IceScheme::Stuns, "stuns:host or stuns:host:port"),
            "turn" => {
                (IceScheme::Turn, "turn:host, turn:host:port or turn:host:port?transport=udp")
            }
            "turns" => {
                (IceScheme::Turns, "turns:host, turns:host:port or turns:host:port?transport=tcp")
            }
            _ => return Err(bad("stun:host or turn:host")),
        };
        let relays = matches!(scheme, IceScheme::Turn | IceScheme::Turns);
        let secure = matches!(scheme, IceScheme::Stuns | IceScheme::Turns);
        let (place, transport) = match rest.split_once('?') {
            Some((place, "transport=udp")) if relays => (place, IceTransport::Udp),
            Some((place, "transport=tcp")) if relays => (place, IceTransport::Tcp),
            Some(_) => return Err(bad(form)),
            None if secure => (rest, IceTransport::Tcp),
            None => (rest, IceTransport::Udp),
        };
        let (host, port) = host_and_port(place).ok_or(bad(form))?;
        let port = port.unwrap_or(if secure { 5349 } else { 3478 });
        Ok(Self { scheme, host: host.to_owned(), port, transport })
    }
}

impl fmt::Display for IceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, query) = match (self.scheme, self.transport) {
            (IceScheme::Stun, _) => ("stun", ""),
            (IceScheme::Stuns, _) => ("stuns", ""),
            (IceScheme::Turn, IceTransport::Udp) => ("turn", "?transport=udp"),
            (IceScheme::Turn, IceTransport::Tcp) => ("turn", "?transport=tcp"),
            (IceScheme::Turns, IceTransport::Udp) => ("turns", "?transport=udp"),
            (IceScheme::Turns, IceTransport::Tcp) => ("turns", "?transport=tcp"),
        };
        write!(f, "{scheme}:{}{query}", self.authority())
    }
}

fn host_and_port(place: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => place.split_at(place.find(':').unwrap_or(place.len())),
    };
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || "/?#@[]".contains(c)) {
        return None;
    }
    match port.strip_prefix(':') {
        Some(port) => Some((host, Some(port.parse().ok()?))),
        None if port.is_empty() => Some((host, None)),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_with_their_defaults() {
        use IceScheme::{Stun, Stuns, Turn, Turns};
        use IceTransport::{Tcp, Udp};
        for (url, scheme, host, port, transport) in [
            ("stun:a.test", Stun, "a.test", 3478, Udp),
            ("stun:[::1]:99", Stun, "::1", 99, Udp),
            ("stuns:a.test", Stuns, "a.test", 5349, Tcp),
            ("turn:a.test", Turn, "a.test", 3478, Udp),
            ("TURN:192.0.2.1:99?transport=udp", Turn, "192.0.2.1", 99, Udp),
            ("turn:[2001:db8::1]?transport=tcp", Turn, "2001:db8::1", 3478, Tcp),
            ("turns:a.test", Turns, "a.test", 5349, Tcp),
            ("turns:a.test:443?transport=tcp", Turns, "a.test", 443, Tcp),
            ("turns:a.test?transport=udp", Turns, "a.test", 5349, Udp),
        ] {
            let read: IceUrl = url.parse().unwrap();
            let expected = IceUrl { scheme, host: host.to_owned(), port, transport };
            assert_eq!(read, expected, "{url}");
            assert_eq!(read.to_string().parse(), Ok(expected), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for url in [
            "nonsense",
            "http://a.test",
            "stun:",
            "stun:a.test:port",
            "stun:a.test:65536",
            "stun:a.test/x",
            "stun:a.test?transport=udp",
            "stun:[::1",
            "stun:[::1]99",
            "turn:",
            "turn:a.test?transport=sctp",
            "turn:a.test?udp",
            "turn:user@a.test",
        ] {
            let refused = url.parse::<IceUrl>().unwrap_err().to_string();
            assert!(refused.contains(url), "{refused}");
        }
    }
}
