//! A realtime service inside a program of one's own, with the program's own idea of who its users are.
//!
//! Run with
//!
//! ```text
//! cargo run -p example-embedded-server
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::time::Duration;

use serde_json::json;
use skapi_rtc::{ConnectOptions, RealtimeEvent, Recipient, connect_realtime};
use skapi_rtc_server::{Config, JwtAuthenticator, Server, TokenIssuer};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // The secret that the program shares with nobody but itself; a real one comes from its configuration.
    let secret = b"0123456789abcdef0123456789abcdef";
    let server = Server::builder()
        .config(Config::default().max_connections_per_user(4))
        .authenticator(JwtAuthenticator::hs256(secret)?)
        .listen("127.0.0.1:0".parse()?)
        .start()
        .await?;
    println!("the service listens on {}", server.local_addr());

    // After its own sign-in, the program gives each user a token.
    let token = TokenIssuer::hs256(secret)?.issue(&"alice".parse()?, Duration::from_secs(900));

    let url = format!("http://{}", server.local_addr());
    let (alice, mut events) = connect_realtime(ConnectOptions::new(&url, token)?).await?;
    alice.join_realtime("news".parse()?).await?;
    alice.post_realtime(Recipient::Group, &json!({"headline": "it works"})).await?;
    while let Some(event) = events.next().await {
        if let RealtimeEvent::Message { post, group } = event {
            println!("{} posted to {group}: {}", post.user, post.content);
            break;
        }
    }
    println!("counters: {:?}", server.metrics());
    alice.close_realtime().await;
    server.shutdown().await;
    Ok(())
}
