//! Calls, as the application holds them: going out, coming in, and up.

mod incoming;
mod outgoing;
mod shared;
mod user;

use std::sync::Arc;

use skapi_rtc_backend::{CandidatePair, ChannelError, ConnectionState, PeerStats};
use skapi_rtc_protocol::{ConnectionId, UserId};
use skapi_rtc_signaling::CallEnd;
use tokio::sync::watch;

pub use self::{
    incoming::IncomingCall,
    outgoing::{CallFuture, OutgoingCall},
    user::OutgoingUserCall,
};
pub(crate) use self::{
    shared::{CallShared, Stage},
    user::{PlacedUser, UserStage},
};
use crate::{
    CallError, Channel, ChannelOptions, LocalTrack, MediaError, RemoteTrack, driver::Command,
    realtime::Handle,
};

/// A call that is up.
///
/// Clones are handles of the same call. Dropping the last one hangs up.
#[derive(Debug, Clone)]
pub struct Call {
    lease: Arc<Lease>,
}

/// What a call reports while it is up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallEvent {
    /// The state of the peer connection changed.
    ConnectionState(ConnectionState),
    /// The pair of candidates that carries the traffic was chosen or has changed.
    SelectedPair(CandidatePair),
    /// The connection is interrupted, and searched for.
    Reconnecting,
    /// It came back.
    Reconnected,
    /// The call is over. Last event.
    Ended(CallEnd),
}

impl Call {
    pub(crate) fn new(lease: Arc<Lease>) -> Self {
        Self { lease }
    }

    /// The peer's connection id at the time of the call's beginning.
    pub fn peer(&self) -> &ConnectionId {
        &self.shared().peer
    }

    /// The peer's user id; `None` only while a peer on a foreign service has not spoken yet.
    pub fn user(&self) -> Option<UserId> {
        self.shared().user()
    }

    /// The data channel with this label, once it is open, whoever opened it. Each channel is given out
    /// once. Cancel-safe.
    ///
    /// # Errors
    /// When the call ends before there is such a channel.
    pub async fn channel(&self, label: &str) -> Result<Channel, CallError> {
        match self.shared().claim_channel(Some(label)).await {
            Some(claim) => claim.opened().await.map_err(|error| self.why(error)),
            None => Err(self.over()),
        }
    }

    /// The next data channel that nobody has asked for by its label, once it is open; `None` when the
    /// call is over. Cancel-safe.
    pub async fn next_channel(&self) -> Option<Channel> {
        loop {
            let claim = self.shared().claim_channel(None).await?;
            if let Ok(channel) = claim.opened().await {
                return Some(channel);
            }
        }
    }

    /// Opens a further data channel; the peer finds it by its label.
    ///
    /// # Errors
    /// When the call is not connected, or the options contradict each other.
    pub async fn open_channel(
        &self,
        options: impl Into<ChannelOptions>,
    ) -> Result<Channel, CallError> {
        let options = options.into();
        let connection = self.shared().connection().ok_or(CallError::NotConnected)?;
        let handle = connection.create_channel(&options.label, options.init).await?;
        let mut channel = Channel::new(handle);
        channel.opened().await.map_err(|error| self.why(error))?;
        Ok(channel)
    }

    /// The next track that the peer sends, once its first packet is here; `None` when the call is over.
    /// Each track is given out once, to whoever asks first. Cancel-safe.
    pub async fn next_track(&self) -> Option<RemoteTrack> {
        self.shared().claim_track().await
    }

    /// Sends one more track. A peer with Skapi's own client takes the negotiation that this needs for
    /// another call, so for that peer tracks belong into the [`CallOptions`](crate::CallOptions).
    ///
    /// # Errors
    /// When the call is not connected, or the engine has none of the track's codecs.
    pub async fn add_track(&self, track: &LocalTrack) -> Result<(), CallError> {
        let connection = self.shared().connection().ok_or(CallError::NotConnected)?;
        track.attach(connection.add_track(track.init()).await?);
        Ok(())
    }

    /// Sends a track no longer.
    ///
    /// # Errors
    /// [`MediaError::UnknownTrack`](crate::MediaError::UnknownTrack) when the call does not send it.
    pub async fn remove_track(&self, track: &LocalTrack) -> Result<(), CallError> {
        let connection = self.shared().connection().ok_or(CallError::NotConnected)?;
        for part in track.parts() {
            match connection.remove_track(&part).await {
                Err(MediaError::UnknownTrack) => {} // it belongs to another call
                result => return Ok(result?),
            }
        }
        Err(MediaError::UnknownTrack.into())
    }

    /// What happens to the call from now on. Several may listen; one that does not read misses
    /// intermediate states, never the last.
    pub fn events(&self) -> CallEvents {
        CallEvents::new(self.shared())
    }

    /// The state of the peer connection now.
    pub fn connection_state(&self) -> ConnectionState {
        *self.shared().transport.borrow()
    }

    /// The pair of candidates that carries the traffic, once it is known.
    pub fn selected_pair(&self) -> Option<CandidatePair> {
        self.shared().pair.borrow().clone()
    }

    /// Figures of the connection: a snapshot.
    ///
    /// # Errors
    /// When the call is not connected.
    pub async fn stats(&self) -> Result<PeerStats, CallError> {
        let connection = self.shared().connection().ok_or(CallError::NotConnected)?;
        Ok(connection.stats().await?)
    }

    /// Waits for the end of the call and says why it ended. Cancel-safe.
    pub async fn ended(&self) -> CallEnd {
        ended(self.shared()).await
    }

    /// Hangs up, and waits until the call has ended here. What still waits in a channel's send buffer is
    /// lost with it: whoever has to know that something arrived asks the peer, as
    /// [`file`](crate::file) does.
    pub async fn hangup(&self) -> CallEnd {
        self.lease.hang_up();
        self.ended().await
    }

    /// Why a channel does not open: the end of the call says more than the channel does.
    fn why(&self, error: ChannelError) -> CallError {
        match &*self.shared().stage.borrow() {
            Stage::Ended(end) => CallError::Ended(end.clone()),
            _ => error.into(),
        }
    }

    fn over(&self) -> CallError {
        over(self.shared())
    }

    fn shared(&self) -> &Arc<CallShared> {
        &self.lease.shared
    }
}

/// The events of a call, from the moment they were asked for.
#[derive(Debug)]
pub struct CallEvents {
    stage: watch::Receiver<Stage>,
    transport: watch::Receiver<ConnectionState>,
    pair: watch::Receiver<Option<CandidatePair>>,
    last: Option<Stage>,
}

impl CallEvents {
    fn new(shared: &CallShared) -> Self {
        let stage = shared.stage.subscribe();
        // An interruption counts as told, so that its end is news.
        let last = Some(stage.borrow().clone()).filter(|stage| *stage == Stage::Interrupted);
        Self { stage, transport: shared.transport.subscribe(), pair: shared.pair.subscribe(), last }
    }

    /// The next event; `None` after [`CallEvent::Ended`]. Cancel-safe.
    pub async fn next(&mut self) -> Option<CallEvent> {
        loop {
            if matches!(self.last, Some(Stage::Ended(_))) {
                return None;
            }
            let now = self.stage.borrow().clone();
            if matches!(now, Stage::Ended(_)) {
                if let Some(event) = self.advance(now) {
                    return Some(event);
                }
                continue;
            }
            tokio::select! {
                biased;
                Ok(()) = self.pair.changed() => {
                    if let Some(pair) = self.pair.borrow_and_update().clone() {
                        return Some(CallEvent::SelectedPair(pair));
                    }
                }
                Ok(()) = self.transport.changed() => {
                    return Some(CallEvent::ConnectionState(*self.transport.borrow_and_update()));
                }
                changed = self.stage.changed() => {
                    changed.ok()?;
                    let now = self.stage.borrow_and_update().clone();
                    if let Some(event) = self.advance(now) {
                        return Some(event);
                    }
                }
            }
        }
    }

    fn advance(&mut self, now: Stage) -> Option<CallEvent> {
        let before = self.last.replace(now.clone());
        match now {
            Stage::Ended(end) => Some(CallEvent::Ended(end)),
            Stage::Interrupted => Some(CallEvent::Reconnecting),
            Stage::Connected if before == Some(Stage::Interrupted) => Some(CallEvent::Reconnected),
            _ => None,
        }
    }
}

/// A handle's hold on a call: when the last one goes, the call is hung up.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) shared: Arc<CallShared>,
    pub(crate) handle: Handle,
}

impl Lease {
    pub(crate) fn new(shared: Arc<CallShared>, handle: Handle) -> Arc<Self> {
        Arc::new(Self { shared, handle })
    }

    fn hang_up(&self) {
        if !matches!(*self.shared.stage.borrow(), Stage::Ended(_)) {
            self.handle.send(Command::HangUp { call: self.shared.id });
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.hang_up();
    }
}

async fn ended(shared: &CallShared) -> CallEnd {
    let mut stage = shared.stage.subscribe();
    loop {
        if let Stage::Ended(end) = &*stage.borrow_and_update() {
            return end.clone();
        }
        if stage.changed().await.is_err() {
            // We hold the sender, so this cannot happen.
            std::future::pending::<()>().await;
        }
    }
}

fn over(shared: &CallShared) -> CallError {
    match &*shared.stage.borrow() {
        Stage::Ended(end) => CallError::Ended(end.clone()),
        _ => CallError::NotConnected,
    }
}

/// Waits until a call is connected.
async fn connected(shared: &CallShared) -> Result<(), CallError> {
    let mut stage = shared.stage.subscribe();
    let reached = stage
        .wait_for(|stage| matches!(stage, Stage::Connected | Stage::Interrupted | Stage::Ended(_)))
        .await;
    match reached.as_deref() {
        Ok(Stage::Ended(end)) => Err(CallError::Ended(end.clone())),
        Ok(_) => Ok(()),
        Err(_) => Err(CallError::SessionClosed),
    }
}
