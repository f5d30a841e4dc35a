//! The engine's window on tokio: one `Runtime` a connection, which gives its driver sleep, time and
//! sockets, and through which we see the driver go round.

use std::{
    cell::Cell,
    future::Future,
    io::{self, IoSliceMut},
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use tracing::debug;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime,
    TokioRuntime, Transmit,
};

use crate::{ledger::Ledger, pace::Pace, pulse::Pulse};

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A round that waits for so long is one in which nothing happens.
const REST: Duration = Duration::from_millis(50);

/// What is told when a connection's driver has ended, for whatever reason.
pub(crate) trait DriverWatch: Send + Sync {
    fn driver_ended(&self);

    /// The driver has nothing to do for a while.
    fn driver_rests(&self);
}

/// Sizes of the UDP sockets' kernel buffers, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SocketBuffers {
    pub(crate) receive: usize,
    pub(crate) send: usize,
}

pub(crate) struct EngineRuntime {
    pulse: Arc<Pulse>,
    ledger: Arc<Ledger>,
    buffers: SocketBuffers,
    watch: Weak<dyn DriverWatch>,
    /// The first task that the engine spawns is the driver.
    driver_spawned: AtomicBool,
}

impl EngineRuntime {
    pub(crate) fn new(
        pulse: Arc<Pulse>,
        ledger: Arc<Ledger>,
        buffers: SocketBuffers,
        watch: Weak<dyn DriverWatch>,
    ) -> Self {
        Self { pulse, ledger, buffers, watch, driver_spawned: AtomicBool::new(false) }
    }
}

impl std::fmt::Debug for EngineRuntime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EngineRuntime")
    }
}

impl Runtime for EngineRuntime {
    fn spawn(&self, future: BoxFuture<'static, ()>) -> Box<dyn JoinHandle> {
        if self.driver_spawned.swap(true, Ordering::Relaxed) {
            return TokioRuntime.spawn(future);
        }
        TokioRuntime.spawn(Box::pin(Driver {
            future,
            id: driver_id(&self.pulse),
            watch: self.watch.clone(),
        }))
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        // The kernel caps the sizes silently (`net.core.rmem_max`); a refusal is no reason not to call.
        let options = socket2::SockRef::from(&socket);
        if let Err(error) = options
            .set_recv_buffer_size(self.buffers.receive)
            .and_then(|()| options.set_send_buffer_size(self.buffers.send))
        {
            debug!(%error, "cannot enlarge the buffers of a UDP socket");
        }
        let inner = TokioRuntime.wrap_udp_socket(socket)?;
        Ok(Arc::new(Socket { inner, pulse: self.pulse.clone(), pace: Mutex::new(Pace::new()) }))
    }

    fn wrap_tcp_listener(
        &self,
        listener: std::net::TcpListener,
    ) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(
        &'a self,
        remote: SocketAddr,
    ) -> BoxFuture<'a, io::Result<Arc<dyn AsyncTcpStream>>> {
        TokioRuntime::connect_tcp(&TokioRuntime, remote)
    }

    fn resolve_host<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        TokioRuntime::resolve_host(&TokioRuntime, host)
    }

    fn now(&self) -> Instant {
        self.pulse.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        if POLLING.get() != driver_id(&self.pulse) {
            return TokioRuntime.sleep(duration);
        }
        self.pulse.round_done();
        // The driver sleeps once a round, after it has applied what came in: the moment to settle
        // accounts.
        let mut duration = self.pulse.allow(duration);
        let look = self.ledger.settle_accounts();
        if let Some(sooner) = look.again {
            duration = duration.min(sooner);
        }
        if self.pulse.catch_up(look) {
            duration = Duration::ZERO;
        }
        if duration >= REST
            && let Some(watch) = self.watch.upgrade()
        {
            watch.driver_rests();
        }
        Box::pin(DriverSleep {
            sleep: Box::pin(tokio::time::sleep(duration)),
            pulse: self.pulse.clone(),
        })
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }

    fn yield_now(&self) -> BoxFuture<'static, ()> {
        TokioRuntime.yield_now()
    }

    fn name(&self) -> &'static str {
        "skapi-rtc"
    }
}

thread_local! {
    /// The driver that this thread is polling, or 0: only the driver's own sleep follows the pulse.
    static POLLING: Cell<usize> = const { Cell::new(0) };
}

fn driver_id(pulse: &Arc<Pulse>) -> usize {
    Arc::as_ptr(pulse) as usize
}

/// The driver's future, marked as such while it is polled, and reported when it ends or is aborted.
struct Driver {
    future: BoxFuture<'static, ()>,
    id: usize,
    watch: Weak<dyn DriverWatch>,
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        struct Restore(usize);
        impl Drop for Restore {
            fn drop(&mut self) {
                POLLING.set(self.0);
            }
        }
        let _restore = Restore(POLLING.replace(self.id));
        self.future.as_mut().poll(cx)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(watch) = self.watch.upgrade() {
            watch.driver_ended();
        }
    }
}

struct DriverSleep {
    sleep: Pin<Box<tokio::time::Sleep>>,
    pulse: Arc<Pulse>,
}

impl Future for DriverSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.pulse.poll_nudged(cx).is_ready() {
            return Poll::Ready(());
        }
        ready!(self.sleep.as_mut().poll(cx));
        self.pulse.received();
        Poll::Ready(())
    }
}

/// However many datagrams are coalesced, together they are one to the kernel, whose length has 16 bits.
const LARGEST_COALESCED: usize = u16::MAX as usize;

/// A UDP socket that tells the pulse what comes in, and sends with care where that is due.
struct Socket {
    inner: Arc<dyn AsyncUdpSocket>,
    pulse: Arc<Pulse>,
    pace: Mutex<Pace>,
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl AsyncUdpSocket for Socket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        ready!(pace.poll(cx));
        let sent = ready!(self.inner.poll_send(cx, transmit));
        if let Ok(bytes) = sent {
            pace.sent(bytes, transmit.segment_size.unwrap_or(bytes));
        }
        Poll::Ready(sent)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        if self.pulse.is_silent() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let received = ready!(self.inner.poll_recv(cx, buffers, meta));
        self.pulse.catch_up.heard(Instant::now());
        if self.pulse.is_hurrying()
            && let Ok(count) = received
        {
            self.pulse.received();
            let mut packets = buffers.iter().zip(meta.iter()).take(count);
            if packets.any(|(buffer, meta)| holds_binding_success(buffer, meta)) {
                self.pulse.answered();
            }
        }
        Poll::Ready(received)
    }

    fn max_gso_segments(&self) -> usize {
        self.inner.max_gso_segments()
    }

    /// The engine takes 1,500 bytes a segment for its buffers, of which each connection has two.
    fn max_gro_segments(&self) -> usize {
        self.inner.max_gro_segments().min(LARGEST_COALESCED.div_ceil(1500))
    }
}

/// Whether one of the coalesced datagrams is a STUN Binding success response (RFC 8489 §5).
fn holds_binding_success(buffer: &[u8], meta: &RecvMeta) -> bool {
    const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
    const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
    let received = &buffer[..meta.len.min(buffer.len())];
    received.chunks(meta.stride.max(1)).any(|datagram| {
        datagram.starts_with(&BINDING_SUCCESS) && datagram.get(4..8) == Some(&MAGIC_COOKIE[..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(len: usize, stride: usize) -> RecvMeta {
        let mut meta = RecvMeta::default();
        meta.len = len;
        meta.stride = stride;
        meta
    }

    #[test]
    fn a_binding_success_is_recognised_alone_and_among_coalesced_datagrams() {
        let success = [0x01, 0x01, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        let request = [0x00, 0x01, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        assert!(holds_binding_success(&success, &meta(8, 8)));
        assert!(!holds_binding_success(&request, &meta(8, 8)));
        assert!(!holds_binding_success(&success, &meta(4, 4)), "cut off");
        let both = [request, success].concat();
        assert!(holds_binding_success(&both, &meta(16, 8)));
        assert!(!holds_binding_success(&both, &meta(8, 8)), "the second one is not part of it");
        assert!(!holds_binding_success(&[], &meta(0, 0)));
    }
}
