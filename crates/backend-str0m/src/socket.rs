//! A UDP socket that sends and receives several datagrams with one system call, where the system can.

use std::{
    cell::RefCell,
    io::{self, IoSliceMut},
    net::SocketAddr,
    task::{Context, Poll},
};

use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use tokio::{io::Interest, net::UdpSocket};
use tracing::debug;

use crate::Config;

/// Buffers that one system call fills.
const BATCH: usize = 8;
/// Room for the datagrams that the system joins into one buffer.
const BUFFER: usize = 64 * 1024;
/// System calls in a row before others get a turn.
const MAX_BATCHES: usize = 8;

thread_local! {
    /// Shared by all sockets of a thread, since it is used only between two waits: thousands of
    /// connections need no receive buffer of their own.
    static RECEIVED: RefCell<Vec<u8>> = RefCell::new(vec![0; BATCH * BUFFER]);
}

pub(crate) struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
}

impl Socket {
    pub(crate) fn bind(address: SocketAddr, config: &Config) -> io::Result<Self> {
        let socket = std::net::UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        let options = socket2::SockRef::from(&socket);
        for (set, what) in [
            (options.set_recv_buffer_size(config.receive_socket_buffer), "receive"),
            (options.set_send_buffer_size(config.send_socket_buffer), "send"),
        ] {
            if let Err(error) = set {
                debug!(%error, what, "the system refuses the socket buffer's size");
            }
        }
        let io = UdpSocket::from_std(socket)?;
        let state = UdpSocketState::new(UdpSockRef::from(&io))?;
        let local = io.local_addr()?;
        Ok(Self { io, state, local })
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Datagrams that one send can hold.
    pub(crate) fn max_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    /// Sends datagrams of `segment` bytes each, the last of which may be shorter.
    pub(crate) fn try_send(
        &self,
        destination: SocketAddr,
        contents: &[u8],
        segment: usize,
    ) -> io::Result<()> {
        let transmit = Transmit {
            destination,
            ecn: None,
            contents,
            segment_size: (segment < contents.len()).then_some(segment),
            src_ip: None,
        };
        self.io.try_io(Interest::WRITABLE, || {
            self.state.try_send(UdpSockRef::from(&self.io), &transmit)
        })
    }

    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        // An error shows when the socket is read.
        self.io.poll_recv_ready(cx).map(drop)
    }

    pub(crate) async fn writable(&self) {
        // An error shows when the socket is written to.
        let _ = self.io.writable().await;
    }

    /// Gives each datagram that has arrived, with its sender.
    pub(crate) fn receive(&self, mut each: impl FnMut(SocketAddr, &[u8])) {
        RECEIVED.with_borrow_mut(|memory| {
            for _ in 0..MAX_BATCHES {
                let mut metas = [RecvMeta::default(); BATCH];
                let Some(count) = self.receive_batch(memory, &mut metas) else { return };
                let buffers = memory.chunks(BUFFER).zip(&metas).take(count);
                for (buffer, meta) in buffers {
                    let Some(received) = buffer.get(..meta.len) else { continue };
                    for datagram in received.chunks(meta.stride.max(1)) {
                        each(meta.addr, datagram);
                    }
                }
                if count < BATCH {
                    return;
                }
            }
        });
    }

    fn receive_batch(&self, memory: &mut [u8], metas: &mut [RecvMeta; BATCH]) -> Option<usize> {
        let mut buffers = memory.chunks_mut(BUFFER).map(IoSliceMut::new);
        let mut buffers: [IoSliceMut<'_>; BATCH] =
            std::array::from_fn(|_| buffers.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
        let received = self.io.try_io(Interest::READABLE, || {
            self.state.recv(UdpSockRef::from(&self.io), &mut buffers, metas)
        });
        match received {
            Ok(count) => Some(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => {
                // Such as an ICMP message about an address that a candidate named.
                debug!(%error, "receiving failed");
                None
            }
        }
    }
}
