//! How channels come into being, and what both sides know about them.

use std::{collections::HashMap, time::Duration};

use super::{
    Failure, Rig,
    rig::{Ends, ensure},
};
use crate::{ChannelError, ChannelInit, ChannelInitError, ChannelState, DataChannel, Reliability};

pub(super) async fn label_protocol_and_order_are_seen(rig: &Rig) -> Result<(), Failure> {
    let (mut pair, _first) = rig.connected(ChannelInit::default()).await?;
    for (label, init) in [
        ("plain", ChannelInit::default()),
        ("", ChannelInit::default().protocol("v2.chat")),
        ("grüße 🎉", ChannelInit::default().ordered(false).protocol("日本")),
    ] {
        let ends = rig.another(&mut pair, label, init.clone()).await?;
        for (side, channel) in both(&ends) {
            ensure!(channel.label() == label, "{side}: the label is {:?}", channel.label());
            ensure!(channel.protocol() == init.protocol, "{side}: {:?}", channel.protocol());
            ensure!(channel.ordered() == init.ordered, "{side}: ordered {}", channel.ordered());
            ensure!(!channel.negotiated(), "{side}: made in band, not by agreement");
        }
        let (left, right) = (ends.left.channel.id(), ends.right.channel.id());
        ensure!(left.is_some() && left == right, "the ids differ: {left:?} and {right:?}");
    }
    pair.close().await;
    Ok(())
}

pub(super) async fn reliability_is_seen(rig: &Rig) -> Result<(), Failure> {
    let (mut pair, _first) = rig.connected(ChannelInit::default()).await?;
    for reliability in [
        Reliability::Reliable,
        Reliability::MaxRetransmits(0),
        Reliability::MaxRetransmits(7),
        Reliability::MaxLifetime(Duration::from_millis(250)),
    ] {
        let init = ChannelInit::default().reliability(reliability);
        let ends = rig.another(&mut pair, "channel", init).await?;
        for (side, channel) in both(&ends) {
            let seen = channel.reliability();
            ensure!(seen == reliability, "{side}: {seen:?} instead of {reliability:?}");
        }
    }
    pair.close().await;
    Ok(())
}

pub(super) async fn made_by_agreement(rig: &Rig) -> Result<(), Failure> {
    const ID: u16 = 100;
    const LATE_ID: u16 = 101;
    let mut pair = rig.pair().await?;
    pair.trickle();
    let agreed = |id| ChannelInit::default().negotiated(id).protocol("agreed");
    let left = pair.left.peer.create_channel("here", agreed(ID)).await?;
    let right = pair.right.peer.create_channel("there", agreed(ID)).await?;
    super::rig::negotiate(&pair.left, &pair.right).await?;
    let mut ends = Ends { left, right };
    rig.opened(&mut ends.left).await?;
    rig.opened(&mut ends.right).await?;
    for (side, channel) in both(&ends) {
        ensure!(channel.negotiated(), "{side}: made by agreement");
        ensure!(channel.id() == Some(ID), "{side}: the id is {:?}", channel.id());
    }
    ensure!(ends.left.channel.label() == "here", "{:?}", ends.left.channel.label());
    rig.works(&mut ends).await?;

    // While connected as well.
    let left = pair.left.peer.create_channel("late", agreed(LATE_ID)).await?;
    let right = pair.right.peer.create_channel("late", agreed(LATE_ID)).await?;
    let mut late = Ends { left, right };
    rig.opened(&mut late.left).await?;
    rig.opened(&mut late.right).await?;
    rig.works(&mut late).await?;
    ensure!(pair.right.channels.try_recv().is_err(), "an agreed channel was announced");
    pair.close().await;
    Ok(())
}

pub(super) async fn an_agreed_id_is_taken_once(rig: &Rig) -> Result<(), Failure> {
    let pair = rig.pair().await?;
    let init = ChannelInit::default().negotiated(7);
    let _first = pair.left.peer.create_channel("first", init.clone()).await?;
    let second = pair.left.peer.create_channel("second", init).await.map(drop);
    ensure!(second == Err(ChannelInitError::IdInUse(7).into()), "the same id again: {second:?}");
    pair.close().await;
    Ok(())
}

pub(super) async fn options_out_of_range_are_refused(rig: &Rig) -> Result<(), Failure> {
    let pair = rig.pair().await?;
    let long = "x".repeat(65_536);
    let lifetime = Reliability::MaxLifetime(Duration::from_millis(65_536));
    for (what, label, init) in [
        ("a label that is too long", long.as_str(), ChannelInit::default()),
        ("a protocol that is too long", "x", ChannelInit::default().protocol(long.as_str())),
        ("a lifetime that is too long", "x", ChannelInit::default().reliability(lifetime)),
        ("the id 65,535", "x", ChannelInit::default().negotiated(u16::MAX)),
    ] {
        let refused = pair.left.peer.create_channel(label, init).await.map(drop);
        ensure!(matches!(refused, Err(ChannelError::Init(_))), "{what}: {refused:?}");
    }
    pair.close().await;
    Ok(())
}

pub(super) async fn the_state_goes_from_connecting_to_open(rig: &Rig) -> Result<(), Failure> {
    let mut pair = rig.pair().await?;
    pair.trickle();
    let left = pair.left.peer.create_channel("channel", ChannelInit::default()).await?;
    let state = left.channel.state();
    ensure!(state == ChannelState::Connecting, "{state:?} before the negotiation");
    super::rig::negotiate(&pair.left, &pair.right).await?;
    // Also for those who do not read the events.
    rig.until("the channel's state is open", || left.channel.state() == ChannelState::Open).await?;
    let mut ends = rig.open(left, &mut pair.right).await?;
    let state = ends.right.channel.state();
    ensure!(state == ChannelState::Open, "{state:?} after Open on the other side");
    rig.works(&mut ends).await?;
    ends.left.channel.close().await;
    rig.closed(&mut ends.left).await?;
    let state = ends.left.channel.state();
    ensure!(state == ChannelState::Closed, "{state:?} after Closed");
    pair.close().await;
    Ok(())
}

pub(super) async fn made_while_connected_from_both_sides(rig: &Rig) -> Result<(), Failure> {
    let (mut pair, _first) = rig.connected(ChannelInit::default()).await?;
    // At the same moment, so that ids chosen by both sides must not meet.
    for _ in 0..10 {
        let left = pair.left.peer.create_channel("from the left", ChannelInit::default()).await?;
        let right =
            pair.right.peer.create_channel("from the right", ChannelInit::default()).await?;
        let mut from_left = rig.open(left, &mut pair.right).await?;
        let mut from_right = rig.open(right, &mut pair.left).await?;
        ensure!(from_left.right.channel.label() == "from the left", "{from_left:?}");
        ensure!(from_right.right.channel.label() == "from the right", "{from_right:?}");
        rig.works(&mut from_left).await?;
        rig.works(&mut from_right).await?;
    }
    pair.close().await;
    Ok(())
}

pub(super) async fn many(rig: &Rig) -> Result<(), Failure> {
    const CHANNELS: usize = 200;
    let (mut pair, _first) = rig.connected(ChannelInit::default()).await?;
    let mut made = HashMap::new();
    for index in 0..CHANNELS {
        let label = format!("channel {index}");
        let channel = pair.left.peer.create_channel(&label, ChannelInit::default()).await?;
        made.insert(label, channel);
    }
    let mut all = Vec::new();
    for _ in 0..CHANNELS {
        let mut right = rig.incoming(&mut pair.right).await?;
        rig.opened(&mut right).await?;
        let Some(mut left) = made.remove(right.channel.label()) else {
            return Err(Failure::new(format!("{right:?} was announced twice or never made")));
        };
        rig.opened(&mut left).await?;
        all.push(Ends { left, right });
    }
    for ends in &mut all {
        rig.works(ends).await?;
    }
    pair.close().await;
    for ends in &mut all {
        rig.closed(&mut ends.left).await?;
    }
    Ok(())
}

fn both(ends: &Ends) -> [(&'static str, &dyn DataChannel); 2] {
    [("left", &*ends.left.channel), ("right", &*ends.right.channel)]
}
