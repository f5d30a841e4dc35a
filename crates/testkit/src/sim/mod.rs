//! A service, a network, engines and the machines under test, in virtual time under one seed.
//!
//! ```text
//!             user actions (a test's)
//!                    │
//!   Node ◀──── Session ────▶ FakeEngine ──▶ Fabric (which peer connections find each other)
//!    ▲                │
//!    │ frames         ▼ frames
//!   Lanes ◀──── Service         all of it planned in one Schedule, driven by World
//! ```

mod changes;
mod engine;
mod fabric;
mod faults;
mod frames;
#[cfg(feature = "hub")]
mod hub_service;
mod lanes;
mod node;
mod options;
mod outages;
mod page;
mod pages;
mod paths;
mod realtime;
mod service;
mod world;

pub use fabric::Fabric;
#[cfg(feature = "hub")]
pub use hub_service::HubService;
pub use lanes::{Endpoint, Lanes};
pub use node::{Node, NodeId};
pub use options::Options;
pub use outages::Outage;
pub use page::Page;
pub use paths::PathFault;
pub use realtime::Realtime;
pub use service::{Delivery, Service};
pub use world::World;
