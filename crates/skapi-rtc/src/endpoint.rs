//! Where a service is: one base address, and the addresses below it.

use skapi_rtc_signaling::Resumption;

use crate::{address::Url, transport::OpenRequest};

/// The addresses of a realtime service.
///
/// Below the base stand `ws` (the WebSocket) and `api/` (the queries); a service that lays them out
/// otherwise, such as one behind a gateway, is described by [`with_parts`](Self::with_parts).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    socket: Url,
    api: Url,
}

/// An address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// It is no URL.
    #[error("`{address}` is not a URL: {reason}; use e.g. http://127.0.0.1:8787")]
    NotAUrl {
        /// The address.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Its scheme cannot be used.
    #[error("`{address}` has the scheme `{scheme}`; use http, https, ws or wss")]
    Scheme {
        /// The address.
        address: String,
        /// Its scheme.
        scheme: String,
    },
}

impl Endpoint {
    /// The service at a base address: `http://host:port`, `https://host/path/`, or the same with `ws`
    /// and `wss`.
    ///
    /// # Errors
    /// When the address is no such URL.
    pub fn new(base: &str) -> Result<Self, EndpointError> {
        let mut base = parse(base)?;
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        Ok(Self {
            socket: with_scheme(join(&base, "ws")?, "ws"),
            api: with_scheme(join(&base, "api/")?, "http"),
        })
    }

    /// A service whose WebSocket and queries stand at unrelated addresses. Queries are asked at the
    /// second address followed by `get-ws-group`.
    ///
    /// # Errors
    /// When one of the addresses is no URL of a usable scheme.
    pub fn with_parts(socket: &str, api: &str) -> Result<Self, EndpointError> {
        Ok(Self {
            socket: with_scheme(parse(socket)?, "ws"),
            api: with_scheme(parse(api)?, "http"),
        })
    }

    /// The address at which a socket is opened for this request.
    pub fn socket(&self, request: &OpenRequest) -> String {
        let mut url = self.socket.clone();
        let Resumption { secret, received } = &request.resumption;
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("token", &request.token);
            // Empty, it says that we can be resumed.
            query.append_pair("resume", secret.as_deref().unwrap_or_default());
            if secret.is_some() {
                query.append_pair("received", &received.to_string());
            }
        }
        url.into()
    }

    /// The address of a query.
    ///
    /// # Errors
    /// When the path cannot stand in a URL.
    pub fn query(&self, path: &str) -> Result<String, EndpointError> {
        join(&self.api, path).map(Into::into)
    }

    /// The service's address as a person would write it, without any token.
    pub fn address(&self) -> String {
        let mut url = self.socket.clone();
        url.set_query(None);
        // Neither can fail for addresses with a host, and all of ours have one.
        let _ = (url.set_username(""), url.set_password(None));
        url.to_string()
    }
}

fn parse(address: &str) -> Result<Url, EndpointError> {
    let url = Url::parse(address).map_err(|error| EndpointError::NotAUrl {
        address: address.to_owned(),
        reason: error.to_string(),
    })?;
    match url.scheme() {
        "http" | "https" | "ws" | "wss" => Ok(url),
        scheme => {
            Err(EndpointError::Scheme { address: address.to_owned(), scheme: scheme.to_owned() })
        }
    }
}

fn join(base: &Url, path: &str) -> Result<Url, EndpointError> {
    base.join(path).map_err(|error| EndpointError::NotAUrl {
        address: format!("{base}{path}"),
        reason: error.to_string(),
    })
}

/// The same address with a scheme of this family, secure if it was.
fn with_scheme(mut url: Url, family: &str) -> Url {
    let secure = matches!(url.scheme(), "https" | "wss");
    let scheme = if secure { format!("{family}s") } else { family.to_owned() };
    // All four are "special" schemes in the sense of the URL standard, among which changing is allowed.
    let _ = url.set_scheme(&scheme);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(token: &str) -> OpenRequest {
        OpenRequest::new(token.to_owned(), Resumption::default())
    }

    #[test]
    fn a_connection_is_taken_up_again_by_its_secret() {
        let mut resumed = request("t");
        resumed.resumption = Resumption { secret: Some("a=".to_owned()), received: 7 };
        let url = Endpoint::new("http://h").unwrap().socket(&resumed);
        assert_eq!(url, "ws://h/ws?token=t&resume=a%3D&received=7");
        assert!(!format!("{resumed:?}").contains("a="));
    }

    #[test]
    fn a_base_address_leads_to_socket_and_queries() {
        for (base, socket, query) in [
            ("http://h:1", "ws://h:1/ws?token=t&resume=", "http://h:1/api/get-ws-group"),
            ("wss://h/x", "wss://h/x/ws?token=t&resume=", "https://h/x/api/get-ws-group"),
            ("https://h/x/", "wss://h/x/ws?token=t&resume=", "https://h/x/api/get-ws-group"),
        ] {
            let endpoint = Endpoint::new(base).unwrap();
            assert_eq!(endpoint.socket(&request("t")), socket);
            assert_eq!(endpoint.query("get-ws-group").unwrap(), query);
        }
    }

    #[test]
    fn tokens_are_escaped_and_do_not_show_in_the_address() {
        let endpoint = Endpoint::new("http://h").unwrap();
        assert_eq!(endpoint.socket(&request("a&b=c")), "ws://h/ws?token=a%26b%3Dc&resume=");
        assert_eq!(endpoint.address(), "ws://h/ws");
        let secret = Endpoint::new("http://user:secret@h").unwrap();
        assert_eq!(secret.address(), "ws://h/ws");
    }

    #[test]
    fn what_is_no_address_of_a_service_is_refused() {
        assert!(matches!(Endpoint::new("localhost"), Err(EndpointError::NotAUrl { .. })));
        assert!(matches!(Endpoint::new("ftp://h"), Err(EndpointError::Scheme { .. })));
    }
}
