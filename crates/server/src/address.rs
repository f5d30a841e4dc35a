//! The address under which clients know the service.

use url::Url;

/// A scheme, a host and perhaps a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicAddress {
    secure: bool,
    /// Host, port and path, without a slash at the end.
    place: String,
}

impl PublicAddress {
    /// At the root of a host.
    pub(crate) fn at_host(secure: bool, host: &str) -> Self {
        Self { secure, place: host.to_owned() }
    }

    /// Reads a configured address; `None` when it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let bare = url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        let secure = match url.scheme() {
            "https" | "wss" => true,
            "http" | "ws" => false,
            _ => return None,
        };
        let host = url.host_str()?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let path = url.path().trim_end_matches('/');
        bare.then(|| Self { secure, place: format!("{host}{port}{path}") })
    }

    /// The prefix of requests, with a slash at the end.
    pub(crate) fn api(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}/api/", self.place)
    }

    /// Where the WebSocket is.
    pub(crate) fn websocket(&self) -> String {
        let scheme = if self.secure { "wss" } else { "ws" };
        format!("{scheme}://{}/ws", self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_to_the_routes() {
        let plain = PublicAddress::at_host(false, "localhost:8787");
        assert_eq!(plain.api(), "http://localhost:8787/api/");
        assert_eq!(plain.websocket(), "ws://localhost:8787/ws");
        for text in ["https://rtc.example/a", "https://rtc.example:443/a/", "wss://rtc.example/a"] {
            let address = PublicAddress::parse(text).unwrap();
            assert_eq!(address.api(), "https://rtc.example/a/api/", "{text}");
            assert_eq!(address.websocket(), "wss://rtc.example/a/ws");
        }
        assert_eq!(PublicAddress::parse("http://[::1]:80").unwrap().api(), "http://[::1]/api/");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in
            ["", "rtc.example", "ftp://rtc.example", "https://a/?b", "https://a/#b", "https://u@a/"]
        {
            assert_eq!(PublicAddress::parse(bad), None, "{bad}");
        }
    }
}
