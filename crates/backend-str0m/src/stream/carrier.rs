//! One stream: what arrives goes to the driver, what the driver sends goes out.

use std::{future::pending, io, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, split},
    sync::{Notify, mpsc},
};
use tracing::trace;

use super::framing;
use crate::{
    hub::{Arrival, Datagram},
    path::Path,
};

/// Bytes that are read from the system at once.
const READ_BUFFER: usize = 16 * 1024;
/// Datagrams that are written at once.
const BATCH: usize = 64;

pub(super) struct Carrier {
    pub(super) path: Path,
    pub(super) outbox: mpsc::Receiver<Vec<u8>>,
    pub(super) arrivals: mpsc::Sender<Arrival>,
    /// Told whenever something has left.
    pub(super) drained: Arc<Notify>,
}

impl Carrier {
    /// Ends with the stream, or once nobody sends any more and what was sent has left.
    pub(super) async fn run(self, io: impl AsyncRead + AsyncWrite) {
        let Self { path, outbox, arrivals, drained } = self;
        let (reader, writer) = split(io);
        let end = tokio::select! {
            end = read(reader, path, &arrivals) => end,
            end = write(writer, outbox, &drained) => end,
        };
        if let Err(error) = end {
            trace!(%error, remote = %path.remote, "a stream has ended");
        }
        // Nobody listens any more where the connection itself has ended.
        let _ = arrivals.send(Arrival::End(path)).await;
    }
}

async fn read(
    reader: impl AsyncRead + Unpin,
    path: Path,
    arrivals: &mpsc::Sender<Arrival>,
) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(READ_BUFFER, reader);
    let mut contents = Vec::new();
    loop {
        framing::read(&mut reader, &mut contents).await?;
        if contents.is_empty() {
            continue;
        }
        let datagram = Datagram { path, contents: std::mem::take(&mut contents) };
        if arrivals.send(Arrival::Datagram(datagram)).await.is_err() {
            // Nobody listens any more. What is still to be written decides about the end.
            return pending().await;
        }
    }
}

async fn write(
    mut writer: impl AsyncWrite + Unpin,
    mut outbox: mpsc::Receiver<Vec<u8>>,
    drained: &Notify,
) -> io::Result<()> {
    let (mut datagrams, mut stream) = (Vec::new(), Vec::new());
    while outbox.recv_many(&mut datagrams, BATCH).await > 0 {
        stream.clear();
        for datagram in datagrams.drain(..) {
            framing::write(&datagram, &mut stream);
        }
        writer.write_all(&stream).await?;
        writer.flush().await?;
        drained.notify_one();
    }
    writer.shutdown().await
}
