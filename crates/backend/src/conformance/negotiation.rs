//! Offers, answers, rollback, candidates, ICE restart.

use std::time::Duration;

use skapi_rtc_protocol::{IceCandidate, SessionDescription};

use super::{
    Failure, Rig,
    platform::within,
    rig::{Side, ensure, negotiate},
};
use crate::{
    ChannelInit, Codec, ConnectionState, MediaError, NegotiationError, OfferOptions, PeerStats,
    TrackInit,
};

pub(super) async fn the_side_that_offers_connects(rig: &Rig) -> Result<(), Failure> {
    let (mut pair, mut ends) = rig.connected(ChannelInit::default()).await?;
    rig.works(&mut ends).await?;
    for side in [&mut pair.left, &mut pair.right] {
        rig.soon("the connection is connected", async {
            while let Some(state) = side.states.recv().await {
                match state {
                    ConnectionState::Connected => return Ok(()),
                    ConnectionState::New | ConnectionState::Connecting => {}
                    state => return Err(Failure::new(format!("{state:?} before Connected"))),
                }
            }
            Err(Failure::new("the events ended before Connected"))
        })
        .await??;
    }
    pair.close().await;
    Ok(())
}

pub(super) async fn the_other_side_may_offer_too(rig: &Rig) -> Result<(), Failure> {
    let mut pair = rig.pair().await?;
    pair.trickle();
    // The channel is the left side's, the offer the right side's, which must have one to offer.
    let left = pair.left.peer.create_channel("left", ChannelInit::default()).await?;
    let right = pair.right.peer.create_channel("right", ChannelInit::default()).await?;
    negotiate(&pair.right, &pair.left).await?;
    rig.works(&mut rig.open(left, &mut pair.right).await?).await?;
    rig.works(&mut rig.open(right, &mut pair.left).await?).await?;
    pair.close().await;
    Ok(())
}

pub(super) async fn a_rolled_back_offer_is_forgotten(rig: &Rig) -> Result<(), Failure> {
    let mut pair = rig.pair().await?;
    pair.trickle();
    let left = pair.left.peer.create_channel("left", ChannelInit::default()).await?;
    let _right = pair.right.peer.create_channel("right", ChannelInit::default()).await?;
    pair.left.peer.make_offer(OfferOptions::default()).await?;
    pair.left.peer.rollback().await?;
    negotiate(&pair.right, &pair.left).await?;
    rig.works(&mut rig.open(left, &mut pair.right).await?).await?;
    pair.close().await;
    Ok(())
}

pub(super) async fn rolling_back_nothing_succeeds(rig: &Rig) -> Result<(), Failure> {
    let (pair, mut ends) = rig.connected(ChannelInit::default()).await?;
    pair.left.peer.rollback().await?;
    rig.works(&mut ends).await?;
    pair.close().await;
    Ok(())
}

pub(super) async fn an_answer_without_an_offer_is_refused(rig: &Rig) -> Result<(), Failure> {
    let mut pair = rig.pair().await?;
    pair.trickle();
    let left = pair.left.peer.create_channel("left", ChannelInit::default()).await?;
    let offer = pair.left.peer.make_offer(OfferOptions::default()).await?;
    let answer = pair.right.peer.accept_offer(offer).await?;
    pair.left.peer.accept_answer(answer.clone()).await?;
    let second = pair.left.peer.accept_answer(answer.clone()).await;
    ensure!(is_wrong_state(&second), "the same answer again: {second:?}");
    let wrong_side = pair.right.peer.accept_answer(answer).await;
    ensure!(is_wrong_state(&wrong_side), "an answer at the answering side: {wrong_side:?}");
    rig.works(&mut rig.open(left, &mut pair.right).await?).await?;
    pair.close().await;
    Ok(())
}

pub(super) async fn an_offer_during_an_own_offer_is_refused(rig: &Rig) -> Result<(), Failure> {
    let mut pair = rig.pair().await?;
    pair.trickle();
    let left = pair.left.peer.create_channel("left", ChannelInit::default()).await?;
    let _right = pair.right.peer.create_channel("right", ChannelInit::default()).await?;
    let _ours = pair.left.peer.make_offer(OfferOptions::default()).await?;
    let theirs = pair.right.peer.make_offer(OfferOptions::default()).await?;
    let refused = pair.left.peer.accept_offer(theirs.clone()).await;
    ensure!(is_wrong_state(&refused), "an offer during an own offer: {refused:?}");
    pair.left.peer.rollback().await?;
    let answer = pair.left.peer.accept_offer(theirs).await?;
    pair.right.peer.accept_answer(answer).await?;
    rig.works(&mut rig.open(left, &mut pair.right).await?).await?;
    pair.close().await;
    Ok(())
}

pub(super) async fn a_bad_description_is_refused(rig: &Rig) -> Result<(), Failure> {
    const GARBAGE: [&str; 4] = [
        "",
        "this is no session description",
        "v=0\r\n",
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nm=",
    ];
    let mut pair = rig.pair().await?;
    pair.trickle();
    let left = pair.left.peer.create_channel("left", ChannelInit::default()).await?;
    for garbage in GARBAGE {
        let refused = pair.right.peer.accept_offer(SessionDescription::offer(garbage)).await;
        ensure!(is_bad_description(&refused), "the offer {garbage:?}: {refused:?}");
    }
    let offer = pair.left.peer.make_offer(OfferOptions::default()).await?;
    for garbage in GARBAGE {
        let refused = pair.left.peer.accept_answer(SessionDescription::answer(garbage)).await;
        ensure!(is_bad_description(&refused), "the answer {garbage:?}: {refused:?}");
    }
    let answer = pair.right.peer.accept_offer(offer).await?;
    pair.left.peer.accept_answer(answer).await?;
    rig.works(&mut rig.open(left, &mut pair.right).await?).await?;
    pair.close().await;
    Ok(())
}

pub(super) async fn a_bad_candidate_is_refused(rig: &Rig) -> Result<(), Failure> {
    let mut pair = rig.pair().await?;
    let bad = |value: &str| IceCandidate {
        candidate: value.into(),
        sdp_m_line_index: Some(0),
        ..IceCandidate::default()
    };
    let refuses = async |side: &Side, when: &str| -> Result<(), Failure> {
        for value in ["nonsense", "candidate:nonsense", "candidate:1 1 udp x y z typ host"] {
            let refused = side.peer.add_candidate(bad(value)).await;
            ensure!(
                matches!(refused, Err(NegotiationError::BadCandidate(_))),
                "the candidate {value:?} {when}: {refused:?}"
            );
        }
        Ok(())
    };
    refuses(&pair.left, "before the negotiation").await?;
    pair.trickle();
    let left = pair.left.peer.create_channel("left", ChannelInit::default()).await?;
    negotiate(&pair.left, &pair.right).await?;
    refuses(&pair.left, "after the negotiation").await?;
    pair.left.peer.add_candidate(bad("")).await?;
    let mut ends = rig.open(left, &mut pair.right).await?;
    refuses(&pair.right, "while connected").await?;
    rig.works(&mut ends).await?;
    pair.close().await;
    Ok(())
}

/// The offerer's candidates overtake its offer, as they do where signaling has several paths.
pub(super) async fn candidates_may_come_before_the_description(rig: &Rig) -> Result<(), Failure> {
    const SILENCE: Duration = Duration::from_millis(200);
    let mut pair = rig.pair().await?;
    let left = pair.left.peer.create_channel("left", ChannelInit::default()).await?;
    let offer = pair.left.peer.make_offer(OfferOptions::default()).await?;
    let Some(mut candidates) = pair.left.take_candidates() else {
        return Err(Failure::new("the candidates were taken before"));
    };
    // Until they have paused: not every engine tells the end.
    let mut early = 0;
    while let Some(Some(candidate)) = within(SILENCE, candidates.recv()).await {
        pair.right.peer.add_candidate(candidate).await?;
        early += 1;
    }
    pair.trickle();
    let answer = pair.right.peer.accept_offer(offer).await?;
    pair.left.peer.accept_answer(answer).await?;
    let mut ends = rig.open(left, &mut pair.right).await?;
    rig.works(&mut ends)
        .await
        .map_err(|failure| Failure::new(format!("with {early} early candidates: {failure}")))?;
    pair.close().await;
    Ok(())
}

pub(super) async fn a_second_negotiation_keeps_what_is_open(rig: &Rig) -> Result<(), Failure> {
    let (mut pair, mut ends) = rig.connected(ChannelInit::default()).await?;
    negotiate(&pair.left, &pair.right).await?;
    rig.works(&mut ends).await?;
    negotiate(&pair.right, &pair.left).await?;
    rig.works(&mut ends).await?;
    let mut late = rig.another(&mut pair, "late", ChannelInit::default()).await?;
    rig.works(&mut late).await?;
    pair.close().await;
    Ok(())
}

pub(super) async fn ice_restarts_in_a_running_connection(rig: &Rig) -> Result<(), Failure> {
    let (pair, mut ends) = rig.connected(ChannelInit::default()).await?;
    rig.works(&mut ends).await?;
    let before = pair.left.peer.make_offer(OfferOptions::default()).await?;
    pair.left.peer.rollback().await?;
    let offer = pair.left.peer.make_offer(OfferOptions::default().ice_restart(true)).await?;
    ensure!(
        offer.ice_ufrag().is_some() && offer.ice_ufrag() != before.ice_ufrag(),
        "the restart's offer has the old ICE credentials: {:?}",
        offer.ice_ufrag()
    );
    let answer = pair.right.peer.accept_offer(offer).await?;
    pair.left.peer.accept_answer(answer).await?;
    rig.works(&mut ends).await?;
    // And once more, from the other side.
    let offer = pair.right.peer.make_offer(OfferOptions::default().ice_restart(true)).await?;
    let answer = pair.left.peer.accept_offer(offer).await?;
    pair.right.peer.accept_answer(answer).await?;
    rig.works(&mut ends).await?;
    pair.close().await;
    Ok(())
}

pub(super) async fn the_selected_pair_is_told(rig: &Rig) -> Result<(), Failure> {
    let (mut pair, _ends) = rig.connected(ChannelInit::default()).await?;
    for side in [&mut pair.left, &mut pair.right] {
        let told = rig.soon("the selected pair is told", side.pairs.recv()).await?;
        ensure!(told.is_some(), "the events ended before a pair was told");
        let stats = side.peer.stats().await?;
        ensure!(stats.selected_pair.is_some(), "the statistics know no selected pair");
    }
    pair.close().await;
    Ok(())
}

pub(super) async fn statistics_count_what_was_sent(rig: &Rig) -> Result<(), Failure> {
    const MESSAGES: u64 = 10;
    const SIZE: u64 = 1000;
    let (pair, mut ends) = rig.connected(ChannelInit::default()).await?;
    for _ in 0..MESSAGES {
        ends.left.channel.send(vec![7; SIZE as usize].into()).await?;
    }
    for _ in 0..MESSAGES {
        rig.message(&mut ends.right).await?;
    }
    let first = |stats: &PeerStats| stats.channels.iter().find(|it| it.label == "first").cloned();
    let sent = stats_when(rig, &pair.left, "what was sent is counted", |stats| {
        stats.bytes_sent >= MESSAGES * SIZE
            && first(stats).is_some_and(|it| it.messages_sent >= MESSAGES)
    });
    let sent = first(&sent.await?).unwrap_or_default();
    ensure!(sent.messages_sent == MESSAGES, "{sent:?}");
    ensure!(sent.bytes_sent == MESSAGES * SIZE, "{sent:?}");
    let received = stats_when(rig, &pair.right, "what was received is counted", |stats| {
        stats.bytes_received >= MESSAGES * SIZE
            && first(stats).is_some_and(|it| it.messages_received >= MESSAGES)
    });
    let received = first(&received.await?).unwrap_or_default();
    ensure!(received.messages_received == MESSAGES, "{received:?}");
    ensure!(received.bytes_received == MESSAGES * SIZE, "{received:?}");
    pair.close().await;
    Ok(())
}

pub(super) async fn the_round_trip_is_measured(rig: &Rig) -> Result<(), Failure> {
    let (pair, _ends) = rig.connected(ChannelInit::default()).await?;
    for side in [&pair.left, &pair.right] {
        let time = |stats: &PeerStats| stats.selected_pair.as_ref()?.round_trip_time;
        let stats = stats_when(rig, side, "a round trip", |stats| time(stats).is_some()).await?;
        ensure!(time(&stats) < Some(rig.patience), "{:?} on one machine", time(&stats));
    }
    pair.close().await;
    Ok(())
}

/// The first statistics of which something holds. Engines measure every few seconds, and tell for some
/// milliseconds what they told before.
async fn stats_when(
    rig: &Rig,
    side: &Side,
    what: &str,
    holds: impl Fn(&PeerStats) -> bool,
) -> Result<PeerStats, Failure> {
    const ASK_AGAIN: Duration = Duration::from_millis(100);
    let told = async {
        loop {
            let stats = side.peer.stats().await?;
            if holds(&stats) {
                return Ok(stats);
            }
            // Nothing else happens in this time.
            within(ASK_AGAIN, std::future::pending::<()>()).await;
        }
    };
    rig.soon(what, told).await?
}

pub(super) async fn tracks_are_unsupported_where_there_is_no_media(
    rig: &Rig,
) -> Result<(), Failure> {
    let pair = rig.pair().await?;
    for (engine, side) in [(&rig.left, &pair.left), (&rig.right, &pair.right)] {
        let track = side.peer.add_track(TrackInit::new(vec![Codec::Opus], "stream", "track")).await;
        if !engine.capabilities().media {
            ensure!(matches!(track, Err(MediaError::Unsupported(_))), "{track:?}");
        }
    }
    pair.close().await;
    Ok(())
}

fn is_wrong_state<T>(result: &Result<T, NegotiationError>) -> bool {
    matches!(result, Err(NegotiationError::WrongState { .. }))
}

fn is_bad_description<T>(result: &Result<T, NegotiationError>) -> bool {
    matches!(result, Err(NegotiationError::BadDescription(_)))
}
