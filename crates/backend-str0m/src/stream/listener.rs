//! Where peers connect to (RFC 6544 §4.1, "passive"). Whoever does is a stranger until it has sent a connectivity check
//! that names a user of ours.

use std::{io, net::SocketAddr, time::Duration};

use str0m::net::Protocol;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};
use tracing::{debug, trace};

use super::framing;
use crate::{path::Path, stun};

/// Strangers at a time; more wait in the system's queue.
const MAX_STRANGERS: usize = 256;
/// How long a stranger has to say whom it wants.
const INTRODUCTION: Duration = Duration::from_secs(5);
/// How long to wait where the system refuses to accept: it has no more file descriptors, most likely.
const PAUSE: Duration = Duration::from_millis(100);

/// A stream whose first datagram was a check for somebody here.
pub(crate) struct Introduced {
    pub(super) io: TcpStream,
    pub(super) path: Path,
    /// That check.
    pub(super) first: Vec<u8>,
}

/// Listens until it is dropped.
pub(crate) struct Listener {
    local: SocketAddr,
    task: AbortHandle,
}

impl Listener {
    /// Listens on an address, and gives each stream with the ICE user that it is for.
    pub(crate) fn open(
        address: SocketAddr,
        introduce: impl Fn(&str, Introduced) + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let local = listener.local_addr()?;
        let task = tokio::spawn(listen(listener, local, introduce)).abort_handle();
        Ok(Self { local, task })
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(
    listener: TcpListener,
    local: SocketAddr,
    introduce: impl Fn(&str, Introduced) + Clone + Send + 'static,
) {
    let mut strangers = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if strangers.len() < MAX_STRANGERS => match accepted {
                Ok((io, remote)) => {
                    let path = Path { protocol: Protocol::Tcp, local, remote };
                    drop(strangers.spawn(meet(io, path, introduce.clone())));
                }
                Err(error) => {
                    debug!(%error, "a stream was not accepted");
                    sleep(PAUSE).await;
                }
            },
            Some(_) = strangers.join_next() => {}
        }
    }
}

async fn meet(mut io: TcpStream, path: Path, introduce: impl Fn(&str, Introduced)) {
    let mut first = Vec::new();
    match timeout(INTRODUCTION, framing::read(&mut io, &mut first)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return trace!(%error, remote = %path.remote, "a stranger has gone"),
        Err(_) => return trace!(remote = %path.remote, "a stranger said nothing"),
    }
    let Some(user) = stun::checked_user(&first) else {
        return trace!(remote = %path.remote, "a stranger sent no connectivity check");
    };
    introduce(&user, Introduced { io, path, first });
}
