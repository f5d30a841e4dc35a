//! Keeps the SCTP stream ids of closed channels from being used again.
//!
//! The engine gives a new channel the lowest free stream id, and calls an id free as soon as one side
//! has closed. The stream below is not through then: each side resets its direction (RFC 6525), and this
//! engine answers even the answer with a third reset.
//!
//! ```text
//!   we close     ── reset ──►                        peer closes  ◄── reset ──
//!   id "free"   ◄── reset ──   the stream is gone    id "free"     ── reset ──►
//!                ── reset ──►  ends whatever is      ends whatever ◄── reset ──
//!                              on this id            is on this id
//! ```
//!
//! A channel that takes the id meanwhile never opens, or is closed by a reset that was meant for its
//! predecessor. Nothing tells when the stream is through, and waiting a few round trips is no cure:
//! where ids were used again a third of a second later, channels still failed, why is not known. So every
//! id is used once. The engine cannot be told which id to take, but it passes over ids that are taken: a
//! **lid** is put on each closed one, a channel by agreement that only this side makes, and of which
//! nothing goes over the wire. A reset of the peer takes a lid off; then it is put on again.
//!
//! Lids stay as long as the connection, about 20 KB each, which bounds how many channels a connection
//! can have in the course of its life: [`MAX_CLOSED`], or half the streams that the peer allows where
//! that is less. Then opening one fails; a new connection helps.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use skapi_rtc_backend::ChannelError;
use tokio::sync::{Mutex, MutexGuard};
use tracing::debug;
use webrtc::{
    data_channel::{
        DataChannel as EngineChannel, RTCDataChannelId, RTCDataChannelInit, RTCDataChannelState,
    },
    peer_connection::PeerConnection as EnginePeer,
};

use crate::{births::Birth, convert, pulse::Silence, shared::Shared};

/// How many of our channels may have been closed in one connection.
const MAX_CLOSED: usize = 4096;

/// How often to look whether the engine has got on with something it tells nobody.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// How long to wait for the peer's consent to a channel that is closed before it came.
const OPENING: Duration = Duration::from_secs(5);

/// How long the engine's driver may take for one round before we go on without it.
const ROUND: Duration = Duration::from_millis(500);

pub(crate) struct StreamIds {
    shared: Arc<Shared>,
    /// Locked while a channel is made or closed, so that neither happens in the middle of the other.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    own: Vec<Own>,
    lids: Vec<Lid>,
}

/// The right to make a channel.
pub(crate) struct Ready<'a> {
    state: MutexGuard<'a, State>,
    _silence: Option<Silence<'a>>,
}

impl Ready<'_> {
    /// Takes note of a channel that is announced in band.
    pub(crate) fn made(&mut self, channel: &Arc<dyn EngineChannel>) {
        self.state.own.push(Own { handle: channel.id(), channel: Arc::downgrade(channel) });
    }
}

/// A channel that we announced, and that the engine still had when we last looked.
struct Own {
    handle: RTCDataChannelId,
    channel: Weak<dyn EngineChannel>,
}

/// What lies on an id; nothing while the engine refuses.
struct Lid {
    id: u16,
    channel: Option<Arc<dyn EngineChannel>>,
    /// See `births.rs`.
    _twin: Option<Arc<dyn EngineChannel>>,
}

impl StreamIds {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, state: Mutex::default() }
    }

    /// Sees to it that the engine chooses a good id, as long as what this gives lives.
    ///
    /// # Errors
    /// Says that there are no more ids.
    pub(crate) async fn ready(
        &self,
        engine: &Arc<dyn EnginePeer>,
    ) -> Result<Ready<'_>, ChannelError> {
        let mut state = self.state.lock().await;
        let mut silence = None;
        if self.shared.was_connected() {
            // Or the peer could close a channel between our look and the engine's choice.
            silence = Some(self.shared.pulse.silence().await);
            state.put_lids_on(&self.shared, engine).await;
        }
        if state.lids.len() >= MAX_CLOSED {
            return Err(ChannelError::Engine(format!(
                "{MAX_CLOSED} channels were closed in this connection, it can have no more"
            )));
        }
        Ok(Ready { state, _silence: silence })
    }

    /// Closes a channel of ours; returns when the engine has taken it out of its books.
    pub(crate) async fn close(&self, channel: &Arc<dyn EngineChannel>) {
        // The id of a channel that is not open cannot be learned. Before the connection it has none.
        if self.shared.was_connected() {
            let connecting = |state| state == Some(RTCDataChannelState::Connecting);
            wait_while(&**channel, connecting, OPENING).await;
        }
        let _alone = self.state.lock().await;
        close_engine(&**channel).await;
        if self.shared.was_connected() {
            wait_while(&**channel, |state| state.is_some(), ROUND).await;
        }
    }
}

impl State {
    /// Puts a lid on every id that was closed, and on those whose lid is off again.
    async fn put_lids_on(&mut self, shared: &Arc<Shared>, engine: &Arc<dyn EnginePeer>) {
        self.note_closed(&**engine).await;
        for lid in &mut self.lids {
            let is_on = match &lid.channel {
                Some(channel) => is_known(&**channel).await,
                None => false,
            };
            if !is_on {
                lid.put_on(shared, engine).await;
            }
        }
    }

    async fn note_closed(&mut self, engine: &dyn EnginePeer) {
        let mut closed = Vec::new();
        let mut index = 0;
        while let Some(own) = self.own.get(index) {
            let known = match own.channel.upgrade() {
                Some(channel) => is_known(&*channel).await,
                None => false,
            };
            if known {
                index += 1;
            } else {
                closed.push(self.own.swap_remove(index));
            }
        }
        if closed.is_empty() {
            return;
        }
        let report = convert::report(engine).await;
        let ids = closed.iter().filter_map(|own| convert::stream_id(&report, own.handle));
        self.lids.extend(ids.map(|id| Lid { id, channel: None, _twin: None }));
    }
}

impl Lid {
    async fn put_on(&mut self, shared: &Arc<Shared>, engine: &Arc<dyn EnginePeer>) {
        let init =
            RTCDataChannelInit { negotiated: Some(self.id), ..RTCDataChannelInit::default() };
        let birth = Birth::begin(shared);
        match engine.create_data_channel("", Some(init)).await {
            Ok(channel) => {
                self._twin = birth.twin(channel.id());
                self.channel = Some(channel);
            }
            Err(error) => debug!(%error, id = self.id, "a closed stream id is not kept"),
        }
    }
}

pub(crate) async fn close_engine(channel: &dyn EngineChannel) {
    if let Err(error) = channel.close().await
        && !convert::means_closed(&error)
    {
        debug!(%error, "the engine did not close a data channel in order");
    }
}

/// Whether the engine has the channel in its books, and its id counts as taken.
async fn is_known(channel: &dyn EngineChannel) -> bool {
    channel.ready_state().await.is_ok()
}

/// Waits as long as something holds of the channel's state, `None` once the engine has forgotten it.
async fn wait_while(
    channel: &dyn EngineChannel,
    holds: impl Fn(Option<RTCDataChannelState>) -> bool,
    at_most: Duration,
) {
    let end = Instant::now() + at_most;
    while holds(channel.ready_state().await.ok()) && Instant::now() < end {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
