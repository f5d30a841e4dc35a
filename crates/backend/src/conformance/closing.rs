//! The end of channels and connections, on both sides.

use super::{
    Failure, Rig,
    messages::{numbered, read_number},
    platform::spawn,
    rig::{Ends, ensure, negotiate},
};
use crate::{
    BackendError, ChannelError, ChannelHandle, ChannelInit, ChannelState, ConnectionState,
    NegotiationError, OfferOptions,
};

pub(super) async fn a_channel_closes_on_both_sides_once(rig: &Rig) -> Result<(), Failure> {
    let (mut pair, mut first) = rig.connected(ChannelInit::default()).await?;
    let mut ends = rig.another(&mut pair, "closing", ChannelInit::default()).await?;
    rig.works(&mut ends).await?;
    ends.left.channel.close().await;
    ends.left.channel.close().await;
    ends_on_both_sides(rig, &mut ends).await?;
    // Its siblings stay, and there can be another one.
    rig.works(&mut first).await?;
    let mut again = rig.another(&mut pair, "closing", ChannelInit::default()).await?;
    rig.works(&mut again).await?;
    pair.close().await;
    Ok(())
}

pub(super) async fn a_channel_can_be_closed_by_the_other_side(rig: &Rig) -> Result<(), Failure> {
    let (mut pair, mut first) = rig.connected(ChannelInit::default()).await?;
    let mut ends = rig.another(&mut pair, "closing", ChannelInit::default()).await?;
    rig.works(&mut ends).await?;
    ends.right.channel.close().await;
    ends_on_both_sides(rig, &mut ends).await?;
    rig.works(&mut first).await?;
    pair.close().await;
    Ok(())
}

pub(super) async fn what_was_sent_before_arrives(rig: &Rig) -> Result<(), Failure> {
    const MESSAGES: u32 = 300;
    let (mut pair, _first) = rig.connected(ChannelInit::default()).await?;
    let mut ends = rig.another(&mut pair, "closing", ChannelInit::default()).await?;
    for number in 0..MESSAGES {
        rig.soon("a message is taken", ends.left.channel.send(numbered(number).into())).await??;
    }
    ends.left.channel.close().await;
    let messages = rig.closed(&mut ends.right).await?;
    let numbers: Vec<_> = messages.iter().filter_map(read_number).collect();
    ensure!(
        numbers == (0..MESSAGES).collect::<Vec<_>>(),
        "{} of {MESSAGES} messages sent before close arrived in order",
        numbers.len()
    );
    pair.close().await;
    Ok(())
}

/// The other side may hear of the channel, its message and its end in one go.
pub(super) async fn a_message_and_the_end_arrive_together(rig: &Rig) -> Result<(), Failure> {
    const CHANNELS: usize = 10;
    let (mut pair, _first) = rig.connected(ChannelInit::default()).await?;
    let mut brief = Vec::new();
    for index in 0..CHANNELS {
        let mut left = pair.left.peer.create_channel("brief", ChannelInit::default()).await?;
        rig.opened(&mut left).await?;
        let sent = left.channel.send(format!("farewell {index}").into());
        rig.soon("a message is taken", sent).await??;
        left.channel.close().await;
        let sent = left.channel.send("too late".into()).await;
        ensure!(sent == Err(ChannelError::Closed), "after close: {sent:?}");
        brief.push(left);
    }
    let mut arrived = Vec::new();
    for left in &mut brief {
        let mut right = rig.incoming(&mut pair.right).await?;
        arrived.extend(rig.closed(&mut right).await?);
        rig.closed(left).await?;
    }
    let all = (0..CHANNELS).all(|index| arrived.contains(&format!("farewell {index}").into()));
    ensure!(all && arrived.len() == CHANNELS, "of {CHANNELS} messages arrived {arrived:?}");
    pair.close().await;
    Ok(())
}

pub(super) async fn a_waiting_sender_is_released(rig: &Rig) -> Result<(), Failure> {
    let (pair, ends) = rig.connected(ChannelInit::default()).await?;
    let released = waiting_sender(rig, &ends).await?;
    pair.left.peer.close().await;
    let end = rig.soon("the waiting sender is released", released).await??;
    ensure!(end == ChannelError::Closed, "{end:?}");
    let buffered = ends.left.channel.buffered_amount();
    ensure!(buffered == 0, "{buffered} bytes");
    pair.close().await;
    Ok(())
}

/// The channel alone is closed, while the other side does not read.
pub(super) async fn a_sender_that_waits_learns_of_the_close(rig: &Rig) -> Result<(), Failure> {
    let (pair, ends) = rig.connected(ChannelInit::default()).await?;
    let released = waiting_sender(rig, &ends).await?;
    rig.soon("the channel is closed", ends.left.channel.close()).await?;
    let end = rig.soon("the waiting sender is released", released).await??;
    ensure!(end == ChannelError::Closed, "{end:?}");
    pair.close().await;
    Ok(())
}

/// Somebody who sends on the left as much as there is room for, until that fails.
async fn waiting_sender(
    rig: &Rig,
    ends: &Ends,
) -> Result<tokio::sync::oneshot::Receiver<ChannelError>, Failure> {
    const SIZE: usize = 16 * 1024;
    let (result, released) = tokio::sync::oneshot::channel();
    let sender = ends.left.channel.clone();
    spawn(async move {
        let end = loop {
            if let Err(error) = sender.send(vec![0; SIZE].into()).await {
                break error;
            }
        };
        let _ = result.send(end);
    });
    let channel = ends.left.channel.clone();
    rig.until("something is buffered", || channel.buffered_amount() > SIZE).await?;
    Ok(released)
}

pub(super) async fn a_channel_that_never_opened_closes(rig: &Rig) -> Result<(), Failure> {
    let pair = rig.pair().await?;
    let mut closed = pair.left.peer.create_channel("closed", ChannelInit::default()).await?;
    let mut left = pair.left.peer.create_channel("left", ChannelInit::default()).await?;
    closed.channel.close().await;
    rig.closed(&mut closed).await?;
    pair.close().await;
    rig.closed(&mut left).await?;
    Ok(())
}

pub(super) async fn a_connection_ends_with_its_events(rig: &Rig) -> Result<(), Failure> {
    let (mut pair, mut ends) = rig.connected(ChannelInit::default()).await?;
    pair.left.peer.close().await;
    rig.closed(&mut ends.left).await?;
    let mut last = None;
    rig.soon("the events end", async {
        while let Some(state) = pair.left.states.recv().await {
            last = Some(state);
        }
    })
    .await?;
    ensure!(last == Some(ConnectionState::Closed), "the last state is {last:?}");
    pair.close().await;
    Ok(())
}

pub(super) async fn the_other_side_notices(rig: &Rig) -> Result<(), Failure> {
    let (mut pair, mut ends) = rig.connected(ChannelInit::default()).await?;
    rig.works(&mut ends).await?;
    pair.left.peer.close().await;
    let Ends { right, .. } = &mut ends;
    let states = &mut pair.right.states;
    let noticed = async {
        loop {
            match states.recv().await {
                Some(ConnectionState::Disconnected | ConnectionState::Failed) => return Ok(()),
                Some(_) => {}
                None => return Err(Failure::new("the events ended, though nobody closed")),
            }
        }
    };
    tokio::select! {
        closed = rig.closed(right) => drop(closed?),
        noticed = rig.soon("the lost peer is noticed", noticed) => noticed??,
    }
    pair.close().await;
    Ok(())
}

pub(super) async fn twice_and_at_once(rig: &Rig) -> Result<(), Failure> {
    let (pair, mut ends) = rig.connected(ChannelInit::default()).await?;
    let (left, right) = (&pair.left.peer, &pair.right.peer);
    let channel = ends.left.channel.clone();
    rig.soon("six closes at once return", async {
        tokio::join!(
            left.close(),
            channel.close(),
            right.close(),
            left.close(),
            right.close(),
            channel.close()
        )
    })
    .await?;
    rig.soon("closing again returns", async {
        left.close().await;
        channel.close().await;
    })
    .await?;
    rig.closed(&mut ends.left).await?;
    rig.closed(&mut ends.right).await?;
    Ok(())
}

pub(super) async fn nothing_works_afterwards(rig: &Rig) -> Result<(), Failure> {
    let (mut pair, mut ends) = rig.connected(ChannelInit::default()).await?;
    let mut closed = rig.another(&mut pair, "closed", ChannelInit::default()).await?;
    closed.left.channel.close().await;
    rig.closed(&mut closed.left).await?;
    let refuses = async |channel: &ChannelHandle, what: &str| {
        let sent = channel.channel.send("too late".into()).await;
        ensure!(sent == Err(ChannelError::Closed), "send on {what}: {sent:?}");
        let tried = channel.channel.try_send("too late".into());
        ensure!(tried == Err(ChannelError::Closed), "try_send on {what}: {tried:?}");
        let state = channel.channel.state();
        ensure!(state == ChannelState::Closed, "the state of {what}: {state:?}");
        Ok(())
    };
    refuses(&closed.left, "a closed channel").await?;

    let offer = pair.right.peer.make_offer(OfferOptions::default()).await?;
    pair.left.peer.close().await;
    rig.closed(&mut ends.left).await?;
    refuses(&ends.left, "a channel of a closed connection").await?;
    let peer = &pair.left.peer;
    let made = peer.make_offer(OfferOptions::default()).await;
    ensure!(made == Err(NegotiationError::Closed), "make_offer: {made:?}");
    let accepted = peer.accept_offer(offer.clone()).await;
    ensure!(accepted == Err(NegotiationError::Closed), "accept_offer: {accepted:?}");
    let accepted = peer.accept_answer(offer).await;
    ensure!(accepted == Err(NegotiationError::Closed), "accept_answer: {accepted:?}");
    let rolled_back = peer.rollback().await;
    ensure!(rolled_back == Err(NegotiationError::Closed), "rollback: {rolled_back:?}");
    let created = peer.create_channel("too late", ChannelInit::default()).await.map(drop);
    ensure!(created == Err(ChannelError::Closed), "create_channel: {created:?}");
    let stats = peer.stats().await;
    ensure!(stats == Err(BackendError::Closed), "stats: {stats:?}");
    pair.close().await;
    Ok(())
}

pub(super) async fn in_the_middle_of_the_set_up(rig: &Rig) -> Result<(), Failure> {
    for step in 0..4 {
        let mut pair = rig.pair().await?;
        pair.trickle();
        let mut left = pair.left.peer.create_channel("left", ChannelInit::default()).await?;
        match step {
            0 => {}
            1 => drop(pair.left.peer.make_offer(OfferOptions::default()).await?),
            2 => {
                let offer = pair.left.peer.make_offer(OfferOptions::default()).await?;
                pair.right.peer.accept_offer(offer).await?;
            }
            _ => negotiate(&pair.left, &pair.right).await?,
        }
        let closing = rig.soon("closing in the middle of the set-up returns", pair.close());
        closing.await.map_err(|failure| Failure::new(format!("step {step}: {failure}")))?;
        rig.closed(&mut left).await?;
    }
    Ok(())
}

async fn ends_on_both_sides(rig: &Rig, ends: &mut Ends) -> Result<(), Failure> {
    rig.closed(&mut ends.left).await?;
    rig.closed(&mut ends.right).await?;
    for channel in [&ends.left.channel, &ends.right.channel] {
        let sent = channel.send("too late".into()).await;
        ensure!(sent == Err(ChannelError::Closed), "send on a closed channel: {sent:?}");
    }
    Ok(())
}
