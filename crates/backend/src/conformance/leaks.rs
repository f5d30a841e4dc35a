//! What is left when connections are gone: no task, no socket.

use super::{Failure, Rig, platform::alive_tasks, rig::ensure};
use crate::ChannelInit;

const PAIRS: usize = 5;

pub(super) async fn no_task_is_left_after_close(rig: &Rig) -> Result<(), Failure> {
    let before = alive_tasks();
    for _ in 0..PAIRS {
        let (pair, mut ends) = rig.connected(ChannelInit::default()).await?;
        rig.works(&mut ends).await?;
        pair.close().await;
    }
    rig.until("no task is left after close", || alive_tasks() <= before).await
}

/// Nobody closes anything: the last handle goes, with messages under way.
pub(super) async fn no_task_is_left_after_a_drop(rig: &Rig) -> Result<(), Failure> {
    let before = alive_tasks();
    for _ in 0..PAIRS {
        let (pair, mut ends) = rig.connected(ChannelInit::default()).await?;
        rig.works(&mut ends).await?;
        ends.left.channel.send(vec![0; 1000].into()).await?;
        drop(pair);
        drop(ends);
        // One that never got anywhere, too.
        drop(rig.pair().await?);
    }
    rig.until("no task is left after a drop", || alive_tasks() <= before).await
}

/// Linux only, where `/proc` tells; elsewhere there is nothing to look at.
pub(super) async fn no_file_descriptor_is_left(rig: &Rig) -> Result<(), Failure> {
    // The first connection opens what a process opens once.
    let (pair, _ends) = rig.connected(ChannelInit::default()).await?;
    pair.close().await;
    drop((pair, _ends));
    let Some(before) = open_files() else {
        return Ok(());
    };
    for _ in 0..PAIRS {
        let (pair, mut ends) = rig.connected(ChannelInit::default()).await?;
        rig.works(&mut ends).await?;
        let during = open_files();
        ensure!(during >= Some(before), "files vanished: {before} before, {during:?} now");
        pair.close().await;
        // Without a close as well.
        drop(rig.connected(ChannelInit::default()).await?);
    }
    rig.until("no file descriptor is left", || open_files() <= Some(before)).await
}

fn open_files() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count())
}
