//! Datagrams in a stream between peers: each behind its length in two bytes (RFC 4571 §2).

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Reads the next datagram. Not cancel-safe.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    datagram: &mut Vec<u8>,
) -> io::Result<()> {
    let length = stream.read_u16().await?;
    datagram.clear();
    datagram.resize(length.into(), 0);
    stream.read_exact(datagram).await?;
    Ok(())
}

/// Adds a datagram to what is to be written. One that is too long is left out, as a network would drop it.
pub(super) fn write(datagram: &[u8], stream: &mut Vec<u8>) {
    if let Ok(length) = u16::try_from(datagram.len()) {
        stream.extend(length.to_be_bytes());
        stream.extend(datagram);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn datagrams_come_out_as_they_went_in() {
        let datagrams = [vec![1], vec![], vec![2; 65_535], vec![3; 1200]];
        let mut stream = Vec::new();
        datagrams.iter().for_each(|datagram| write(datagram, &mut stream));
        write(&[4; 65_536], &mut stream);
        let mut rest = &stream[..];
        let mut datagram = Vec::new();
        for expected in &datagrams {
            read(&mut rest, &mut datagram).await.unwrap();
            assert!(datagram == *expected, "{} bytes", expected.len());
        }
        let end = read(&mut rest, &mut datagram).await.unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
    }
}
