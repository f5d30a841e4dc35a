//! Calls, as the application holds them: going out, coming in, and up.

mod events;
mod incoming;
mod outgoing;
mod shared;
mod successor;
mod user;
mod waiting;

use std::{sync::Arc, time::Duration};

use skapi_rtc_backend::{CandidatePair, ChannelError, ConnectionState, PeerStats};
use skapi_rtc_protocol::{ConnectionId, UserId};
use skapi_rtc_signaling::{CallEnd, ChangeError};

use self::waiting::{connected, ended, over};
pub use self::{
    events::{CallEvent, CallEvents},
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
    realtime::Handle, runtime,
};

/// A call that is up.
///
/// Clones are handles of the same call. Dropping the last one hangs up.
#[derive(Debug, Clone)]
pub struct Call {
    lease: Arc<Lease>,
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
    /// When the call is not connected, or the options contradict each other; and [`CallError::Change`] when it
    /// is the call's first and the peer does not agree to data channels.
    pub async fn open_channel(
        &self,
        options: impl Into<ChannelOptions>,
    ) -> Result<Channel, CallError> {
        let options = options.into();
        let connection = self.shared().connection().ok_or(CallError::NotConnected)?;
        let mut events = self.events();
        let handle = connection.create_channel(&options.label, options.init).await?;
        let mut channel = Channel::new(handle);
        let refused = tokio::select! {
            biased;
            opened = channel.opened() => {
                opened.map_err(|error| self.why(error))?;
                return Ok(channel);
            }
            refused = change_failed(&mut events) => refused,
        };
        // It may have been another change that failed: then this one opens all the same.
        if let Some(opened) = runtime::within(CHANNEL_MAY_OPEN, channel.opened()).await {
            opened.map_err(|error| self.why(error))?;
            return Ok(channel);
        }
        channel.close().await;
        Err(refused.into())
    }

    /// The next track that the peer sends, once its first packet is here; `None` when the call is over.
    /// Each track is given out once, to whoever asks first. Cancel-safe.
    pub async fn next_track(&self) -> Option<RemoteTrack> {
        self.shared().claim_track().await
    }

    /// Sends one more track. A peer with Skapi's own client takes the negotiation that this needs for
    /// another call, so for that peer tracks belong into the [`CallOptions`](crate::CallOptions). Whether the
    /// peer takes the track shows later: if not, there is a [`CallEvent::ChangeFailed`].
    ///
    /// # Errors
    /// When the call is not connected, or the engine has none of the track's codecs.
    pub async fn add_track(&self, track: &LocalTrack) -> Result<(), CallError> {
        let connection = self.shared().connection().ok_or(CallError::NotConnected)?;
        track.attach(connection.add_track(track.init()).await?);
        self.shared().sends(track);
        Ok(())
    }

    /// Sends a track no longer.
    ///
    /// # Errors
    /// [`MediaError::UnknownTrack`](crate::MediaError::UnknownTrack) when the call does not send it.
    pub async fn remove_track(&self, track: &LocalTrack) -> Result<(), CallError> {
        let connection = self.shared().connection().ok_or(CallError::NotConnected)?;
        self.shared().sends_no_longer(track);
        for part in track.parts() {
            match connection.remove_track(&part).await {
                Err(MediaError::UnknownTrack) => {} // it belongs to another call
                result => return Ok(result?),
            }
        }
        Err(MediaError::UnknownTrack.into())
    }

    /// What happens to the call from now on. Several may listen.
    pub fn events(&self) -> CallEvents {
        self.shared().events.from_now_on()
    }

    /// The state of the peer connection now.
    pub fn connection_state(&self) -> ConnectionState {
        *self.shared().transport.borrow()
    }

    /// The pair of candidates that carries the traffic, once it is known.
    pub fn selected_pair(&self) -> Option<CandidatePair> {
        self.shared().pair.borrow().clone()
    }

    /// Figures of the connection: a snapshot, with the names of W3C webrtc-stats. Two of them say
    /// [what flows](PeerStats::since).
    ///
    /// # Errors
    /// When the call is not connected.
    pub async fn stats(&self) -> Result<PeerStats, CallError> {
        let connection = self.shared().connection().ok_or(CallError::NotConnected)?;
        let mut stats = connection.stats().await?;
        stats.timestamp.get_or_insert(self.shared().clock.now().since_origin());
        Ok(stats)
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

/// A channel that is going to open opens within a round trip.
const CHANNEL_MAY_OPEN: Duration = Duration::from_secs(2);

/// Waits until a change has failed.
async fn change_failed(events: &mut CallEvents) -> ChangeError {
    loop {
        match events.next().await {
            Some(CallEvent::ChangeFailed(error)) => return error,
            Some(_) => {}
            // The call is over, and whatever is waited for besides this.
            None => std::future::pending().await,
        }
    }
}
