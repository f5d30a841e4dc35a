//! Everybody at once: a service is killed under thousands of clients, and all of them come back to the next.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use skapi_rtc::{
    ConnectOptions, ConnectionId, Realtime, RealtimeEvent, RealtimeEvents, connect_realtime,
    transport::WebSocketTransport,
};
use tokio::task::JoinSet;

use crate::{
    process::{Service, Usage, token},
    scenarios::number,
    world::free_address,
};

/// Clients that connect for the first time at the same moment. They are people who come, not a crowd.
const AT_ONCE: usize = 64;

/// What nothing but a collapse takes longer than, for all of them together.
const PATIENCE: Duration = Duration::from_secs(240);

/// How many there are; `SKAPI_RTC_CROWD`.
fn clients() -> usize {
    number("SKAPI_RTC_CROWD", 10_000)
}

struct Client {
    realtime: Realtime,
    events: RealtimeEvents,
    cid: ConnectionId,
}

impl Client {
    /// Waits until it is back; gives how often it was sent away or found nobody.
    async fn back(mut self) -> Result<(Self, u32)> {
        let mut attempts = 0;
        loop {
            match self.events.next().await {
                Some(RealtimeEvent::Disconnected { .. }) => attempts += 1,
                Some(RealtimeEvent::Connected { ready: Some(ready), .. }) => {
                    ensure!(ready.cid == self.cid, "a client came back as another one");
                    return Ok((self, attempts));
                }
                Some(RealtimeEvent::Closed(reason)) => bail!("a client gave up: {reason:?}"),
                Some(_) => {}
                None => bail!("a client's events ended"),
            }
        }
    }
}

/// Each of them is back as the connection that it was, and who is back first is served while others come.
pub async fn a_crowd_comes_back_to_a_service_that_was_killed() -> Result<()> {
    let count = clients();
    let files = rlimit::increase_nofile_limit(u64::MAX)?;
    ensure!(files > count as u64 + 200, "raise the limit of open files, which is {files}");
    let folder = tempfile::tempdir()?;
    let (secret, key) = (folder.path().join("secret"), folder.path().join("key"));
    std::fs::write(&secret, "a secret of thirty-two bytes, all")?;
    std::fs::write(&key, "another secret, of some more bytes")?;
    let address = free_address()?;
    let limits = ["--max-connections-per-user", &count.to_string()];
    let mut service = Service::start_with(address, &secret, &key, &limits).await?;
    let token = token(&secret, "crowd").await?;
    let transport = Arc::new(WebSocketTransport::new());
    let connect = async || -> Result<Client> {
        let options = ConnectOptions::new(&format!("http://{address}"), token.clone())?;
        let options = options.transport(transport.clone()).retry_first(true);
        let (realtime, mut events) = connect_realtime(options).await?;
        match events.next().await {
            Some(RealtimeEvent::Connected { ready: Some(ready), .. }) => {
                Ok(Client { realtime, events, cid: ready.cid })
            }
            other => bail!("a client is not connected, but {other:?}"),
        }
    };

    let empty = service.usage()?;
    let mut clients = Vec::with_capacity(count);
    while clients.len() < count {
        let coming = (0..AT_ONCE.min(count - clients.len())).map(|_| connect());
        clients.extend(futures_util::future::try_join_all(coming).await?);
    }
    report("connected", count, empty, service.usage()?);

    service.kill().await?;
    let mut service = Service::start_with(address, &secret, &key, &limits).await?;
    let (start, empty) = (Instant::now(), service.usage()?);
    let mut coming: JoinSet<_> = clients.into_iter().map(Client::back).collect();
    let (mut inside, mut attempts) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut half, mut slowest) = (Duration::ZERO, Duration::ZERO);
    while inside.len() < count {
        let left = PATIENCE.saturating_sub(start.elapsed());
        let next = tokio::time::timeout(left, coming.join_next()).await;
        let next = next.with_context(|| format!("{} of {count} are back", inside.len()))?;
        let (client, tried) = next.context("one that comes")???;
        attempts.push(tried);
        inside.push(client);
        if inside.len() == count / 2 {
            half = start.elapsed();
        }
        if inside.len() % 100 == 1 {
            let asked = Instant::now();
            inside[0].realtime.realtime_groups().await.context("who is inside is not served")?;
            slowest = slowest.max(asked.elapsed());
        }
    }
    attempts.sort_unstable();
    crate::say(&format!(
        "{count} are back after {:?}, half of them after {half:?}; {} attempts each (median), at most {}; \
         meanwhile who was inside was answered after {slowest:?} at the latest",
        start.elapsed(),
        attempts[count / 2],
        attempts[count - 1],
    ));
    report("back", count, empty, service.usage()?);
    ensure!(slowest < Duration::from_secs(20), "who was inside waited for {slowest:?}");
    service.terminate().await
}

fn report(what: &str, count: usize, empty: Usage, full: Usage) {
    let each = (full.kib.saturating_sub(empty.kib)) as f64 / count as f64;
    crate::say(&format!("{count} {what}: {each:.1} KiB each, {} files", full.files));
}
