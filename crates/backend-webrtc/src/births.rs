//! Tells channels that we make from channels that the peer opens, where the engine mixes them up.
//!
//! The engine enters a channel that it makes into its books only after it has sent the announcement. If
//! the peer's answer overtakes that, the engine takes the channel for one of the peer's, announces it,
//! and has delivered its first events to the announced twin. So announcements that come while a channel
//! is being made are held back until it is known whose they are.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use webrtc::data_channel::{DataChannel as EngineChannel, RTCDataChannelId};

use crate::{handler::announce, shared::Shared};

#[derive(Default)]
pub(crate) struct Births(Mutex<State>);

#[derive(Default)]
struct State {
    being_made: usize,
    held_back: Vec<Arc<dyn EngineChannel>>,
}

impl Births {
    /// An announcement of the engine; comes back when it is certainly the peer's.
    pub(crate) fn announced(
        &self,
        channel: Arc<dyn EngineChannel>,
    ) -> Option<Arc<dyn EngineChannel>> {
        let mut state = self.state();
        if state.being_made == 0 {
            return Some(channel);
        }
        state.held_back.push(channel);
        None
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time in which a channel is made.
pub(crate) struct Birth<'a>(&'a Arc<Shared>);

impl<'a> Birth<'a> {
    pub(crate) fn begin(shared: &'a Arc<Shared>) -> Self {
        shared.births.state().being_made += 1;
        Self(shared)
    }

    /// The twin of the channel that was made, if the engine announced one.
    pub(crate) fn twin(&self, made: RTCDataChannelId) -> Option<Arc<dyn EngineChannel>> {
        let held_back = &mut self.0.births.state().held_back;
        let index = held_back.iter().position(|channel| channel.id() == made)?;
        Some(held_back.swap_remove(index))
    }
}

impl Drop for Birth<'_> {
    /// What was held back and has found no twin is the peer's.
    fn drop(&mut self) {
        let peers = {
            let mut state = self.0.births.state();
            state.being_made -= 1;
            if state.being_made > 0 {
                return;
            }
            std::mem::take(&mut state.held_back)
        };
        for channel in peers {
            let shared = self.0.clone();
            self.0.runtime.spawn(async move { announce(&shared, channel).await });
        }
    }
}
