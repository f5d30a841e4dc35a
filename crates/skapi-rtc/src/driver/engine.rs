//! One call's peer connection: carries the machine's operations out, one after the other, and reports
//! what the engine says.

use std::sync::Arc;

use skapi_rtc_backend::{
    Backend, ConnectionState, MediaError, OfferOptions, PeerConfig, PeerConnection, PeerEvent,
    PeerEvents, TransportPolicy,
};
use skapi_rtc_signaling::{CallId, Generation, Role, RtcAction, RtcEvent, RtcOutcome};
use tokio::sync::mpsc;

use super::{DriverInput, slots::Operation};
use crate::{
    RemoteTrack,
    call::CallShared,
    options::{CallOptions, ChannelOptions, DEFAULT_CHANNEL},
    runtime,
};

/// What every call's engine task needs.
#[derive(Debug, Clone)]
pub(super) struct Engines {
    pub(super) backend: Option<Arc<dyn Backend>>,
    pub(super) policy: TransportPolicy,
    pub(super) inputs: mpsc::Sender<DriverInput>,
    /// Held as long as a task lives, so that closing can wait for all of them.
    pub(super) alive: mpsc::Sender<()>,
}

/// Runs a call's operations until the driver has no more for it.
pub(super) async fn run_engine(
    engines: Engines,
    shared: Arc<CallShared>,
    mut operations: mpsc::Receiver<Operation>,
) {
    let mut connection = None;
    while let Some(operation) = operations.recv().await {
        let (op, action) = *operation;
        // In a box, so that a task that waits, as most do most of the time, does not hold the room for it.
        let result = Box::pin(carry_out(&engines, &shared, &mut connection, action)).await;
        if let Err(error) = &result {
            tracing::debug!(call = %shared.id, %error, "the engine refused an operation");
        }
        // A driver that is gone needs no result; the connection is still to be closed.
        let _ = engines.inputs.send(DriverInput::RtcDone { op, result }).await;
    }
    close(&shared, connection.take()).await;
}

type Outcome = Result<RtcOutcome, String>;

async fn carry_out(
    engines: &Engines,
    shared: &Arc<CallShared>,
    connection: &mut Option<Arc<dyn PeerConnection>>,
    action: RtcAction,
) -> Outcome {
    let action = match action {
        RtcAction::Open { generation, role, ice_servers } => {
            close(shared, connection.take()).await;
            let config =
                PeerConfig::default().ice_servers(ice_servers).transport_policy(engines.policy);
            *connection = Some(open(engines, shared, config, generation, role).await?);
            return Ok(RtcOutcome::Done);
        }
        RtcAction::Close => {
            close(shared, connection.take()).await;
            return Ok(RtcOutcome::Done);
        }
        action => action,
    };
    let Some(peer) = connection else {
        return Err("there is no peer connection".to_owned());
    };
    let done = match action {
        RtcAction::MakeOffer { ice_restart } => {
            let options = OfferOptions::default().ice_restart(ice_restart);
            return described(peer.make_offer(options).await);
        }
        RtcAction::SetIceServers(servers) => {
            let set = peer.set_ice_servers(servers).await;
            return set.map(|()| RtcOutcome::Done).map_err(|error| error.to_string());
        }
        RtcAction::AcceptOffer(offer) => return described(peer.accept_offer(offer).await),
        RtcAction::AcceptAnswer(answer) => peer.accept_answer(answer).await,
        RtcAction::Rollback => peer.rollback().await,
        RtcAction::AddCandidate(candidate) => peer.add_candidate(candidate).await,
        other => return Err(format!("this version cannot do {other:?}")),
    };
    done.map(|()| RtcOutcome::Done).map_err(|error| error.to_string())
}

fn described<E: std::fmt::Display>(
    result: Result<skapi_rtc_protocol::SessionDescription, E>,
) -> Outcome {
    result.map(RtcOutcome::Description).map_err(|error| error.to_string())
}

async fn open(
    engines: &Engines,
    shared: &Arc<CallShared>,
    config: PeerConfig,
    generation: Generation,
    role: Role,
) -> Result<Arc<dyn PeerConnection>, String> {
    let backend = engines.backend.as_ref().ok_or(
        "no engine: enable the feature `webrtc`, or set `ConnectOptions::backend`".to_owned(),
    )?;
    let handle = backend.create_peer(config).await.map_err(|error| error.to_string())?;
    let peer = handle.peer;
    if let Some(hook) = shared.options().on_connection {
        hook.call(&peer);
    }
    if let Err(error) = furnish(&*peer, shared, role).await {
        peer.close().await;
        return Err(error);
    }
    shared.set_connection(Some(peer.clone()));
    let pump = Pump { shared: shared.clone(), generation, inputs: engines.inputs.clone() };
    let alive = engines.alive.clone();
    runtime::spawn(async move {
        pump.run(handle.events).await;
        drop(alive);
    });
    Ok(peer)
}

/// Adds what the call was asked to carry, so that the first offer or answer is about it.
async fn furnish(peer: &dyn PeerConnection, shared: &CallShared, role: Role) -> Result<(), String> {
    let CallOptions { mut channels, tracks, .. } = shared.options();
    for track in tracks {
        let init = track.init();
        let answers_only = init.answer_only;
        let handle = peer.add_track(init).await;
        if answers_only && matches!(handle, Err(MediaError::Unsupported(_))) {
            // An engine without media refuses what it would have to answer, and a call is more than that.
            continue;
        }
        track.attach(handle.map_err(|error| format!("the track `{}`: {error}", track.id()))?);
    }
    if role == Role::Callee {
        return Ok(());
    }
    if channels.is_empty() {
        channels.push(ChannelOptions::new(DEFAULT_CHANNEL));
    }
    for ChannelOptions { label, init } in channels {
        let handle = peer
            .create_channel(&label, init)
            .await
            .map_err(|error| format!("the data channel `{label}`: {error}"))?;
        if shared.add_channel(handle).is_err() {
            return Err("more data channels were asked for than a call may hold".to_owned());
        }
    }
    Ok(())
}

async fn close(shared: &CallShared, connection: Option<Arc<dyn PeerConnection>>) {
    if let Some(connection) = connection {
        connection.close().await;
        shared.set_connection(None);
    }
}

/// Carries an engine's events to the driver and to the handles.
struct Pump {
    shared: Arc<CallShared>,
    generation: Generation,
    inputs: mpsc::Sender<DriverInput>,
}

impl Pump {
    async fn run(&self, mut events: PeerEvents) {
        while let Some(event) = events.recv().await {
            match event {
                PeerEvent::Candidate(candidate) => {
                    self.report(RtcEvent::Candidate(candidate)).await;
                }
                PeerEvent::State(state) => self.on_state(state).await,
                PeerEvent::NegotiationNeeded => self.report(RtcEvent::NegotiationNeeded).await,
                PeerEvent::AddressesChanged => self.report(RtcEvent::AddressesChanged).await,
                PeerEvent::SelectedPair(pair) => {
                    self.shared.set_pair(pair);
                    self.report(RtcEvent::PathFound).await;
                }
                PeerEvent::Channel(handle) => {
                    if let Err(refused) = self.shared.add_channel(handle) {
                        tracing::warn!(call = %self.shared.id, "too many unclaimed data channels");
                        refused.channel.close().await;
                    }
                }
                PeerEvent::Track(handle) => self.on_track(RemoteTrack::new(handle)),
                _ => {}
            }
        }
    }

    fn on_track(&self, track: RemoteTrack) {
        if self.shared.add_track(track).is_err() {
            tracing::warn!(call = %self.shared.id, "too many unclaimed tracks");
        }
    }

    async fn on_state(&self, state: ConnectionState) {
        self.shared.set_transport(state);
        let event = match state {
            ConnectionState::New | ConnectionState::Connecting => return,
            ConnectionState::Connected => RtcEvent::Connected,
            ConnectionState::Disconnected => RtcEvent::Disconnected,
            ConnectionState::Failed => RtcEvent::Failed,
            ConnectionState::Closed => RtcEvent::Closed,
        };
        self.report(event).await;
    }

    async fn report(&self, event: RtcEvent) {
        let call: CallId = self.shared.id;
        let input = DriverInput::RtcEvent { call, generation: self.generation, event };
        // A driver that is gone has closed the call already.
        let _ = self.inputs.send(input).await;
    }
}
