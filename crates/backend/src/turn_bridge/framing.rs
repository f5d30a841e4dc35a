//! Where a message of TURN ends in a stream: STUN messages and ChannelData tell their length by themselves, and the
//! latter are padded to a multiple of four bytes (RFC 8656 §12.5).

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Bytes of a STUN message before its attributes (RFC 8489 §5).
const STUN_HEADER: usize = 20;
/// Bytes of a ChannelData message before its data (RFC 8656 §12.4).
const CHANNEL_HEADER: usize = 4;

/// Reads the next message, without its padding. Not cancel-safe.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    message: &mut Vec<u8>,
) -> io::Result<()> {
    let mut start = [0; CHANNEL_HEADER];
    stream.read_exact(&mut start).await?;
    let Size { length, padding } = Size::of(start).ok_or(io::ErrorKind::InvalidData)?;
    message.clear();
    message.extend(start);
    message.resize(length + padding, 0);
    stream.read_exact(&mut message[CHANNEL_HEADER..]).await?;
    message.truncate(length);
    Ok(())
}

/// Adds a message to what is to be written. Whatever is none is left out: nothing after it would be understood.
pub(super) fn write(message: &[u8], stream: &mut Vec<u8>) {
    let size = message.first_chunk().and_then(|start| Size::of(*start));
    // Over UDP a message may be padded, too.
    if let Some(Size { length, padding }) = size
        && (length..=length + padding).contains(&message.len())
    {
        stream.extend(&message[..length]);
        stream.resize(stream.len() + padding, 0);
    }
}

struct Size {
    length: usize,
    padding: usize,
}

impl Size {
    /// What the first bytes of a message say.
    fn of(start: [u8; CHANNEL_HEADER]) -> Option<Self> {
        let [kind, _, length @ ..] = start;
        let length = usize::from(u16::from_be_bytes(length));
        match kind >> 6 {
            // STUN pads its attributes.
            0 if length % 4 == 0 => Some(Self { length: STUN_HEADER + length, padding: 0 }),
            1 => {
                let padding = length.next_multiple_of(4) - length;
                Some(Self { length: CHANNEL_HEADER + length, padding })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stun(attributes: u8) -> Vec<u8> {
        let mut message = vec![0; STUN_HEADER + usize::from(attributes)];
        message[3] = attributes;
        message
    }

    fn channel(data: u8) -> Vec<u8> {
        let mut message = vec![7; CHANNEL_HEADER + usize::from(data)];
        message[..CHANNEL_HEADER].copy_from_slice(&[0x40, 0, 0, data]);
        message
    }

    async fn read_all(mut stream: &[u8]) -> (Vec<Vec<u8>>, io::ErrorKind) {
        let (mut found, mut message) = (Vec::new(), Vec::new());
        loop {
            match read(&mut stream, &mut message).await {
                Ok(()) => found.push(message.clone()),
                Err(error) => return (found, error.kind()),
            }
        }
    }

    #[tokio::test]
    async fn messages_come_out_as_they_went_in() {
        let messages = [stun(8), channel(5), channel(8), stun(0), channel(0), channel(3)];
        let mut stream = Vec::new();
        messages.iter().for_each(|message| write(message, &mut stream));
        assert_eq!(stream.len() % 4, 0);
        assert_eq!(read_all(&stream).await, (messages.to_vec(), io::ErrorKind::UnexpectedEof));
    }

    #[tokio::test]
    async fn padding_is_not_taken_for_data() {
        let mut padded = channel(5);
        padded.extend([0; 3]);
        let mut stream = Vec::new();
        write(&padded, &mut stream);
        assert_eq!(read_all(&stream).await.0, [channel(5)]);
    }

    #[test]
    fn what_is_no_message_is_left_out() {
        let mut stream = Vec::new();
        for message in [&b""[..], b"\x00", b"\xff\x00\x00\x00", &stun(8)[..20], &channel(9)[..8]] {
            write(message, &mut stream);
        }
        write(&[&stun(8)[..], b"more"].concat(), &mut stream);
        write(&stun(7), &mut stream);
        assert!(stream.is_empty());
    }

    #[tokio::test]
    async fn a_stream_of_something_else_is_noticed() {
        assert_eq!(read_all(b"\xffSSH-2.0").await, (vec![], io::ErrorKind::InvalidData));
    }
}
