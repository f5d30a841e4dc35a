//! A call between two sessions on an engine of one's own.
//!
//! Run with
//!
//! ```text
//! cargo run -p example-custom-backend
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::{future::IntoFuture as _, sync::Arc, time::Duration};

use example_custom_backend::Loopback;
use skapi_rtc::{
    CallOptions, ConnectOptions, DEFAULT_CHANNEL, RealtimeEvent, RealtimeEvents, connect_realtime,
};
use skapi_rtc_server::{DevAuthenticator, Server};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let dev = DevAuthenticator::new();
    let listen = "127.0.0.1:0".parse()?;
    let server = Server::builder().authenticator(dev.clone()).listen(listen).start().await?;
    let url = format!("http://{}", server.local_addr());
    let connect = async |user: &str| {
        let token = dev.mint(&user.parse()?, Duration::from_secs(3600));
        let options = ConnectOptions::new(&url, token)?.backend(Arc::new(Loopback));
        anyhow::Ok(connect_realtime(options).await?)
    };

    let (alice, _) = connect("alice").await?;
    let (bob, bob_events) = connect("bob").await?;
    let answering = tokio::spawn(answer(bob_events));

    let cid = bob.cid().ok_or_else(|| anyhow::anyhow!("bob is not connected"))?;
    let call = alice.connect_rtc(cid, CallOptions::default()).await?.into_future().await?;
    if let Some(pair) = call.selected_pair() {
        println!("Alice and Bob are connected: {pair}");
    }
    let mut channel = call.channel(DEFAULT_CHANNEL).await?;
    channel.send("hello over my own engine").await?;
    println!("Alice got: {:?}", channel.recv().await);
    println!("Alice: {}", call.hangup().await);

    answering.await??;
    alice.close_realtime().await;
    bob.close_realtime().await;
    server.shutdown().await;
    Ok(())
}

/// Bob takes the first call and sends back what he hears.
async fn answer(mut events: RealtimeEvents) -> anyhow::Result<()> {
    while let Some(event) = events.next().await {
        if let RealtimeEvent::Incoming(incoming) = event {
            let call = incoming.connect_rtc(CallOptions::default()).await?;
            let mut channel = call.channel(DEFAULT_CHANNEL).await?;
            while let Some(message) = channel.recv().await {
                channel.send(message).await?;
            }
            println!("Bob: {}", call.ended().await);
            break;
        }
    }
    Ok(())
}
