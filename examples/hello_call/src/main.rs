//! Two sessions, a service between them, and one call with a message each way.
//!
//! Run with
//!
//! ```text
//! cargo run -p example-hello-call
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::{future::IntoFuture as _, time::Duration};

use skapi_rtc::{
    CallOptions, ConnectOptions, DEFAULT_CHANNEL, Message, Realtime, RealtimeEvent, RealtimeEvents,
    connect_realtime,
};
use skapi_rtc_server::{DevAuthenticator, Server};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Usually the service runs elsewhere: `skapi-rtc serve`.
    let dev = DevAuthenticator::new();
    let listen = "127.0.0.1:0".parse()?;
    let server = Server::builder().authenticator(dev.clone()).listen(listen).start().await?;
    let url = format!("http://{}", server.local_addr());
    let hour = Duration::from_secs(3600);
    let connect = async |user: &str| {
        let token = dev.mint(&user.parse()?, hour);
        anyhow::Ok(connect_realtime(ConnectOptions::new(&url, token)?).await?)
    };

    let (alice, _) = connect("alice").await?;
    let (bob, bob_events) = connect("bob").await?;
    let answering = tokio::spawn(answer(bob_events));

    dial(&alice, &bob).await?;
    answering.await??;

    alice.close_realtime().await;
    bob.close_realtime().await;
    server.shutdown().await;
    Ok(())
}

/// Alice calls Bob, says hello, and hangs up.
async fn dial(alice: &Realtime, bob: &Realtime) -> anyhow::Result<()> {
    let cid = bob.cid().ok_or_else(|| anyhow::anyhow!("bob is not connected"))?;
    let call = alice.connect_rtc(cid, CallOptions::default()).await?.into_future().await?;
    let mut channel = call.channel(DEFAULT_CHANNEL).await?;
    channel.send("hello, Bob").await?;
    if let Some(Message::Text(text)) = channel.recv().await {
        println!("Alice got: {text}");
    }
    println!("Alice: {}", call.hangup().await);
    Ok(())
}

/// Bob takes a call and answers what he hears.
async fn answer(mut events: RealtimeEvents) -> anyhow::Result<()> {
    while let Some(event) = events.next().await {
        let RealtimeEvent::Incoming(incoming) = event else {
            continue;
        };
        println!("{} calls Bob", incoming.user());
        let call = incoming.connect_rtc(CallOptions::default()).await?;
        let mut channel = call.channel(DEFAULT_CHANNEL).await?;
        while let Some(message) = channel.recv().await {
            println!("Bob got: {message:?}");
            channel.send("hello, Alice").await?;
        }
        println!("Bob: {}", call.ended().await);
        break;
    }
    Ok(())
}
