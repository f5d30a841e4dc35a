//! Everybody at once: after a restart, thousands of clients come back in the same moment.

mod support;

use std::{
    fs,
    time::{Duration, Instant},
};

use skapi_rtc_protocol::ServerFrame;
use skapi_rtc_server::Config;
use support::{Client, TestServer, refusal, within};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};
use tokio_tungstenite::{connect_async, tungstenite};

/// As many as there may be files open, two for each, and room for what else there is.
fn crowd() -> usize {
    const WANTED: usize = 3000;
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
    let files: usize = soft.unwrap_or(1024);
    WANTED.min(files.saturating_sub(300) / 2)
}

/// Comes until it is let in, as it is told; returns how often it was sent away.
async fn come_in(url: &str) -> (Client, u32) {
    let mut sent_away = 0;
    loop {
        match connect_async(url).await {
            Ok((socket, _)) => return (Client::greeted(socket).await, sent_away),
            Err(tungstenite::Error::Http(response)) => {
                assert_eq!(response.status(), 503);
                let wait = response.headers()["retry-after"].to_str().expect("a text");
                let wait = wait.parse().expect("seconds");
                tokio::time::sleep(Duration::from_secs(wait)).await;
                sent_away += 1;
            }
            Err(error) => panic!("neither let in nor told when to come back: {error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_let_in_little_by_little_and_served_meanwhile() {
    let count = crowd();
    assert!(count >= 300, "raise the limit of open files (`ulimit -n 8192`)");
    // Slower than any machine brings them in, so that some have to wait and some are sent away.
    let rate = count as f64 / 10.0;
    let config = Config::default()
        .open_rate(u32::try_from(count).unwrap() / 10, rate)
        .max_open_wait(Duration::from_secs(1))
        .max_connections_per_user(count);
    let server = TestServer::with(config).await;
    let mut early = server.member("early", "G").await;
    let start = Instant::now();
    let mut coming = JoinSet::new();
    for _ in 0..count {
        let url = server.url("crowd");
        coming.spawn(async move { come_in(&url).await });
    }
    let mut inside = Vec::new();
    let (mut slowest, mut most_often) = (Duration::ZERO, 0);
    while inside.len() < count {
        let next = within("the crowd to come in", coming.join_next()).await;
        let (client, sent_away) = next.expect("one of the crowd").expect("let in");
        most_often = most_often.max(sent_away);
        inside.push(client);
        if inside.len() % 100 == 0 {
            // Who is inside does not notice the crowd.
            let asked = Instant::now();
            early.expect_nothing().await;
            slowest = slowest.max(asked.elapsed());
        }
    }
    let took = start.elapsed();
    let metrics = server.server.metrics();
    println!(
        "{count} in {took:?}, {} sent away, slowest answer {slowest:?}",
        metrics.sent_away_total
    );
    assert_eq!(metrics.connections, count as u64 + 1);
    assert!(metrics.sent_away_total > 0, "nobody was ever sent away");
    // The moments are rounded to seconds, so a few come before their room does.
    assert!(most_often <= 3, "sent away {most_often} times");
}

#[tokio::test]
async fn who_is_sent_away_is_told_until_when() {
    let config = Config::default().open_rate(1, 0.5).max_open_wait(Duration::ZERO);
    let server = TestServer::with(config).await;
    let _first = server.client("alice").await;
    assert_eq!(refusal(&server.url("alice")).await, (503, "OVERLOADED".to_owned()));
    assert_eq!(server.server.metrics().sent_away_total, 1);
    // Others are not kept from asking over HTTP.
    let mut stream = TcpStream::connect(server.addr()).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    within("an answer", stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.contains("200 OK"), "{answer}");
}

#[tokio::test]
async fn a_shutdown_gives_every_client_a_moment_of_its_own_to_come_back() {
    let config = Config::default().open_rate(1, 10.0).max_open_wait(Duration::from_secs(5));
    let server = TestServer::with(config).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(server.client("alice").await);
    }
    let reading = tokio::spawn(async move {
        let mut moments = Vec::new();
        for client in &mut clients {
            match client.next("the goodbye").await {
                ServerFrame::GoingAway(going) => moments.push(going.retry_after_ms),
                other => panic!("expected to be told when to come back, got {other:?}"),
            }
            assert_eq!(client.closed().await.0, 1001);
        }
        moments.sort_unstable();
        moments
    });
    within("the shutdown", server.server.shutdown()).await;
    let moments = within("the goodbyes", reading).await.unwrap();
    assert_eq!(moments, [500, 600, 700, 800, 900]);
}
