//! Two connections under test, with what happens on them sorted into queues.

use std::sync::Arc;

use skapi_rtc_protocol::IceCandidate;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Failure, Rig, platform};
use crate::{
    Backend, CandidatePair, ChannelEvent, ChannelHandle, ChannelInit, ConnectionState, Message,
    OfferOptions, PeerConnection, PeerEvent, PeerEvents, PeerHandle, RemoteTrackHandle,
};

/// Fails with a formatted explanation unless something holds.
macro_rules! ensure {
    ($holds:expr, $($explanation:tt)+) => {
        if !$holds {
            return Err($crate::conformance::Failure::new(format!($($explanation)+)));
        }
    };
}
pub(super) use ensure;

/// One connection. Its queues end when its events do.
pub(super) struct Side {
    pub(super) peer: Arc<dyn PeerConnection>,
    /// Channels that the other side opened.
    pub(super) channels: UnboundedReceiver<ChannelHandle>,
    pub(super) states: UnboundedReceiver<ConnectionState>,
    pub(super) pairs: UnboundedReceiver<CandidatePair>,
    /// Tracks that the other side sends.
    pub(super) tracks: UnboundedReceiver<RemoteTrackHandle>,
    /// How often a negotiation was asked for.
    pub(super) needed: UnboundedReceiver<()>,
    /// Local candidates, until they are [trickled](Pair::trickle).
    candidates: Option<UnboundedReceiver<IceCandidate>>,
}

pub(super) struct Pair {
    pub(super) left: Side,
    pub(super) right: Side,
}

/// Both ends of a channel, open.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) left: ChannelHandle,
    pub(super) right: ChannelHandle,
}

impl Rig {
    /// Two connections that know nothing of each other.
    pub(super) async fn pair(&self) -> Result<Pair, Failure> {
        Ok(Pair { left: self.side(&self.left).await?, right: self.side(&self.right).await? })
    }

    /// Two connected connections with one open channel, made by the left side.
    pub(super) async fn connected(&self, init: ChannelInit) -> Result<(Pair, Ends), Failure> {
        let mut pair = self.pair().await?;
        pair.trickle();
        let left = pair.left.peer.create_channel("first", init).await?;
        negotiate(&pair.left, &pair.right).await?;
        let ends = self.open(left, &mut pair.right).await?;
        Ok((pair, ends))
    }

    /// Opens one more channel of a connected pair, from the left.
    pub(super) async fn another(
        &self,
        pair: &mut Pair,
        label: &str,
        init: ChannelInit,
    ) -> Result<Ends, Failure> {
        let left = pair.left.peer.create_channel(label, init).await?;
        self.open(left, &mut pair.right).await
    }

    /// Waits until a channel is open at both ends.
    pub(super) async fn open(
        &self,
        mut made: ChannelHandle,
        other: &mut Side,
    ) -> Result<Ends, Failure> {
        self.opened(&mut made).await?;
        let mut seen = self.incoming(other).await?;
        self.opened(&mut seen).await?;
        Ok(Ends { left: made, right: seen })
    }

    pub(super) async fn incoming(&self, side: &mut Side) -> Result<ChannelHandle, Failure> {
        let incoming = self.soon("a channel that the other side opened", side.channels.recv());
        incoming.await?.ok_or_else(|| Failure::new("the events ended before a channel came"))
    }

    pub(super) async fn opened(&self, channel: &mut ChannelHandle) -> Result<(), Failure> {
        let what = format!("the channel {:?} opens", channel.channel.label());
        let event = self.soon(&what, channel.events.recv()).await?;
        ensure!(event == Some(ChannelEvent::Open), "the first event is {event:?}, not Open");
        Ok(())
    }

    /// The next message of a channel; other events are passed over, but for the end.
    pub(super) async fn message(&self, channel: &mut ChannelHandle) -> Result<Message, Failure> {
        self.soon("a message", async {
            loop {
                match channel.events.recv().await {
                    Some(ChannelEvent::Message(message)) => return Ok(message),
                    Some(ChannelEvent::Closed) | None => {
                        return Err(Failure::new("the channel closed instead of giving a message"));
                    }
                    Some(_) => {}
                }
            }
        })
        .await?
    }

    /// Waits for the end of a channel and checks that it comes once, and last. Gives the messages that
    /// came before.
    pub(super) async fn closed(
        &self,
        channel: &mut ChannelHandle,
    ) -> Result<Vec<Message>, Failure> {
        let mut messages = Vec::new();
        loop {
            match self.soon("the channel's end", channel.events.recv()).await? {
                Some(ChannelEvent::Message(message)) => messages.push(message),
                Some(ChannelEvent::Closed) => break,
                None => return Err(Failure::new("the events ended without Closed")),
                Some(_) => {}
            }
        }
        let after = self.soon("the events end after Closed", channel.events.recv()).await?;
        ensure!(after.is_none(), "{after:?} came after Closed");
        Ok(messages)
    }

    /// Sends something across both ways and waits for it.
    pub(super) async fn works(&self, ends: &mut Ends) -> Result<(), Failure> {
        self.carries(&ends.left, &mut ends.right, "to the right").await?;
        self.carries(&ends.right, &mut ends.left, "to the left").await
    }

    async fn carries(
        &self,
        from: &ChannelHandle,
        to: &mut ChannelHandle,
        text: &str,
    ) -> Result<(), Failure> {
        self.soon("a message is taken", from.channel.send(text.into())).await??;
        let message = self.message(to).await?;
        ensure!(message == text.into(), "sent {text:?}, received {message:?}");
        Ok(())
    }

    async fn side(&self, engine: &Arc<dyn Backend>) -> Result<Side, Failure> {
        Ok(Side::new(engine.create_peer(self.config.clone()).await?))
    }
}

impl Pair {
    /// Carries candidates across from now on, in both directions.
    pub(super) fn trickle(&mut self) {
        self.left.trickle_to(&self.right.peer);
        self.right.trickle_to(&self.left.peer);
    }

    pub(super) async fn close(&self) {
        self.left.peer.close().await;
        self.right.peer.close().await;
    }
}

impl Side {
    pub(super) fn new(handle: PeerHandle) -> Self {
        let (channels, channels_reader) = unbounded_channel();
        let (states, states_reader) = unbounded_channel();
        let (pairs, pairs_reader) = unbounded_channel();
        let (candidates, candidates_reader) = unbounded_channel();
        let (tracks, tracks_reader) = unbounded_channel();
        let (needed, needed_reader) = unbounded_channel();
        let sorters = Sorters { channels, states, pairs, candidates, tracks, needed };
        platform::spawn(sorters.sort(handle.events));
        Self {
            peer: handle.peer,
            channels: channels_reader,
            states: states_reader,
            pairs: pairs_reader,
            tracks: tracks_reader,
            needed: needed_reader,
            candidates: Some(candidates_reader),
        }
    }

    /// The local candidates, for checks that carry them across themselves.
    pub(super) fn take_candidates(&mut self) -> Option<UnboundedReceiver<IceCandidate>> {
        self.candidates.take()
    }

    fn trickle_to(&mut self, other: &Arc<dyn PeerConnection>) {
        let Some(mut candidates) = self.candidates.take() else {
            return;
        };
        // Not kept alive: some checks drop the connections to see what happens.
        let other = Arc::downgrade(other);
        platform::spawn(async move {
            while let Some(candidate) = candidates.recv().await {
                let Some(other) = other.upgrade() else { return };
                // A closed connection takes none; a check that minds looks itself.
                let _ = other.add_candidate(candidate).await;
            }
        });
    }
}

/// A whole negotiation, without surprises.
pub(super) async fn negotiate(offerer: &Side, answerer: &Side) -> Result<(), Failure> {
    let offer = offerer.peer.make_offer(OfferOptions::default()).await?;
    let answer = answerer.peer.accept_offer(offer).await?;
    offerer.peer.accept_answer(answer).await?;
    Ok(())
}

/// Where each kind of event goes.
struct Sorters {
    channels: UnboundedSender<ChannelHandle>,
    states: UnboundedSender<ConnectionState>,
    pairs: UnboundedSender<CandidatePair>,
    candidates: UnboundedSender<IceCandidate>,
    tracks: UnboundedSender<RemoteTrackHandle>,
    needed: UnboundedSender<()>,
}

impl Sorters {
    async fn sort(self, mut events: PeerEvents) {
        // Whoever does not care for a kind of event has dropped its reader.
        while let Some(event) = events.recv().await {
            match event {
                PeerEvent::Channel(channel) => drop(self.channels.send(channel)),
                PeerEvent::State(state) => drop(self.states.send(state)),
                PeerEvent::SelectedPair(pair) => drop(self.pairs.send(pair)),
                PeerEvent::Candidate(candidate) => drop(self.candidates.send(candidate)),
                PeerEvent::Track(track) => drop(self.tracks.send(track)),
                PeerEvent::NegotiationNeeded => drop(self.needed.send(())),
                PeerEvent::AddressesChanged => {}
            }
        }
    }
}
