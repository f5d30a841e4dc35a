//! Tracks of the platform's own, which the engine reads by itself.

use std::{any::Any, fmt, rc::Rc};

/// A track that the engine captures, encodes and sends by itself: in a browser a `MediaStreamTrack`, made by
/// the engine's own `local_track`. Opaque to everybody else; equal to its clones only.
#[derive(Clone)]
pub struct NativeTrack(Rc<dyn Any>);

impl NativeTrack {
    /// Wraps what an engine knows.
    pub fn new(track: impl Any) -> Self {
        Self(Rc::new(track))
    }

    /// What an engine has wrapped, if it is of this type.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl PartialEq for NativeTrack {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for NativeTrack {}

impl fmt::Debug for NativeTrack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NativeTrack")
    }
}
