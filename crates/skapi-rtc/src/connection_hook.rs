//! What an application does with a call's peer connections before they are negotiated.

use std::{fmt, sync::Arc};

use skapi_rtc_backend::PeerConnection;

#[cfg(not(target_arch = "wasm32"))]
type Hook = Arc<dyn Fn(&Arc<dyn PeerConnection>) + Send + Sync>;
#[cfg(target_arch = "wasm32")]
type Hook = Arc<dyn Fn(&Arc<dyn PeerConnection>)>;

/// A hook of [`CallOptions::on_connection`](crate::CallOptions::on_connection). Equal to its clones only.
#[derive(Clone)]
pub struct ConnectionHook(Hook);

impl ConnectionHook {
    /// Wraps a function.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn new(hook: impl Fn(&Arc<dyn PeerConnection>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }

    /// Wraps a function.
    #[cfg(target_arch = "wasm32")]
    pub fn new(hook: impl Fn(&Arc<dyn PeerConnection>) + 'static) -> Self {
        Self(Arc::new(hook))
    }

    pub(crate) fn call(&self, connection: &Arc<dyn PeerConnection>) {
        (self.0)(connection);
    }
}

impl PartialEq for ConnectionHook {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ConnectionHook {}

impl fmt::Debug for ConnectionHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionHook")
    }
}
