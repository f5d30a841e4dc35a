//! smoke
use skapi_rtc_backend::*;
use skapi_rtc_backend_webrtc::*;
use std::sync::Arc;
use std::time::Instant;
async fn connect(
    b: &WebRtcBackend,
) -> (
    Arc<dyn PeerConnection>,
    Arc<dyn PeerConnection>,
    ChannelHandle,
    ChannelHandle,
    f64,
) {
    let mut p = b.create_peer(PeerConfig::default()).await.unwrap();
    let mut q = b.create_peer(PeerConfig::default()).await.unwrap();
    let mut ch = p
        .peer
        .create_channel("x", ChannelInit::default())
        .await
        .unwrap();
    let t = Instant::now();
    let offer = p.peer.make_offer(OfferOptions::default()).await.unwrap();
    let answer = q.peer.accept_offer(offer).await.unwrap();
    p.peer.accept_answer(answer).await.unwrap();
    let (pp, qq) = (p.peer.clone(), q.peer.clone());
    let verbose = std::env::var("V").is_ok();
    tokio::spawn(async move {
        while let Some(e) = p.events.recv().await {
            if verbose {
                println!("P {:?} {e:?}", t.elapsed());
            }
            if let PeerEvent::Candidate(c) = e {
                let _ = qq.add_candidate(c).await;
            }
        }
    });
    let p2 = Arc::downgrade(&pp);
    let (tx, rx) = tokio::sync::oneshot::channel();
    let mut tx = Some(tx);
    tokio::spawn(async move {
        while let Some(e) = q.events.recv().await {
            if verbose {
                println!("Q {:?} {e:?}", t.elapsed());
            }
            match e {
                PeerEvent::Candidate(c) => {
                    if let Some(p) = p2.upgrade() {
                        let _ = p.add_candidate(c).await;
                    }
                }
                PeerEvent::Channel(c) => {
                    if let Some(tx) = tx.take() {
                        let _ = tx.send(c);
                    }
                }
                _ => {}
            }
        }
    });
    assert_eq!(ch.events.recv().await, Some(ChannelEvent::Open));
    let t1 = t.elapsed().as_secs_f64() * 1e3;
    let mut rc = rx.await.unwrap();
    assert_eq!(rc.events.recv().await, Some(ChannelEvent::Open));
    (pp, q.peer, ch, rc, t1)
}
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn smoke() {
    let b = WebRtcBackend::new(if std::env::var("LO").is_ok() {
        Config::default().addresses(vec!["127.0.0.1".parse().unwrap()])
    } else {
        Config::default()
    })
    .unwrap();
    let mut v = vec![];
    for i in 0..20 {
        let (p, q, ch, mut rc, t) = connect(&b).await;
        ch.channel.send("hi".into()).await.unwrap();
        assert_eq!(
            rc.events.recv().await,
            Some(ChannelEvent::Message("hi".into()))
        );
        if i == 0 {
            println!(
                "{:?} id {:?}/{:?} max {}",
                p.stats().await,
                ch.channel.id(),
                rc.channel.id(),
                ch.channel.max_message_size()
            );
        }
        let t2 = Instant::now();
        p.close().await;
        q.close().await;
        v.push(t);
        if i == 0 {
            println!("close {:?}", t2.elapsed());
        }
    }
    v.sort_by(|a, b| a.total_cmp(b));
    println!("setup p50 {:.1} p95 {:.1}", v[10], v[19]);
}
