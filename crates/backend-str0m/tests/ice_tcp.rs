//! ICE over TCP (RFC 6544): where no UDP gets through, one side listens and the other connects.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

mod support;

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use skapi_rtc_backend::{
    Backend, ChannelInit, ConnectionState, OfferOptions, PeerConfig, conformance_tests,
};
use skapi_rtc_backend_str0m::{Config, IceTcp, Str0mBackend};
use support::{Call, Detour, Side, WithoutUdp, config, relayed, server, soon};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

fn of(config: Config) -> WithoutUdp<Str0mBackend> {
    WithoutUdp::new(Str0mBackend::new(config).unwrap())
}

fn listening() -> Config {
    config().ice_tcp(IceTcp::Listen)
}

/// How long a connection that cannot come up tries.
const SHORT: Duration = Duration::from_millis(500);

fn listener() -> Arc<dyn Backend> {
    Arc::new(of(listening()))
}

fn dialer() -> Arc<dyn Backend> {
    Arc::new(of(config()))
}

mod listener_calls {
    use super::*;

    conformance_tests!(
        listener,
        dialer,
        not_applicable: [
            "flow::a_flood_of_empty_messages_is_bounded",
        ]
    );
}

mod dialer_calls {
    use super::*;

    conformance_tests!(
        dialer,
        listener,
        not_applicable: [
            "flow::a_flood_of_empty_messages_is_bounded",
        ]
    );
}

async fn side(config: Config) -> Side {
    Side::new(&of(config), PeerConfig::default()).await
}

/// The protocol at both ends, as both sides see it.
async fn protocols(call: &Call) -> Vec<String> {
    let pairs = [call.left.pair().await, call.right.pair().await];
    pairs.into_iter().flat_map(|pair| [pair.local.protocol, pair.remote.protocol]).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn either_side_may_listen() {
    for (left, right) in
        [(listening(), config()), (config(), listening()), (listening(), listening())]
    {
        let mut call = Call::new(side(left).await, side(right).await).await;
        assert_eq!(protocols(&call).await, ["tcp"; 4]);
        call.talk(300).await;
        call.restart().await;
        call.talk(300).await;
        call.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_share_a_port() {
    let server = of(listening().shared_port(0));
    let mut calls = Vec::new();
    for index in 0..10 {
        let here = Side::new(&server, PeerConfig::default()).await;
        let there = side(config()).await;
        let (left, right) = if index % 2 == 0 { (here, there) } else { (there, here) };
        calls.push(Call::new(left, right).await);
    }
    let mut ports = Vec::new();
    for (index, mut call) in calls.into_iter().enumerate() {
        assert_eq!(protocols(&call).await, ["tcp"; 4]);
        let here = if index % 2 == 0 { &call.left } else { &call.right };
        ports.push(here.pair().await.local.address);
        call.talk(20).await;
        call.close().await;
    }
    ports.dedup();
    assert_eq!(ports.len(), 1, "the calls do not share a port: {ports:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn udp_is_preferred() {
    let left = Side::new(&Str0mBackend::new(listening()).unwrap(), PeerConfig::default()).await;
    let right = Side::new(&Str0mBackend::new(listening()).unwrap(), PeerConfig::default()).await;
    let mut call = Call::new(left, right).await;
    call.talk(100).await;
    assert_eq!(protocols(&call).await, ["udp"; 4]);
    call.close().await;
}

/// What a side that was just made says of itself.
async fn candidates(side: &mut Side) -> Vec<String> {
    side.peer.create_channel("x", ChannelInit::default()).await.unwrap();
    side.peer.make_offer(OfferOptions::default()).await.unwrap();
    side.gathered().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_listens_for_is_not_said() {
    for (config, peer, said) in [
        (config(), PeerConfig::default(), false),
        (config().ice_tcp(IceTcp::Off), PeerConfig::default(), false),
        (listening(), PeerConfig::default(), true),
        (listening(), relayed(&server()), false),
        (listening().shared_port(0), PeerConfig::default(), true),
    ] {
        let engine = Str0mBackend::new(config.clone()).unwrap();
        let mut side = Side::new(&engine, peer).await;
        let candidates = candidates(&mut side).await;
        let passive = candidates.iter().filter(|it| it.contains(" tcptype passive")).count();
        assert_eq!(passive, usize::from(said), "{config:?}: {candidates:?}");
        side.peer.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_it_off_does_not_connect() {
    let mut call = Call::new(side(listening()).await, side(config()).await).await;
    call.talk(1).await;
    call.close().await;
    let off = config().ice_tcp(IceTcp::Off).keepalive(SHORT).timeouts(SHORT * 2, SHORT);
    let (mut left, right) = (side(off).await, side(listening()).await);
    left.peer.create_channel("x", ChannelInit::default()).await.unwrap();
    support::negotiate(&left, &right, OfferOptions::default()).await;
    left.until(ConnectionState::Failed).await;
    right.peer.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_turned_away() {
    for config in [listening(), listening().shared_port(0)] {
        let engine = Str0mBackend::new(config).unwrap();
        let mut side = Side::new(&engine, PeerConfig::default()).await;
        let candidates = candidates(&mut side).await;
        let passive = candidates.iter().find(|it| it.contains(" tcptype passive")).unwrap();
        let port: u16 = passive.split(' ').nth(5).unwrap().parse().unwrap();
        let mut strangers = JoinSet::new();
        for said in [
            // Nothing, half a datagram, a page, no check, and a check for nobody.
            &b""[..],
            b"\x00\x20half",
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x00\x05hello",
            NOBODY,
        ] {
            strangers.spawn(async move {
                let mut stranger = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
                stranger.write_all(said).await.unwrap();
                // Reset or ended, it is over.
                let end = soon("the end of a stranger", stranger.read(&mut [0; 16])).await;
                assert!(!matches!(end, Ok(1..)), "{said:?} was answered");
            });
        }
        strangers.join_all().await;
        side.peer.close().await;
        soon("the end of the listener", async {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

/// A binding request with the user name `a:b`, behind its length.
const NOBODY: &[u8] =
    b"\x00\x1c\x00\x01\x00\x08\x21\x12\xa4\x42abcdefghijkl\x00\x06\x00\x03a:b\x00";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_breaks_is_opened_anew() {
    for listener_calls in [true, false] {
        let (detour, cut) = detour().await;
        let behind = WithoutUdp::behind(Str0mBackend::new(listening()).unwrap(), detour);
        let listens = Side::new(&behind, PeerConfig::default()).await;
        let dials = side(config()).await;
        let (left, right) = if listener_calls { (listens, dials) } else { (dials, listens) };
        let mut call = Call::new(left, right).await;
        call.talk(50).await;
        for _ in 0..3 {
            cut.send(()).unwrap();
            call.talk(50).await;
        }
        assert_eq!(protocols(&call).await, ["tcp"; 4]);
        call.close().await;
    }
}

/// A proxy that ends all its streams whenever it is told to.
async fn detour() -> (Arc<Detour>, watch::Sender<()>) {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = proxy.local_addr().unwrap().port();
    let detour = Arc::new(Detour { proxy: port, engine: AtomicU16::new(0) });
    let (cut, mut cuts) = watch::channel(());
    let engine = detour.clone();
    tokio::spawn(async move {
        let mut streams = JoinSet::new();
        loop {
            tokio::select! {
                accepted = proxy.accept() => {
                    let (mut from, _) = accepted.unwrap();
                    let port = engine.engine.load(Ordering::SeqCst);
                    streams.spawn(async move {
                        let mut to = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
                        let _ = copy_bidirectional(&mut from, &mut to).await;
                    });
                }
                told = cuts.changed() => match told {
                    Ok(()) => streams.abort_all(),
                    Err(_) => return,
                },
            }
        }
    });
    (detour, cut)
}
