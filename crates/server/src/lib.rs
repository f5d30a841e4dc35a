//! The self-hosted realtime service as a library: hub, authentication, HTTP and WebSocket.
//!
//! Clients connect to `/ws?token=…`, join groups, post to groups and users and pass each other the
//! signals of their calls; over HTTP they ask who is in a group and which groups there are
//! (`POST /api/get-ws-group`). Media and data of a call never come here.
//!
//! ```
//! use skapi_rtc_server::{DevAuthenticator, Server};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let dev = DevAuthenticator::new();
//! let token = dev.mint(&"alice".parse()?, std::time::Duration::from_secs(3600));
//!
//! let server = Server::builder()
//!     .authenticator(dev)
//!     .listen("127.0.0.1:0".parse()?)
//!     .start()
//!     .await?;
//! println!("ws://{}/ws?token={token}", server.local_addr());
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! Inside, [`Hub`] decides who gets what and knows no sockets, and time only as an argument; around it stand the
//! sockets, the HTTP routes and the limits.

mod accept;
mod address;
mod admission;
mod auth;
mod bus;
mod config;
mod directory;
mod http;
mod hub;
mod ip_range;
mod limits;
mod metrics;
mod random;
mod router;
mod server;
mod shared;
mod shutdown;
mod socket;
mod tls;
mod windows;

pub use auth::{
    AuthError, Authenticator, DevAuthenticator, Identity, JwtAuthenticator, KeyError, ResumeKey,
    SessionTokens, TokenIssuer,
};
pub use config::{Config, ConfigError};
pub use hub::{
    Address, ConnectError, Delivery, Hub, HubLimits, QueryError, Receipt, ResumeLimits, Resumption,
};
pub use ip_range::{IpRange, IpRangeError};
pub use metrics::MetricsSnapshot;
pub use server::{Server, ServerBuilder, StartError};
pub use socket::CloseReason;
pub use tls::{Tls, TlsError};
