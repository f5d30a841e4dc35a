//! A volley: many messages at once, which have to come back as they went.

use serde::Serialize;
use skapi_rtc::{Channel, ChannelError, Message};

use crate::{
    exit::{Exit, Failure},
    output::Output,
};

/// Sends `count` messages, texts and bytes by turns, without waiting, and checks their echo.
pub(crate) async fn run(channel: &mut Channel, count: u32, output: &Output) -> Result<(), Failure> {
    let sender = channel.sender().clone();
    let send = async {
        for number in 0..count {
            sender.send(message(number)).await?;
        }
        Ok::<_, ChannelError>(())
    };
    let (sent, checked) = tokio::join!(send, check(channel, count));
    checked?;
    sent.map_err(|error| Failure::new(Exit::CallLost, error))?;
    #[derive(Serialize)]
    struct Event {
        event: &'static str,
        count: u32,
    }
    output.line(
        format_args!("{count} messages came back as they went"),
        &Event { event: "volley", count },
    );
    Ok(())
}

async fn check(channel: &mut Channel, count: u32) -> Result<(), Failure> {
    for number in 0..count {
        let echo = channel.recv().await;
        let echo = echo.ok_or_else(|| Failure::msg(Exit::CallLost, "the channel was closed"))?;
        if echo != message(number) {
            let text = format!(
                "message {number} of {count} came back as something else ({echo:?}): is the peer \
                 `skapi-rtc listen`?"
            );
            return Err(Failure::msg(Exit::Failure, text));
        }
    }
    Ok(())
}

/// Even ones are text, odd ones bytes; sizes vary, and each says which one it is.
fn message(number: u32) -> Message {
    let size = number as usize * 37 % 1500;
    if number.is_multiple_of(2) {
        return format!("{number} {}", "ü".repeat(size / 2)).into();
    }
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.resize(4 + size, number as u8);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_messages_are_alike_and_kinds_take_turns() {
        let all: Vec<_> = (0..256).map(message).collect();
        for (number, one) in all.iter().enumerate() {
            assert_eq!(matches!(one, Message::Text(_)), number % 2 == 0);
            assert!(!all[..number].contains(one), "{number}");
        }
    }
}
