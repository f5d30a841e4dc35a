//! Back-pressure: memory stays bounded, and nobody waits for ever.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{
    Failure, Rig,
    messages::{numbered, read_number},
    platform::{spawn, within},
    rig::ensure,
};
use crate::{ChannelError, ChannelEvent, ChannelInit, Message};

/// More than any engine may buffer on the way: its send buffer, the flight, its receive buffer.
const NEVER_BUFFERED: usize = 256 * 1024 * 1024;
/// What counts as bounded for the send buffer alone.
const MAX_BUFFERED: usize = 32 * 1024 * 1024;

pub(super) async fn a_reader_that_does_not_read_holds_the_sender(rig: &Rig) -> Result<(), Failure> {
    const SIZE: usize = 16 * 1024;
    let (pair, mut ends) = rig.connected(ChannelInit::default()).await?;
    let sender = ends.left.channel.clone();
    let sent = Arc::new(AtomicU32::new(0));
    let counter = sent.clone();
    spawn(async move {
        while (counter.load(Ordering::Relaxed) as usize) < NEVER_BUFFERED / SIZE {
            let number = counter.load(Ordering::Relaxed);
            if sender.send(large(number, SIZE)).await.is_err() {
                return;
            }
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    // Held is: no progress for a while. Until then the amount must not grow beyond its bound.
    let held = rig.soon("the sender is held", async {
        loop {
            let before = sent.load(Ordering::Relaxed);
            let _ = within(Duration::from_millis(500), std::future::pending::<()>()).await;
            let buffered = ends.left.channel.buffered_amount();
            ensure!(buffered <= MAX_BUFFERED, "{buffered} bytes are buffered");
            let now = sent.load(Ordering::Relaxed);
            if now == before && now > 0 {
                return Ok(now);
            }
        }
    });
    let held = held.await??;
    ensure!((held as usize) < NEVER_BUFFERED / SIZE, "everything was taken, nothing held");
    // Reading releases it: all arrive, in order, and more are sent meanwhile.
    let enough = held + 200;
    for number in 0..enough {
        let message = rig.message(&mut ends.right).await?;
        ensure!(message == large(number, SIZE), "{message:?} came as number {number}");
    }
    pair.close().await;
    Ok(())
}

pub(super) async fn a_full_buffer_is_reported(rig: &Rig) -> Result<(), Failure> {
    const SIZE: usize = 16 * 1024;
    let (pair, mut ends) = rig.connected(ChannelInit::default()).await?;
    let mut taken = 0;
    // Nobody reads and nobody waits: it must become full.
    let full = loop {
        match ends.left.channel.try_send(large(taken, SIZE)) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
        ensure!((taken as usize) < NEVER_BUFFERED / SIZE, "never full");
    };
    ensure!(full == ChannelError::Full, "instead of full: {full:?}");
    ensure!(full.is_retryable(), "a full buffer is worth another try");
    for number in 0..taken {
        let message = rig.message(&mut ends.right).await?;
        ensure!(message == large(number, SIZE), "{message:?} came as number {number}");
    }
    let channel = ends.left.channel.clone();
    rig.until("there is room again", || channel.try_send(large(taken, SIZE)).is_ok()).await?;
    let message = rig.message(&mut ends.right).await?;
    ensure!(message == large(taken, SIZE), "{message:?} came last");
    rig.until("nothing is buffered any more", || channel.buffered_amount() == 0).await?;
    pair.close().await;
    Ok(())
}

pub(super) async fn the_buffer_running_low_is_told(rig: &Rig) -> Result<(), Failure> {
    const SIZE: usize = 16 * 1024;
    const MESSAGES: u32 = 20;
    const THRESHOLD: usize = 4 * SIZE;
    let (pair, mut ends) = rig.connected(ChannelInit::default()).await?;
    ensure!(ends.left.channel.buffered_amount_low_threshold() == 0, "the default is 0");
    ends.left.channel.set_buffered_amount_low_threshold(THRESHOLD);
    ensure!(
        ends.left.channel.buffered_amount_low_threshold() == THRESHOLD,
        "the threshold is lost"
    );
    for _ in 0..3 {
        // An engine may be as quick as the sender: until the amount has been above the threshold.
        let (mut sent, mut was_above) = (0, false);
        while sent < MESSAGES || !was_above {
            ends.left.channel.send(large(sent, SIZE)).await?;
            was_above |= ends.left.channel.buffered_amount() > THRESHOLD;
            sent += 1;
            ensure!((sent as usize) < NEVER_BUFFERED / SIZE, "never above the threshold");
        }
        for number in 0..sent {
            let message = rig.message(&mut ends.right).await?;
            ensure!(message == large(number, SIZE), "{message:?} came as number {number}");
        }
        // Of several falls the last one counts: the amount may have risen again since the others.
        loop {
            let event = rig.soon("BufferedAmountLow", ends.left.events.recv()).await?;
            ensure!(event == Some(ChannelEvent::BufferedAmountLow), "{event:?}");
            if ends.left.channel.buffered_amount() <= THRESHOLD {
                break;
            }
        }
        // An engine may tell several falls; they are all told by the time nothing is left.
        let channel = ends.left.channel.clone();
        rig.until("nothing is buffered", || channel.buffered_amount() == 0).await?;
        while within(Duration::from_millis(50), ends.left.events.recv()).await.is_some() {}
    }
    pair.close().await;
    Ok(())
}

/// An echo that waits until there is room before it reads on, and a peer that sends as fast as it can: what acknowledges
/// the echo's messages must not wait until the echo has read.
pub(super) async fn an_echo_that_waits_to_send_is_never_stuck(rig: &Rig) -> Result<(), Failure> {
    const SIZE: usize = 16 * 1024;
    // Several times what is buffered on the way.
    const MESSAGES: u32 = 1_024;
    let (pair, mut ends) = rig.connected(ChannelInit::default()).await?;
    let sender = ends.left.channel.clone();
    spawn(async move {
        for number in 0..MESSAGES {
            if sender.send(large(number, SIZE)).await.is_err() {
                return;
            }
        }
    });
    let mut echo = ends.right;
    spawn(async move {
        while let Some(event) = echo.events.recv().await {
            if let ChannelEvent::Message(message) = event
                && echo.channel.send(message).await.is_err()
            {
                return;
            }
        }
    });
    for number in 0..MESSAGES {
        let message = rig.message(&mut ends.left).await?;
        ensure!(message == large(number, SIZE), "{message:?} came back as number {number}");
    }
    pair.close().await;
    Ok(())
}

/// Futures that are polled once and dropped: each message arrives whole or not at all, and the next ones
/// are not disturbed.
pub(super) async fn a_cancelled_send_leaves_whole_messages(rig: &Rig) -> Result<(), Failure> {
    const MESSAGES: u32 = 2_000;
    let (pair, mut ends) = rig.connected(ChannelInit::default()).await?;
    let sender = ends.left.channel.clone();
    let kept = Arc::new(AtomicU32::new(0));
    let counter = kept.clone();
    spawn(async move {
        for number in 0..MESSAGES {
            let mut send = sender.send(numbered(number).into());
            let once = send.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            match once {
                Poll::Ready(Ok(())) => drop(counter.fetch_add(1, Ordering::Relaxed)),
                Poll::Ready(Err(_)) => return,
                Poll::Pending => drop(send),
            }
        }
        let _ = sender.send("the end".into()).await;
    });
    let (mut last, mut arrived) = (None, 0);
    loop {
        let message = rig.message(&mut ends.right).await?;
        if message == "the end".into() {
            break;
        }
        let number = read_number(&message);
        ensure!(number.is_some(), "{message:?} is damaged");
        ensure!(number > last, "{number:?} came after {last:?}");
        last = number;
        arrived += 1;
    }
    let kept = kept.load(Ordering::Relaxed);
    ensure!(arrived >= kept, "{kept} were sent, {arrived} arrived");
    pair.close().await;
    Ok(())
}

pub(super) async fn events_nobody_reads_hold_nobody(rig: &Rig) -> Result<(), Failure> {
    const MESSAGES: u32 = 2_000;
    let (mut pair, mut first) = rig.connected(ChannelInit::default()).await?;
    let ignored = rig.another(&mut pair, "ignored", ChannelInit::default()).await?;
    drop(ignored.right);
    for number in 0..MESSAGES {
        let sent = ignored.left.channel.send(numbered(number).into());
        rig.soon("a message to a dropped channel is taken", sent).await??;
    }
    rig.works(&mut first).await?;
    pair.close().await;
    Ok(())
}

pub(super) async fn a_flood_of_empty_messages_is_bounded(rig: &Rig) -> Result<(), Failure> {
    a_flood_is_bounded(rig, Message::from("")).await
}

pub(super) async fn a_flood_of_tiny_messages_is_bounded(rig: &Rig) -> Result<(), Failure> {
    a_flood_is_bounded(rig, Message::from("x")).await
}

async fn a_flood_is_bounded(rig: &Rig, drop: Message) -> Result<(), Failure> {
    const MORE_THAN_BOUNDED: u32 = 4_000_000;
    let (pair, mut ends) = rig.connected(ChannelInit::default()).await?;
    let mut taken = 0;
    while ends.left.channel.try_send(drop.clone()).is_ok() {
        taken += 1;
        ensure!(taken < MORE_THAN_BOUNDED, "millions of messages were taken unread");
    }
    for number in 0..taken {
        let message = rig.message(&mut ends.right).await?;
        ensure!(message == drop, "{message:?} came as number {number}");
    }
    rig.works(&mut ends).await?;
    pair.close().await;
    Ok(())
}

fn large(number: u32, size: usize) -> Message {
    let mut payload = number.to_be_bytes().to_vec();
    payload.resize(size, number as u8);
    payload.into()
}
