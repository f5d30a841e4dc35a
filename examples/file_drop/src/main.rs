//! A file from one peer to another, whole and checked, over a call.
//!
//! Run with
//!
//! ```text
//! cargo run -p example-file-drop -- README.md
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::{future::IntoFuture as _, path::Path, time::Duration};

use anyhow::Context as _;
use skapi_rtc::{
    Call, CallOptions, ConnectOptions, RealtimeEvent, RealtimeEvents, connect_realtime,
    file::{IncomingFile, OutgoingFile},
};
use skapi_rtc_server::{DevAuthenticator, Server};
use tokio::io::AsyncReadExt as _;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).context("which file? give its path")?;

    let dev = DevAuthenticator::new();
    let listen = "127.0.0.1:0".parse()?;
    let server = Server::builder().authenticator(dev.clone()).listen(listen).start().await?;
    let url = format!("http://{}", server.local_addr());
    let connect = async |user: &str| {
        let token = dev.mint(&user.parse()?, Duration::from_secs(3600));
        anyhow::Ok(connect_realtime(ConnectOptions::new(&url, token)?).await?)
    };
    let (sender, _) = connect("sender").await?;
    let (receiver, events) = connect("receiver").await?;
    let receiving = tokio::spawn(receive(events));

    let cid = receiver.cid().context("the receiver is not connected")?;
    let call = sender.connect_rtc(cid, CallOptions::default()).await?.into_future().await?;
    send(&call, Path::new(&path)).await?;
    call.hangup().await;

    receiving.await??;
    sender.close_realtime().await;
    receiver.close_realtime().await;
    server.shutdown().await;
    Ok(())
}

async fn send(call: &Call, path: &Path) -> anyhow::Result<()> {
    let mut source = tokio::fs::File::open(path).await?;
    let size = source.metadata().await?.len();
    let name = path.file_name().context("not a file")?.to_string_lossy();
    let mut file = OutgoingFile::offer(call, &name, size).await?;
    let mut part = vec![0; 256 * 1024];
    loop {
        let read = source.read(&mut part).await?;
        if read == 0 {
            break;
        }
        file.write(&part[..read]).await?;
    }
    let receipt = file.finish().await?;
    println!("sent {name}: {} bytes, SHA-256 {}", receipt.size, receipt.sha256);
    Ok(())
}

async fn receive(mut events: RealtimeEvents) -> anyhow::Result<()> {
    while let Some(event) = events.next().await {
        let RealtimeEvent::Incoming(incoming) = event else {
            continue;
        };
        let call = incoming.connect_rtc(CallOptions::default()).await?;
        while let Some(channel) = call.next_channel().await {
            if !IncomingFile::is_file(&channel) {
                continue;
            }
            let mut file = IncomingFile::announced(channel).await?;
            let (name, mut content) = (file.name().to_owned(), Vec::new());
            while let Some(bytes) = file.read().await? {
                content.extend_from_slice(&bytes);
            }
            let receipt = file.confirm().await?;
            println!("received {name}: {} bytes, SHA-256 {}", content.len(), receipt.sha256);
            return Ok(());
        }
    }
    Ok(())
}
