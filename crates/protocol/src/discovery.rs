//! The discovery documents: where Skapi's client finds a service's addresses.

use serde::{Deserialize, Serialize};

/// What `userpool_id` is at a service of one's own. The client wants letters and digits alone after the last
/// `_`, and refuses to go on otherwise.
const USER_POOL: &str = "self-hosted_skapirtc";
/// What `userpool_client` is; the client keeps sessions in `localStorage` under this name.
const USER_POOL_CLIENT: &str = "skapi-rtc";

/// `admin-v1.json`. Addresses are prefixes: the client appends the name of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminEndpoints {
    /// Requests about accounts, without a token.
    pub admin_public: String,
    /// Requests about accounts, with a token.
    pub admin_private: String,
    /// `GET service`.
    pub service_public: String,
    /// `POST get-users`.
    pub get_users_private: String,
    /// The name of the user pool: at most 55 characters, `[\w-]+_[0-9a-zA-Z]+`.
    pub userpool_id: String,
    /// The name of the client within the user pool.
    pub userpool_client: String,
}

/// `record-v1.json`. Addresses are prefixes: the client appends the name of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordEndpoints {
    /// Requests about records, without a token.
    pub record_public: String,
    /// Requests about records and groups, with a token.
    pub record_private: String,
    /// Where records are written, without a token.
    pub post_public: String,
    /// Where records are written, with a token.
    pub post_private: String,
    /// Where records are read, without a token.
    pub get_public: String,
    /// Where records are read, with a token.
    pub get_private: String,
    /// Where records are deleted.
    pub del_private: String,
    /// The WebSocket, without a query: the client appends `?token=`.
    pub websocket_private: String,
}

impl AdminEndpoints {
    /// Every request goes to one prefix, which ends with `/`.
    pub fn at(api: &str) -> Self {
        let api = || api.to_owned();
        Self {
            admin_public: api(),
            admin_private: api(),
            service_public: api(),
            get_users_private: api(),
            userpool_id: USER_POOL.to_owned(),
            userpool_client: USER_POOL_CLIENT.to_owned(),
        }
    }
}

impl RecordEndpoints {
    /// Every request goes to one prefix, which ends with `/`, and the WebSocket to an address of its own.
    pub fn at(api: &str, websocket: &str) -> Self {
        let api = || api.to_owned();
        Self {
            record_public: api(),
            record_private: api(),
            post_public: api(),
            post_private: api(),
            get_public: api(),
            get_private: api(),
            del_private: api(),
            websocket_private: websocket.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_takes_the_user_pool_for_one() {
        let (region, id) = USER_POOL.rsplit_once('_').unwrap();
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        assert!(!region.is_empty() && region.chars().all(word));
        assert!(!id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric()));
        assert!(USER_POOL.len() <= 55);
    }
}
