//! What proxies say about a request: `Forwarded` (RFC 7239), or `X-Forwarded-For`, `-Host` and `-Proto`.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

/// Hops that are looked at, at most; real requests pass one or two proxies.
const MAX_HOPS: usize = 16;

/// What one proxy said about the request that it took.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hop {
    /// Who sent the request to the proxy.
    pub(super) client: Option<IpAddr>,
    /// To which host.
    pub(super) host: Option<String>,
    /// Whether over TLS.
    pub(super) secure: Option<bool>,
}

/// The hops of a request; the nearest proxy's is the last. Where `Forwarded` is there, nothing else counts.
pub(super) fn hops(headers: &HeaderMap) -> Vec<Hop> {
    let forwarded = last_items(headers, "forwarded");
    if !forwarded.is_empty() {
        return forwarded.iter().map(|element| standard(element)).collect();
    }
    // Every list ends with what the nearest proxy wrote, however many of the others wrote theirs.
    let clients = last_items(headers, "x-forwarded-for");
    let hosts = last_items(headers, "x-forwarded-host");
    let protocols = last_items(headers, "x-forwarded-proto");
    let from_end = |list: &[String], at: usize| {
        list.len().checked_sub(at + 1).map(|index| list[index].trim().to_owned())
    };
    let count = clients.len().max(hosts.len()).max(protocols.len());
    let hop = |at| Hop {
        client: from_end(&clients, at).and_then(|client| node(&client)),
        host: from_end(&hosts, at),
        secure: from_end(&protocols, at).and_then(|protocol| secure(&protocol)),
    };
    (0..count).rev().map(hop).collect()
}

/// The last items of a list that may be spread over several headers; commas in quotes do not count.
fn last_items(headers: &HeaderMap, name: &str) -> Vec<String> {
    let lines = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let mut items: Vec<String> = lines
        .flat_map(|line| split_unquoted(line, ','))
        .filter(|item| !item.trim().is_empty())
        .map(str::to_owned)
        .collect();
    items.drain(..items.len().saturating_sub(MAX_HOPS));
    items
}

/// One element of `Forwarded`: `for=192.0.2.1;host=example.com;proto=https`.
fn standard(element: &str) -> Hop {
    let mut hop = Hop::default();
    for pair in split_unquoted(element, ';') {
        let Some((key, value)) = pair.split_once('=') else {
            continue;
        };
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
        match key.trim().to_ascii_lowercase().as_str() {
            "for" => hop.client = node(value),
            "host" => hop.host = Some(value.to_owned()),
            "proto" => hop.secure = secure(value),
            _ => {}
        }
    }
    hop
}

fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
}

/// An address with or without a port, IPv6 with or without brackets; `unknown` and `_names` are none.
fn node(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse().map(|address: SocketAddr| address.ip());
    bare.parse().or_else(|_| with_port()).ok().map(|address: IpAddr| address.to_canonical())
}

fn secure(protocol: &str) -> Option<bool> {
    match protocol.to_ascii_lowercase().as_str() {
        "https" | "wss" => Some(true),
        "http" | "ws" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn read(lines: &[(&'static str, &str)]) -> Vec<Hop> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let value = HeaderValue::from_str(value).unwrap();
            headers.append(HeaderName::from_static(name), value);
        }
        hops(&headers)
    }

    fn hop(client: &str, host: &str, secure: impl Into<Option<bool>>) -> Hop {
        Hop {
            client: client.parse().ok(),
            host: (!host.is_empty()).then(|| host.to_owned()),
            secure: secure.into(),
        }
    }

    #[test]
    fn the_standard_header_is_read_with_its_quotes() {
        let lines = [
            (
                "forwarded",
                r#"for=192.0.2.60;proto=https;host="a.example:8443", For="[2001:db8::1]:47""#,
            ),
            ("forwarded", r#"for=unknown;by=10.0.0.1;host="b,c""#),
            ("x-forwarded-host", "other.example"),
        ];
        assert_eq!(
            read(&lines),
            [
                hop("192.0.2.60", "a.example:8443", true),
                hop("2001:db8::1", "", None),
                hop("", "b,c", None),
            ]
        );
    }

    #[test]
    fn the_other_headers_are_matched_from_their_ends() {
        let lines = [
            ("x-forwarded-for", "192.0.2.60, 10.0.0.1:80"),
            ("x-forwarded-proto", "HTTPS"),
            ("x-forwarded-host", "a.example,b.example"),
        ];
        assert_eq!(
            read(&lines),
            [hop("192.0.2.60", "a.example", None), hop("10.0.0.1", "b.example", true)]
        );
        assert_eq!(read(&[("x-forwarded-proto", "http")]), [hop("", "", false)]);
        assert_eq!(read(&[]), []);
    }

    #[test]
    fn only_the_nearest_hops_are_read() {
        let list = format!("{}10.0.0.9", "10.0.0.1,".repeat(1000));
        let hops = read(&[("x-forwarded-for", &list)]);
        assert_eq!(hops.len(), MAX_HOPS);
        assert_eq!(hops.last(), Some(&hop("10.0.0.9", "", None)));
    }
}
