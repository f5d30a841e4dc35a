//! How long an engine takes, for tests that hold it to a bound: the suite itself asserts no times.

use std::{
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
};

use super::{
    Failure, Rig,
    rig::{Pair, Side, ensure, negotiate},
};
use crate::{ChannelInit, ConnectionState, PeerHandle};

impl Rig {
    /// How long it takes from the offer to the open channel at whoever offers, so many times, shortest first.
    ///
    /// # Errors
    /// When a connection does not come up.
    pub async fn set_up_times(&self, rounds: usize) -> Result<Vec<Duration>, Failure> {
        sorted(rounds, async || {
            let mut pair = self.pair().await?;
            let mut channel = pair.left.peer.create_channel("x", ChannelInit::default()).await?;
            let start = Instant::now();
            pair.trickle();
            negotiate(&pair.left, &pair.right).await?;
            self.opened(&mut channel).await?;
            let time = start.elapsed();
            pair.close().await;
            Ok(time)
        })
        .await
    }

    /// How long a further channel of a connection takes to open, so many times, shortest first.
    ///
    /// # Errors
    /// When one does not open.
    pub async fn channel_times(&self, rounds: usize) -> Result<Vec<Duration>, Failure> {
        let (pair, _ends) = self.connected(ChannelInit::default()).await?;
        let times = sorted(rounds, async || {
            let start = Instant::now();
            let mut channel = pair.left.peer.create_channel("late", ChannelInit::default()).await?;
            self.opened(&mut channel).await?;
            Ok(start.elapsed())
        });
        let times = times.await?;
        pair.close().await;
        Ok(times)
    }

    /// The right side vanishes without a word, with its runtime, as when its process is killed: how long the left one
    /// takes to count it as disconnected. After that it has to fail, and to close in order; and what the vanished one
    /// has told until then has to come to an end.
    ///
    /// # Errors
    /// When any of that does not happen.
    pub async fn time_to_miss_a_killed_peer(&self) -> Result<Duration, Failure> {
        let (right, victim) = Victim::run(self).await?;
        let left = self.left.create_peer(self.config.clone()).await?;
        let mut pair = Pair { left: Side::new(left), right: Side::new(right) };
        pair.trickle();
        let Pair { mut left, mut right } = pair;
        let mut channel = left.peer.create_channel("x", ChannelInit::default()).await?;
        negotiate(&left, &right).await?;
        self.opened(&mut channel).await?;

        let killed = Instant::now();
        victim.kill();
        self.until_state(&mut left, ConnectionState::Disconnected).await?;
        let time = killed.elapsed();
        self.until_state(&mut left, ConnectionState::Failed).await?;
        left.peer.close().await;
        self.until_state(&mut left, ConnectionState::Closed).await?;
        self.until_state(&mut right, ConnectionState::Failed).await?;
        self.until_state(&mut right, ConnectionState::Closed).await?;
        let after = self.soon("the end of the events", right.states.recv()).await?;
        ensure!(after.is_none(), "{after:?} came after Closed");
        Ok(time)
    }

    async fn until_state(&self, side: &mut Side, wanted: ConnectionState) -> Result<(), Failure> {
        let what = format!("the state {wanted:?}");
        let found = self.soon(&what, async {
            while let Some(state) = side.states.recv().await {
                if state == wanted {
                    return true;
                }
            }
            false
        });
        ensure!(found.await?, "the events ended before {wanted:?}");
        Ok(())
    }
}

/// The runtime of somebody who is going to be killed, on a thread of its own.
struct Victim(oneshot::Sender<()>);

impl Victim {
    /// Makes a connection there.
    async fn run(rig: &Rig) -> Result<(PeerHandle, Self), Failure> {
        let (engine, config) = (rig.right.clone(), rig.config.clone());
        let runtime: Runtime = Builder::new_current_thread().enable_all().build()?;
        let (made, side) = oneshot::channel();
        let (alive, killed) = oneshot::channel();
        thread::spawn(move || {
            runtime.block_on(async {
                drop(made.send(engine.create_peer(config).await));
                drop(killed.await);
            });
            runtime.shutdown_background();
        });
        Ok((side.await??, Self(alive)))
    }

    fn kill(self) {
        drop(self.0);
    }
}

async fn sorted(
    rounds: usize,
    mut time: impl AsyncFnMut() -> Result<Duration, Failure>,
) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        times.push(time().await?);
    }
    times.sort_unstable();
    Ok(times)
}
