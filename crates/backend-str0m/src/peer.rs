//! A peer connection, in the words of the backend traits: everything it is asked goes to its driver.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use skapi_rtc_backend::{
    BackendError, ChannelError, ChannelHandle, ChannelInit, LocalTrack, LocalTrackHandle,
    MediaError, NegotiationError, OfferOptions, PeerConnection, PeerStats, TrackInit,
};
use skapi_rtc_protocol::{IceCandidate, IceServer, SessionDescription};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    command::{Command, Reply},
    media::Local,
    servers::Bridge,
    shared::Shared,
};

pub(crate) struct Peer {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Box<Command>>,
    /// Ends with the driver.
    driver: watch::Receiver<()>,
    bridge: Bridge,
}

impl Peer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        commands: mpsc::Sender<Box<Command>>,
        driver: watch::Receiver<()>,
        bridge: Bridge,
    ) -> Self {
        Self { shared, commands, driver, bridge }
    }

    /// What the driver answers; `None` when the connection is closed.
    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Option<T> {
        if self.shared.is_closing() {
            return None;
        }
        let (reply, answer) = oneshot::channel();
        self.commands.send(Box::new(command(reply))).await.ok()?;
        answer.await.ok()
    }

    async fn negotiate<T>(
        &self,
        command: impl FnOnce(Reply<Result<T, NegotiationError>>) -> Command,
    ) -> Result<T, NegotiationError> {
        self.ask(command).await.unwrap_or(Err(NegotiationError::Closed))
    }
}

#[async_trait]
impl PeerConnection for Peer {
    async fn set_ice_servers(&self, servers: Vec<IceServer>) -> Result<(), BackendError> {
        if self.shared.is_closing() {
            return Err(BackendError::Closed);
        }
        let servers = self.bridge.servers(servers)?;
        self.ask(|reply| Command::SetServers(servers, reply)).await.ok_or(BackendError::Closed)
    }

    async fn make_offer(
        &self,
        options: OfferOptions,
    ) -> Result<SessionDescription, NegotiationError> {
        self.negotiate(|reply| Command::MakeOffer(options, reply)).await
    }

    async fn accept_offer(
        &self,
        offer: SessionDescription,
    ) -> Result<SessionDescription, NegotiationError> {
        self.negotiate(|reply| Command::AcceptOffer(offer, reply)).await
    }

    async fn accept_answer(&self, answer: SessionDescription) -> Result<(), NegotiationError> {
        self.negotiate(|reply| Command::AcceptAnswer(answer, reply)).await
    }

    async fn rollback(&self) -> Result<(), NegotiationError> {
        self.negotiate(Command::Rollback).await
    }

    async fn add_candidate(&self, candidate: IceCandidate) -> Result<(), NegotiationError> {
        self.negotiate(|reply| Command::AddCandidate(candidate, reply)).await
    }

    async fn create_channel(
        &self,
        label: &str,
        init: ChannelInit,
    ) -> Result<ChannelHandle, ChannelError> {
        init.validate(label)?;
        let label = label.to_owned();
        let made = self.ask(|reply| Command::CreateChannel { label, init, reply }).await;
        made.unwrap_or(Err(ChannelError::Closed))
    }

    async fn add_track(&self, track: TrackInit) -> Result<LocalTrackHandle, MediaError> {
        let (local, handle) = Local::handle(track, &self.shared)?;
        let track = handle.track.clone();
        let added = self.ask(|reply| Command::AddTrack { local, track, reply }).await;
        added.unwrap_or(Err(MediaError::Closed)).map(|()| handle)
    }

    async fn remove_track(&self, track: &Arc<dyn LocalTrack>) -> Result<(), MediaError> {
        let removed = self.ask(|reply| Command::RemoveTrack(track.clone(), reply)).await;
        removed.unwrap_or(Err(MediaError::UnknownTrack))
    }

    async fn stats(&self) -> Result<PeerStats, BackendError> {
        self.ask(Command::Stats).await.ok_or(BackendError::Closed)
    }

    async fn close(&self) {
        self.shared.start_closing();
        // Nothing is ever sent: an error means that the driver has ended.
        let _ = self.driver.clone().changed().await;
        self.bridge.close().await;
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.start_closing();
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("closing", &self.shared.is_closing()).finish_non_exhaustive()
    }
}
