//! The STUN servers among the configured ones.

use skapi_rtc_protocol::IceServer;
use tracing::debug;

const DEFAULT_PORT: u16 = 3478;

/// Host and port of each STUN server.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Servers(pub(crate) Vec<String>);

impl Servers {
    /// Reads `stun:` URLs (RFC 7064); `turn:` and `turns:` are left out, as there is no client for them.
    ///
    /// # Errors
    /// Says which URL cannot be read.
    pub(crate) fn read(servers: &[IceServer]) -> Result<Self, String> {
        let mut found = Vec::new();
        for url in servers.iter().flat_map(|server| &server.urls) {
            let Some((scheme, rest)) = url.split_once(':') else {
                return Err(format!("the ICE server {url:?} is no URL"));
            };
            match scheme {
                "stun" => found.push(host_and_port(rest).ok_or_else(|| {
                    format!("the ICE server {url:?} is not of the form stun:host or stun:host:port")
                })?),
                "turn" | "turns" | "stuns" => {
                    debug!(url, "not used: this engine has no client for it")
                }
                _ => return Err(format!("the ICE server {url:?} is neither stun: nor turn:")),
            }
        }
        found.sort();
        found.dedup();
        Ok(Self(found))
    }
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
        Servers::read(&[IceServer { urls, ..IceServer::default() }])
    }

    #[test]
    fn stun_servers_are_found_and_others_left_out() {
        let read = read(&["turn:a.test:3478?transport=udp", "stun:b.test", "stun:[::1]:99"]);
        assert_eq!(read, Ok(Servers(vec!["[::1]:99".into(), "b.test:3478".into()])));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for url in
            ["nonsense", "http://a.test", "stun:", "stun:a.test:port", "stun:a.test/x", "stun:[::1"]
        {
            let refused = read(&[url]).unwrap_err();
            assert!(refused.contains(url), "{refused}");
        }
    }
}
