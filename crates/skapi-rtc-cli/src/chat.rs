//! A chat over a call: lines from stdin go out, messages come in.

use std::time::Duration;

use serde::Serialize;
use skapi_rtc::{Call, Channel, ChannelReceiver, EndReason, Message};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    time::timeout,
};

use crate::{
    exit::{Exit, Failure},
    output::Output,
};

/// How long nothing must come after the last line before we hang up.
const SILENCE: Duration = Duration::from_millis(500);
/// How long we listen after the last line at most.
const GOODBYE: Duration = Duration::from_secs(5);

#[derive(Serialize)]
struct Event<'a> {
    event: &'static str,
    value: &'a str,
}

/// Chats until stdin ends or the call does.
pub(crate) async fn run(call: &Call, channel: Channel, output: &Output) -> Result<(), Failure> {
    let hint = "type a line to send it (Ctrl-D or Ctrl-C hangs up)";
    output.line(hint, &Event { event: "chat", value: hint });
    let (sender, mut receiver) = channel.split();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            // What has arrived is shown before the end that came behind it.
            biased;
            Some(message) = receiver.recv() => show(&message, output),
            line = lines.next_line() => match line {
                Ok(Some(line)) => sender
                    .send(line)
                    .await
                    .map_err(|error| Failure::new(Exit::CallLost, error))?,
                Ok(None) => {
                    linger(receiver, output).await;
                    return Ok(());
                }
                Err(error) => return Err(Failure::from(anyhow::Error::new(error).context("stdin"))),
            },
            end = call.ended() => return match end.reason {
                EndReason::HungUp => Ok(()),
                _ => Err(Failure::msg(Exit::CallLost, format!("the call was lost: {end}"))),
            },
        }
    }
}

/// Hanging up drops what has not left yet, so the last lines get the time to leave and to be answered.
async fn linger(mut receiver: ChannelReceiver, output: &Output) {
    let rest = async {
        while let Ok(Some(message)) = timeout(SILENCE, receiver.recv()).await {
            show(&message, output);
        }
    };
    // Whoever goes on talking is not listened to any longer.
    let _ = timeout(GOODBYE, rest).await;
}

fn show(message: &Message, output: &Output) {
    let text = match message {
        Message::Text(text) => text.clone(),
        Message::Binary(bytes) => format!("{} bytes", bytes.len()),
    };
    let event = Event { event: "message", value: &text };
    output.line(format_args!("> {text}"), &event);
}
