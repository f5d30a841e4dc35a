//! TCP relays between the sessions and the service: each can be reset, closed for a while, or stalled.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    Open,
    /// Nothing goes through, and nobody is told.
    Stalled,
    /// Connections are reset, and new ones too.
    Closed,
}

/// One session's way to the service.
#[derive(Debug, Clone)]
pub struct Wire {
    pub address: SocketAddr,
    line: Arc<watch::Sender<Line>>,
    resets: Arc<watch::Sender<u64>>,
}

impl Wire {
    pub async fn new(service: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let wire = Self {
            address: listener.local_addr()?,
            line: Arc::new(watch::Sender::new(Line::Open)),
            resets: Arc::new(watch::Sender::new(0)),
        };
        let relay = wire.clone();
        tokio::spawn(async move {
            loop {
                if let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(relay.clone().carry(client, service));
                }
            }
        });
        Ok(wire)
    }

    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }

    pub fn reset(&self) {
        self.resets.send_modify(|resets| *resets += 1);
    }

    async fn carry(self, mut client: TcpStream, service: SocketAddr) {
        let mut resets = self.resets.subscribe();
        let mut line = self.line.subscribe();
        let closed = line.wait_for(|line| *line == Line::Closed);
        let carried = async {
            wait_open(&mut self.line.subscribe()).await;
            let Ok(mut server) = TcpStream::connect(service).await else { return };
            let (mut from_client, mut to_client) = client.split();
            let (mut from_server, mut to_server) = server.split();
            tokio::select! {
                () = pump(&mut from_client, &mut to_server, self.line.subscribe()) => {}
                () = pump(&mut from_server, &mut to_client, self.line.subscribe()) => {}
                _ = resets.changed() => {
                    let _ = server.set_zero_linger();
                }
            }
        };
        tokio::select! {
            () = carried => {}
            _ = closed => {}
        }
        let _ = client.set_zero_linger();
    }
}

async fn wait_open(line: &mut watch::Receiver<Line>) {
    let _ = line.wait_for(|line| *line != Line::Stalled).await;
}

async fn pump(from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>, mut line: watch::Receiver<Line>) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(len @ 1..) = from.read(&mut bytes).await {
        wait_open(&mut line).await;
        if to.write_all(&bytes[..len]).await.is_err() {
            return;
        }
    }
}
