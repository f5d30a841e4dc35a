//! A chat over a call: lines from stdin go out, messages come in.

use serde::Serialize;
use skapi_rtc::{Call, Channel, EndReason, Message};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::{
    exit::{Exit, Failure},
    output::Output,
};

/// Chats until stdin ends or the call does.
pub(crate) async fn run(call: &Call, channel: Channel, output: &Output) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Event<'a> {
        event: &'static str,
        value: &'a str,
    }
    let hint = "type a line to send it (Ctrl-D or Ctrl-C hangs up)";
    output.line(
        hint,
        &Event {
            event: "chat",
            value: hint,
        },
    );
    let (sender, mut receiver) = channel.split();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) => sender
                    .send(line)
                    .await
                    .map_err(|error| Failure::new(Exit::CallLost, error))?,
                Ok(None) => return Ok(()),
                Err(error) => return Err(Failure::from(anyhow::Error::new(error).context("stdin"))),
            },
            Some(message) = receiver.recv() => match message {
                Message::Text(text) => {
                    output.line(format_args!("> {text}"), &Event { event: "message", value: &text });
                }
                Message::Binary(bytes) => {
                    let text = format!("{} bytes", bytes.len());
                    output.line(format_args!("> {text}"), &Event { event: "message", value: &text });
                }
            },
            end = call.ended() => return match end.reason {
                EndReason::HungUp => Ok(()),
                _ => Err(Failure::msg(Exit::CallLost, format!("the call was lost: {end}"))),
            },
        }
    }
}
