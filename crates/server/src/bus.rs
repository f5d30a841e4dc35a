//! The bus: carries deliveries to the other nodes of a cluster.

use crate::hub::Delivery;

/// Tells the other nodes what concerns connections that may be theirs.
///
/// Each node delivers to its own connections itself and hands every delivery to the bus as well.
/// `publish` is called under the router's lock, in the order of deliveries, so an implementation only
/// queues.
pub(crate) trait Bus: Send + Sync + 'static {
    /// Passes a delivery on to the other nodes.
    fn publish(&self, delivery: &Delivery);
}

/// The bus of a service with a single node: there is nobody else to tell.
#[derive(Debug, Default)]
pub(crate) struct LocalBus;

impl Bus for LocalBus {
    fn publish(&self, _delivery: &Delivery) {}
}
