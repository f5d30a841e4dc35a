//! What the handles of a call and the driver share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use skapi_rtc_backend::{
    CandidatePair, ChannelError, ChannelHandle, ConnectionState, PeerConnection,
};
use skapi_rtc_protocol::{ConnectionId, UserId};
use skapi_rtc_signaling::{CallEnd, CallId};
use tokio::sync::{Notify, watch};

use super::{CallEvent, events::EventLog, successor::Successor};
use crate::{Channel, LocalTrack, RemoteTrack, options::CallOptions, runtime::Clock};

/// Channels and tracks of a call that nobody has asked for yet. A peer that opens more gets them closed
/// or not heard.
const MAX_UNCLAIMED: usize = 64;

/// How far a call has come. Only ever moves on, but for [`Stage::Interrupted`] and back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    Calling,
    Ringing,
    Accepted,
    Connected,
    Interrupted,
    Ended(CallEnd),
}

#[derive(Debug)]
pub(crate) struct CallShared {
    pub(crate) id: CallId,
    pub(crate) peer: ConnectionId,
    pub(crate) stage: watch::Sender<Stage>,
    pub(crate) transport: watch::Sender<ConnectionState>,
    pub(crate) pair: watch::Sender<Option<CandidatePair>>,
    pub(crate) events: Arc<EventLog>,
    pub(crate) clock: Clock,
    claims_changed: Notify,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    user: Option<UserId>,
    has_rung: bool,
    options: CallOptions,
    connection: Option<Arc<dyn PeerConnection>>,
    unclaimed: Vec<Channel>,
    unclaimed_tracks: Vec<RemoteTrack>,
    pub(super) successor: Successor,
}

impl CallShared {
    pub(crate) fn new(
        id: CallId,
        peer: ConnectionId,
        user: Option<UserId>,
        options: CallOptions,
    ) -> Self {
        Self {
            id,
            peer,
            stage: watch::Sender::new(Stage::Calling),
            transport: watch::Sender::new(ConnectionState::New),
            pair: watch::Sender::new(None),
            events: EventLog::new(),
            clock: Clock::start(),
            claims_changed: Notify::new(),
            state: Mutex::new(State { user, options, ..State::default() }),
        }
    }

    pub(crate) fn user(&self) -> Option<UserId> {
        self.lock().user.clone()
    }

    pub(crate) fn set_user(&self, user: Option<UserId>) {
        if user.is_some() {
            self.lock().user = user;
        }
    }

    /// The state of the peer connection has changed.
    pub(crate) fn set_transport(&self, state: ConnectionState) {
        self.transport.send_replace(state);
        self.events.push(CallEvent::ConnectionState(state));
    }

    /// Another pair of candidates carries the traffic.
    pub(crate) fn set_pair(&self, pair: CandidatePair) {
        self.pair.send_replace(Some(pair.clone()));
        self.events.push(CallEvent::SelectedPair(pair));
    }

    /// Something happened that moves the call on, or is only to be told.
    pub(crate) fn tell(&self, event: CallEvent) {
        let stage = match &event {
            CallEvent::Ringing => Some(Stage::Ringing),
            CallEvent::Accepted => Some(Stage::Accepted),
            CallEvent::Connected | CallEvent::Reconnected => Some(Stage::Connected),
            CallEvent::Reconnecting => Some(Stage::Interrupted),
            CallEvent::Ended(end) => Some(Stage::Ended(end.clone())),
            _ => None,
        };
        self.events.push(event);
        if let Some(stage) = stage {
            self.set_stage(stage);
        }
    }

    fn set_stage(&self, stage: Stage) {
        if stage == Stage::Ringing {
            self.lock().has_rung = true;
        }
        self.stage.send_replace(stage);
    }

    /// Whether the other side has said that it rings. The stage alone does not tell: it may have moved on
    /// before anybody looked.
    pub(crate) fn has_rung(&self) -> bool {
        self.lock().has_rung
    }

    pub(crate) fn options(&self) -> CallOptions {
        self.lock().options.clone()
    }

    pub(crate) fn set_options(&self, options: CallOptions) {
        self.lock().options = options;
    }

    /// A further track is part of the call: of what takes its place, too.
    pub(super) fn sends(&self, track: &LocalTrack) {
        self.lock().options.tracks.push(track.clone());
    }

    pub(super) fn sends_no_longer(&self, track: &LocalTrack) {
        self.lock().options.tracks.retain(|other| other != track);
    }

    pub(crate) fn connection(&self) -> Option<Arc<dyn PeerConnection>> {
        self.lock().connection.clone()
    }

    /// Takes a peer connection into use, or, with `None`, out of it: then its channels and tracks are gone
    /// too.
    pub(crate) fn set_connection(&self, connection: Option<Arc<dyn PeerConnection>>) {
        let old = {
            let mut state = self.lock();
            let unclaimed = match connection {
                None => {
                    let state = &mut *state;
                    let tracks = std::mem::take(&mut state.unclaimed_tracks);
                    (std::mem::take(&mut state.unclaimed), tracks)
                }
                Some(_) => Default::default(),
            };
            (std::mem::replace(&mut state.connection, connection), unclaimed)
        };
        drop(old); // outside the lock: engines may do what they like when dropped
        self.claims_changed.notify_waiters();
    }

    /// Adds a channel that can be asked for. Gives it back when there are too many.
    pub(crate) fn add_channel(&self, channel: ChannelHandle) -> Result<(), ChannelHandle> {
        {
            let mut state = self.lock();
            if state.unclaimed.len() >= MAX_UNCLAIMED {
                return Err(channel);
            }
            state.unclaimed.push(Channel::new(channel));
        }
        self.claims_changed.notify_waiters();
        Ok(())
    }

    /// Adds a track that can be asked for. Gives it back when there are too many.
    pub(crate) fn add_track(&self, track: RemoteTrack) -> Result<(), RemoteTrack> {
        {
            let mut state = self.lock();
            if state.unclaimed_tracks.len() >= MAX_UNCLAIMED {
                return Err(track);
            }
            state.unclaimed_tracks.push(track);
        }
        self.claims_changed.notify_waiters();
        Ok(())
    }

    /// Waits for a track; `None` when the call is over.
    pub(crate) async fn claim_track(&self) -> Option<RemoteTrack> {
        self.claim(|| {
            let mut state = self.lock();
            (!state.unclaimed_tracks.is_empty()).then(|| state.unclaimed_tracks.remove(0))
        })
        .await
    }

    /// Waits for a channel with this label, or for any; `None` when the call is over.
    pub(crate) async fn claim_channel(&self, label: Option<&str>) -> Option<Claim<'_>> {
        let channel = self.claim(|| self.take_channel(label)).await?;
        Some(Claim { shared: self, channel: Some(channel) })
    }

    /// Waits until there is something to take; `None` when the call is over.
    async fn claim<T>(&self, take: impl Fn() -> Option<T>) -> Option<T> {
        let mut stage = self.stage.subscribe();
        loop {
            // Registered before the look, so that what comes between is not missed.
            let changed = self.claims_changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(taken) = take() {
                return Some(taken);
            }
            tokio::select! {
                () = changed => {}
                ended = stage.wait_for(|stage| matches!(stage, Stage::Ended(_))) => {
                    drop(ended);
                    return None;
                }
            }
        }
    }

    fn take_channel(&self, label: Option<&str>) -> Option<Channel> {
        let mut state = self.lock();
        let at = state
            .unclaimed
            .iter()
            .position(|channel| label.is_none_or(|label| channel.label() == label))?;
        Some(state.unclaimed.remove(at))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A channel that was asked for and is not open yet. Whoever stops waiting for it leaves it for the next
/// one who asks.
pub(crate) struct Claim<'a> {
    shared: &'a CallShared,
    channel: Option<Channel>,
}

impl Claim<'_> {
    /// Waits until the channel is open.
    pub(crate) async fn opened(mut self) -> Result<Channel, ChannelError> {
        let opened = match &mut self.channel {
            Some(channel) => channel.opened().await,
            None => Err(ChannelError::Closed),
        };
        let channel = self.channel.take();
        opened.and(channel.ok_or(ChannelError::Closed))
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Some(channel) = self.channel.take() {
            self.shared.lock().unclaimed.insert(0, channel);
            self.shared.claims_changed.notify_waiters();
        }
    }
}
