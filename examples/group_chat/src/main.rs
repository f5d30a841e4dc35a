//! A chat in a group: lines from the keyboard are posted, posts and notices are shown.
//!
//! Run with
//!
//! ```text
//! cargo run -p skapi-rtc-cli -- serve --dev
//! curl -s -d '{"user":"alice"}' -H 'content-type: application/json' http://127.0.0.1:8787/dev/token
//! cargo run -p example-group-chat -- http://127.0.0.1:8787 <token> lobby
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use anyhow::Context as _;
use skapi_rtc::{ConnectOptions, GroupName, RealtimeEvent, Recipient, connect_realtime};
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let mut arg = |what: &str| args.next().with_context(|| format!("missing: {what}"));
    let (url, token, group) = (arg("address")?, arg("token")?, arg("group")?);
    let group: GroupName = group.parse()?;

    let (realtime, mut events) = connect_realtime(ConnectOptions::new(&url, token)?).await?;
    realtime.join_realtime(group.clone()).await?;
    for member in realtime.realtime_users(group).await? {
        println!("* {} is here ({})", member.user, member.cid);
    }

    let mut lines = BufReader::new(stdin()).lines();
    loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) => realtime.post_realtime(Recipient::Group, &line).await?,
                None => break,
            },
            event = events.next() => match event {
                Some(RealtimeEvent::Message { post, .. }) => {
                    println!("<{}> {}", post.user, post.content);
                }
                Some(RealtimeEvent::Notice(notice)) => println!("* {}", notice.text()),
                Some(RealtimeEvent::Disconnected { reason, .. }) => println!("* {reason}"),
                Some(RealtimeEvent::Connected { again: true, .. }) => println!("* back again"),
                Some(_) => {}
                None => break,
            },
        }
    }
    realtime.close_realtime().await;
    Ok(())
}
