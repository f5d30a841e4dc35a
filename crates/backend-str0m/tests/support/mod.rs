//! Calls between two connections, for the tests of TURN and of ICE over TCP.

#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]

mod without_udp;

use std::{future::Future, sync::Arc, time::Duration};

use skapi_rtc_backend::{
    Backend, CandidateKind, CandidatePair, ChannelEvent, ChannelHandle, ChannelInit,
    ConnectionState, OfferOptions, PeerConfig, PeerConnection, PeerEvent, PeerEvents,
    RemoteTrackHandle, TransportPolicy,
};
use skapi_rtc_backend_str0m::{Config, Str0mBackend};
use skapi_rtc_protocol::{IceCandidate, IceServer};
use skapi_rtc_testkit::turn::{TurnOptions, TurnServer};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub(crate) use without_udp::{Detour, WithoutUdp};

/// Generous: the machine may be busy with other things.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// With one address, on which the server is too.
pub(crate) fn config() -> Config {
    Config::default().addresses(vec!["127.0.0.1".parse().unwrap()])
}

pub(crate) fn engine() -> Str0mBackend {
    Str0mBackend::new(config()).unwrap()
}

pub(crate) fn server() -> TurnServer {
    TurnServer::start(TurnOptions::default()).unwrap()
}

pub(crate) fn account(server: &TurnServer, username: &str, password: &str) -> IceServer {
    IceServer {
        urls: vec![server.url()],
        username: Some(username.to_owned()),
        credential: Some(password.to_owned()),
    }
}

/// Uses the server beside other candidates.
pub(crate) fn with(server: &TurnServer) -> PeerConfig {
    PeerConfig::default().ice_servers(vec![account(server, "user", "secret")])
}

/// Uses nothing but the server.
pub(crate) fn relayed(server: &TurnServer) -> PeerConfig {
    with(server).transport_policy(TransportPolicy::Relay)
}

/// One connection, with what happens on it sorted into queues.
pub(crate) struct Side {
    pub(crate) peer: Arc<dyn PeerConnection>,
    pub(crate) pairs: UnboundedReceiver<CandidatePair>,
    pub(crate) channels: UnboundedReceiver<ChannelHandle>,
    pub(crate) tracks: UnboundedReceiver<RemoteTrackHandle>,
    pub(crate) states: UnboundedReceiver<ConnectionState>,
    candidates: Option<UnboundedReceiver<IceCandidate>>,
}

impl Side {
    pub(crate) async fn new(engine: &dyn Backend, config: PeerConfig) -> Self {
        let handle = engine.create_peer(config).await.unwrap();
        let (candidates, candidates_reader) = unbounded_channel();
        let (pairs, pairs_reader) = unbounded_channel();
        let (channels, channels_reader) = unbounded_channel();
        let (tracks, tracks_reader) = unbounded_channel();
        let (states, states_reader) = unbounded_channel();
        tokio::spawn(sort(handle.events, candidates, pairs, channels, tracks, states));
        Self {
            peer: handle.peer,
            pairs: pairs_reader,
            channels: channels_reader,
            tracks: tracks_reader,
            states: states_reader,
            candidates: Some(candidates_reader),
        }
    }

    /// The values of the candidates up to the end, of one that nobody is told of.
    pub(crate) async fn gathered(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        let candidates = self.candidates.as_mut().unwrap();
        loop {
            let candidate = soon("the end of candidates", candidates.recv()).await.unwrap();
            if candidate.is_end_of_candidates() {
                return found;
            }
            found.push(candidate.candidate);
        }
    }

    pub(crate) async fn until(&mut self, wanted: ConnectionState) {
        soon("a state", async {
            while let Some(state) = self.states.recv().await {
                if state == wanted {
                    return;
                }
            }
            panic!("the events ended before {wanted:?}");
        })
        .await;
    }

    /// The pair that carries the call.
    pub(crate) async fn pair(&self) -> CandidatePair {
        self.peer.stats().await.unwrap().selected_pair.unwrap()
    }

    /// Whether the way to the peer begins, and ends, at a server.
    pub(crate) async fn is_relayed(&self) -> (bool, bool) {
        relays(&self.pair().await)
    }
}

/// Whether a pair begins, and ends, at a server. Where a check comes before its candidate does, the other end is not known
/// to be one.
pub(crate) fn relays(pair: &CandidatePair) -> (bool, bool) {
    let may_be_relayed = [CandidateKind::Relay, CandidateKind::PeerReflexive];
    (pair.local.kind == CandidateKind::Relay, may_be_relayed.contains(&pair.remote.kind))
}

async fn sort(
    mut events: PeerEvents,
    candidates: UnboundedSender<IceCandidate>,
    pairs: UnboundedSender<CandidatePair>,
    channels: UnboundedSender<ChannelHandle>,
    tracks: UnboundedSender<RemoteTrackHandle>,
    states: UnboundedSender<ConnectionState>,
) {
    while let Some(event) = events.recv().await {
        // Whoever does not look at a queue does not want to know.
        match event {
            PeerEvent::Candidate(candidate) => drop(candidates.send(candidate)),
            PeerEvent::SelectedPair(pair) => drop(pairs.send(pair)),
            PeerEvent::Channel(channel) => drop(channels.send(channel)),
            PeerEvent::Track(track) => drop(tracks.send(track)),
            PeerEvent::State(state) => drop(states.send(state)),
            _ => {}
        }
    }
}

/// Two connections with an open channel.
pub(crate) struct Call {
    pub(crate) left: Side,
    pub(crate) right: Side,
    pub(crate) here: ChannelHandle,
    pub(crate) there: ChannelHandle,
}

impl Call {
    /// The left side calls the right one.
    pub(crate) async fn new(mut left: Side, mut right: Side) -> Self {
        trickle(&mut left, &right);
        trickle(&mut right, &left);
        let mut here = left.peer.create_channel("talk", ChannelInit::default()).await.unwrap();
        negotiate(&left, &right, OfferOptions::default()).await;
        assert_eq!(next(&mut here).await, ChannelEvent::Open);
        let mut there = soon("a channel", right.channels.recv()).await.unwrap();
        assert_eq!(next(&mut there).await, ChannelEvent::Open);
        Self { left, right, here, there }
    }

    /// Starts ICE anew.
    pub(crate) async fn restart(&self) {
        let mut options = OfferOptions::default();
        options.ice_restart = true;
        negotiate(&self.left, &self.right, options).await;
    }

    /// Sends so many messages both ways, and sees that all come, in order.
    pub(crate) async fn talk(&mut self, count: usize) {
        let both = [
            (&self.here.channel, &mut self.there.events),
            (&self.there.channel, &mut self.here.events),
        ];
        for (from, to) in both {
            let send = async {
                for index in 0..count {
                    from.send(text(index).into()).await.unwrap();
                }
            };
            let receive = async {
                for index in 0..count {
                    loop {
                        match to.recv().await.unwrap() {
                            ChannelEvent::Message(message) => {
                                assert_eq!(message, text(index).into());
                                break;
                            }
                            ChannelEvent::BufferedAmountLow => {}
                            other => panic!("{other:?} instead of message {index}"),
                        }
                    }
                }
            };
            soon("all messages", async { tokio::join!(send, receive) }).await;
        }
    }

    pub(crate) async fn close(self) {
        self.left.peer.close().await;
        self.right.peer.close().await;
    }
}

/// From a few bytes to more than fits into a datagram.
fn text(index: usize) -> String {
    format!("{index} {}", "x".repeat(index * 7 % 3000))
}

pub(crate) async fn negotiate(left: &Side, right: &Side, options: OfferOptions) {
    let offer = left.peer.make_offer(options).await.unwrap();
    let answer = right.peer.accept_offer(offer).await.unwrap();
    left.peer.accept_answer(answer).await.unwrap();
}

/// Passes the candidates of one side on to the other.
fn trickle(from: &mut Side, to: &Side) {
    let mut candidates = from.candidates.take().unwrap();
    let to = to.peer.clone();
    tokio::spawn(async move {
        while let Some(candidate) = candidates.recv().await {
            let _ = to.add_candidate(candidate).await;
        }
    });
}

pub(crate) async fn next(channel: &mut ChannelHandle) -> ChannelEvent {
    soon("an event of a channel", channel.events.recv()).await.unwrap()
}

pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(SOON, future).await;
    waited.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}
