//! What a track of the peer's asks of the engine.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use skapi_rtc_backend::rtp::RemoteSource;
use str0m::media::Mid;

use crate::shared::Shared;

/// A wish for a key frame in one section, on its way to the driver.
#[derive(Debug)]
pub(crate) struct Asking {
    section: Mid,
    called: AtomicBool,
    shared: Arc<Shared>,
}

impl Asking {
    /// Has the driver ask for a key frame; what is asked before the driver looks is asked once.
    fn ask(self: &Arc<Self>) {
        if !self.called.swap(true, Ordering::AcqRel) {
            self.shared.call_for_keyframe(self.clone());
        }
    }

    /// The section that is meant; the driver has been called for it.
    pub(crate) fn take(&self) -> Mid {
        self.called.store(false, Ordering::Release);
        self.section
    }
}

/// What a track asks of its section.
pub(crate) struct Source(Arc<Asking>);

impl Source {
    pub(crate) fn new(section: Mid, shared: &Arc<Shared>) -> Self {
        let called = AtomicBool::new(false);
        Self(Arc::new(Asking { section, called, shared: shared.clone() }))
    }
}

impl RemoteSource for Source {
    fn ask_for_keyframe(&self) {
        self.0.ask();
    }

    fn is_closed(&self) -> bool {
        self.0.shared.is_closing()
    }
}
