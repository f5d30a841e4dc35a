//! Messages: order, boundaries, sizes, kinds.

use std::{collections::HashSet, time::Duration};

use bytes::Bytes;

use super::{
    Failure, Rig,
    platform::{spawn, within},
    rig::{Ends, ensure},
};
use crate::{
    Backend, ChannelError, ChannelEvent, ChannelHandle, ChannelInit, Message, Reliability,
};

pub(super) async fn arrive_in_order(rig: &Rig) -> Result<(), Failure> {
    const MESSAGES: u32 = 3_000;
    let (pair, mut ends) = rig.connected(ChannelInit::default()).await?;
    let sender = ends.left.channel.clone();
    spawn(async move {
        for number in 0..MESSAGES {
            if sender.send(numbered(number).into()).await.is_err() {
                return;
            }
        }
    });
    for number in 0..MESSAGES {
        let message = rig.message(&mut ends.right).await?;
        ensure!(read_number(&message) == Some(number), "{message:?} came as number {number}");
    }
    pair.close().await;
    Ok(())
}

pub(super) async fn keep_their_boundaries(rig: &Rig) -> Result<(), Failure> {
    const SIZES: [usize; 14] =
        [0, 1, 0, 0, 2, 100, 1_023, 1_200, 1_400, 4_096, 0, 15_000, 16_384, 65_000];
    let (pair, mut ends) = rig.connected(ChannelInit::default()).await?;
    let limit = ends.left.channel.max_message_size();
    let least = if rig.has(|capabilities| capabilities.empty_messages) { 0 } else { 1 };
    let sizes = move || SIZES.into_iter().filter(move |size| (least..=limit).contains(size));
    // All at once, so that small and empty ones travel next to large ones.
    let sender = ends.left.channel.clone();
    spawn(async move {
        for size in sizes() {
            for message in of_size(size) {
                if sender.send(message).await.is_err() {
                    return;
                }
            }
        }
    });
    for size in sizes() {
        for expected in of_size(size) {
            same(&rig.message(&mut ends.right).await?, &expected)?;
        }
    }
    pair.close().await;
    Ok(())
}

/// An engine that cannot send an empty message must say so instead of sending something else, or nothing.
pub(super) async fn empty_ones_are_sent_or_refused(rig: &Rig) -> Result<(), Failure> {
    let (pair, mut ends) = rig.connected(ChannelInit::default()).await?;
    empty_ones(rig, &*rig.left, &ends.left, &mut ends.right).await?;
    empty_ones(rig, &*rig.right, &ends.right, &mut ends.left).await?;
    rig.works(&mut ends).await?;
    pair.close().await;
    Ok(())
}

async fn empty_ones(
    rig: &Rig,
    engine: &dyn Backend,
    from: &ChannelHandle,
    to: &mut ChannelHandle,
) -> Result<(), Failure> {
    for empty in of_size(0) {
        let sent = from.channel.send(empty.clone()).await;
        let tried = from.channel.try_send(empty.clone());
        if engine.capabilities().empty_messages {
            sent?;
            tried?;
            same(&rig.message(to).await?, &empty)?;
            same(&rig.message(to).await?, &empty)?;
        } else {
            ensure!(sent == Err(ChannelError::Empty), "send: {sent:?}");
            ensure!(tried == Err(ChannelError::Empty), "try_send: {tried:?}");
        }
    }
    Ok(())
}

pub(super) async fn up_to_the_largest_size(rig: &Rig) -> Result<(), Failure> {
    let (pair, mut ends) = rig.connected(ChannelInit::default()).await?;
    let Ends { left, right } = &mut ends;
    for (from, to) in [(left, right)] {
        crosses(rig, from, to).await?;
        crosses(rig, to, from).await?;
    }
    pair.close().await;
    Ok(())
}

pub(super) async fn larger_than_allowed_are_refused(rig: &Rig) -> Result<(), Failure> {
    let (pair, mut ends) = rig.connected(ChannelInit::default()).await?;
    let max = ends.left.channel.max_message_size();
    ensure!(max >= 1200, "the largest message is {max} bytes");
    for message in of_size(max + 1) {
        let expected = Err(ChannelError::TooLarge { size: max + 1, max });
        let sent = ends.left.channel.send(message.clone()).await;
        ensure!(sent == expected, "send: {sent:?} instead of {expected:?}");
        let tried = ends.left.channel.try_send(message);
        ensure!(tried == expected, "try_send: {tried:?} instead of {expected:?}");
    }
    rig.works(&mut ends).await?;
    pair.close().await;
    Ok(())
}

pub(super) async fn unordered_ones_all_arrive(rig: &Rig) -> Result<(), Failure> {
    const MESSAGES: u32 = 500;
    let (pair, mut ends) = rig.connected(ChannelInit::default().ordered(false)).await?;
    let sender = ends.left.channel.clone();
    spawn(async move {
        for number in 0..MESSAGES {
            if sender.send(numbered(number).into()).await.is_err() {
                return;
            }
        }
    });
    let mut missing: HashSet<u32> = (0..MESSAGES).collect();
    while !missing.is_empty() {
        let message = rig.message(&mut ends.right).await?;
        let number = read_number(&message);
        let new = number.is_some_and(|number| missing.remove(&number));
        ensure!(new, "{message:?} is damaged or came twice (number {number:?})");
    }
    pair.close().await;
    Ok(())
}

pub(super) async fn lossy_ones_arrive_whole_or_not_at_all(rig: &Rig) -> Result<(), Failure> {
    const MESSAGES: u32 = 300;
    const SILENCE: Duration = Duration::from_secs(1);
    let (mut pair, _first) = rig.connected(ChannelInit::default()).await?;
    for (ordered, reliability) in [
        (false, Reliability::MaxRetransmits(0)),
        (true, Reliability::MaxRetransmits(0)),
        (false, Reliability::MaxLifetime(Duration::from_millis(50))),
        (true, Reliability::MaxLifetime(Duration::ZERO)),
    ] {
        let init = ChannelInit::default().ordered(ordered).reliability(reliability);
        let mut ends = rig.another(&mut pair, "lossy", init).await?;
        ensure!(ends.left.channel.reliability() == reliability, "{:?}", ends.left);
        let sender = ends.left.channel.clone();
        spawn(async move {
            for number in 0..MESSAGES {
                if sender.send(numbered(number).into()).await.is_err() {
                    return;
                }
            }
        });
        let (mut seen, mut last) = (HashSet::new(), None);
        // Any may be lost, also the last one.
        while let Some(event) = within(SILENCE, ends.right.events.recv()).await {
            let message = match event {
                Some(ChannelEvent::Message(message)) => message,
                Some(ChannelEvent::BufferedAmountLow) => continue,
                event => return Err(Failure::new(format!("{event:?} on a lossy channel"))),
            };
            let Some(number) = read_number(&message) else {
                return Err(Failure::new(format!("{message:?} is damaged")));
            };
            ensure!(seen.insert(number), "number {number} came twice");
            ensure!(!ordered || last < Some(number), "{number} came after {last:?}");
            last = Some(number);
            if seen.len() == MESSAGES as usize {
                break;
            }
        }
        ensure!(!seen.is_empty(), "nothing at all arrived, with {reliability:?}");
    }
    pair.close().await;
    Ok(())
}

pub(super) async fn go_both_ways_at_once(rig: &Rig) -> Result<(), Failure> {
    const MESSAGES: u32 = 1_000;
    let (pair, mut ends) = rig.connected(ChannelInit::default()).await?;
    for sender in [ends.left.channel.clone(), ends.right.channel.clone()] {
        spawn(async move {
            for number in 0..MESSAGES {
                if sender.send(numbered(number).into()).await.is_err() {
                    return;
                }
            }
        });
    }
    let left = async {
        for number in 0..MESSAGES {
            let message = rig.message(&mut ends.left).await?;
            ensure!(read_number(&message) == Some(number), "left: {message:?} as {number}");
        }
        Ok(())
    };
    let right = async {
        for number in 0..MESSAGES {
            let message = rig.message(&mut ends.right).await?;
            ensure!(read_number(&message) == Some(number), "right: {message:?} as {number}");
        }
        Ok(())
    };
    let (left, right) = tokio::join!(left, right);
    left?;
    right?;
    pair.close().await;
    Ok(())
}

pub(super) async fn before_open_are_refused(rig: &Rig) -> Result<(), Failure> {
    let pair = rig.pair().await?;
    let channel = pair.left.peer.create_channel("channel", ChannelInit::default()).await?;
    let sent = channel.channel.send("too early".into()).await;
    ensure!(sent == Err(ChannelError::NotOpen), "send: {sent:?}");
    let tried = channel.channel.try_send("too early".into());
    ensure!(tried == Err(ChannelError::NotOpen), "try_send: {tried:?}");
    ensure!(channel.channel.buffered_amount() == 0, "{}", channel.channel.buffered_amount());
    pair.close().await;
    Ok(())
}

async fn crosses(rig: &Rig, from: &ChannelHandle, to: &mut ChannelHandle) -> Result<(), Failure> {
    let max = from.channel.max_message_size();
    for size in [max / 2, max - 1, max] {
        for message in of_size(size) {
            let what = format!("a message of {size} bytes is taken");
            rig.soon(&what, from.channel.send(message.clone())).await??;
            same(&rig.message(to).await?, &message)?;
        }
    }
    Ok(())
}

/// A binary and a text message of this many bytes, the text with letters of several bytes.
fn of_size(size: usize) -> [Message; 2] {
    let bytes: Bytes = (0..size).map(|index| (index * 31 % 251) as u8).collect();
    let mut text: String = "grüße ".chars().cycle().take(size / 2).collect();
    text.extend(std::iter::repeat_n('x', size - text.len()));
    [Message::Binary(bytes), Message::Text(text)]
}

fn same(received: &Message, sent: &Message) -> Result<(), Failure> {
    ensure!(received == sent, "sent {sent:?}, received {received:?} or other content");
    Ok(())
}

/// A payload that shows its number, and whether it is whole: sizes vary, and each byte is checked.
pub(super) fn numbered(number: u32) -> Vec<u8> {
    let size = 4 + (number as usize * 37) % 2_000;
    let mut payload = number.to_be_bytes().to_vec();
    payload.resize(size, number as u8);
    payload
}

pub(super) fn read_number(message: &Message) -> Option<u32> {
    let Message::Binary(bytes) = message else {
        return None;
    };
    let number = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?);
    (bytes[..] == numbered(number)[..]).then_some(number)
}
