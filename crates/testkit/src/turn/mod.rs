//! A TURN server on loopback (RFC 8656) that does as a test says: it checks long-term credentials, relays over UDP, and
//! can be silent, refuse, or forget.

mod front;
mod state;
mod wire;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tokio::{
    net::UdpSocket,
    runtime::{Builder, Runtime},
    sync::{Notify, oneshot},
    task::JoinSet,
    time::timeout,
};

pub use self::front::TurnFront;
use self::state::{Sending, State};

/// How often a server looks whose time is over when nothing else happens.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct TurnOptions {
    /// Who may use it. Default: `user`.
    pub username: String,
    /// Default: `secret`.
    pub password: String,
    /// How long an allocation lasts. Default: 10 minutes.
    pub lifetime: Duration,
    /// How long a permission lasts, and a channel. Default: 5 minutes.
    pub permission_lifetime: Duration,
}

impl Default for TurnOptions {
    fn default() -> Self {
        Self {
            username: "user".to_owned(),
            password: "secret".to_owned(),
            lifetime: Duration::from_secs(600),
            permission_lifetime: Duration::from_secs(300),
        }
    }
}

/// What can be asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnMethod {
    /// An address that relays.
    Allocate,
    /// That it stays, or goes.
    Refresh,
    /// That a peer may send.
    CreatePermission,
    /// That a number stands for a peer.
    ChannelBind,
}

/// What has happened at the server, with the client's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnEvent {
    /// A request came while it was silent.
    Ignored(SocketAddr),
    /// A request without credentials was turned away (401).
    Unauthorized(SocketAddr, TurnMethod),
    /// A request with the wrong ones was (401).
    WrongCredentials(SocketAddr, TurnMethod),
    /// A request with an old nonce was (438).
    StaleNonce(SocketAddr, TurnMethod),
    /// A request was refused with this code, as the test wanted.
    Refused(SocketAddr, TurnMethod, u16),
    /// A client has an address.
    Allocated(SocketAddr),
    /// It keeps it.
    Refreshed(SocketAddr),
    /// It gave it back.
    Released(SocketAddr),
    /// It did not keep it.
    Expired(SocketAddr),
    /// A peer may send to it, for the first time or on.
    Permitted(SocketAddr),
    /// It has a channel, for the first time or on.
    Bound(SocketAddr),
}

/// What went through the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Relayed {
    /// Datagrams to peers in Send indications.
    pub indications: u64,
    /// Datagrams to peers over channels.
    pub channels: u64,
    /// Datagrams from peers.
    pub from_peers: u64,
    /// Datagrams that nobody had permitted.
    pub dropped: u64,
}

/// A TURN server, on a thread of its own. It ends when this is dropped.
#[derive(Debug)]
pub struct TurnServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    _alive: oneshot::Sender<()>,
}

#[derive(Debug)]
struct Shared {
    socket: UdpSocket,
    state: Mutex<State>,
    happened: Notify,
}

impl TurnServer {
    /// Starts a server at a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Fails when the system gives no socket or thread.
    pub fn start(options: TurnOptions) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let socket = {
            let _entered = runtime.enter();
            state::socket()?
        };
        let address = socket.local_addr()?;
        let state = Mutex::new(State::new(options));
        let shared = Arc::new(Shared { socket, state, happened: Notify::new() });
        let (alive, ended) = oneshot::channel();
        let serving = shared.clone();
        thread::Builder::new().name("turn".to_owned()).spawn(move || {
            run(&runtime, serving, ended);
        })?;
        Ok(Self { address, shared, _alive: alive })
    }

    /// `turn:` with its address.
    pub fn url(&self) -> String {
        format!("turn:{}", self.address)
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers nothing, and relays nothing, or does again.
    pub fn set_silent(&self, silent: bool) {
        self.shared.state().silent = silent;
    }

    /// Answers requests of this kind with an error, until told not to.
    pub fn refuse(&self, method: TurnMethod, code: Option<u16>) {
        let mut state = self.shared.state();
        state.refusals.retain(|(refused, _)| *refused != method);
        state.refusals.extend(code.map(|code| (method, code)));
    }

    /// Takes no nonce that it has given so far.
    pub fn expire_nonces(&self) {
        self.shared.state().renew_nonce();
    }

    /// The same, when the next request of this kind comes.
    pub fn expire_nonces_at(&self, method: TurnMethod) {
        self.shared.state().expire_at.push(method);
    }

    /// Knows nothing of its clients any more, as when it is started anew.
    pub fn forget(&self) {
        self.shared.state().allocations.clear();
    }

    /// Takes other credentials from now on; those who are in stay in.
    pub fn set_credentials(&self, username: &str, password: &str) {
        self.shared.state().set_credentials(username, password);
    }

    /// What has happened so far.
    pub fn events(&self) -> Vec<TurnEvent> {
        self.shared.state().events.clone()
    }

    /// What went through.
    pub fn relayed(&self) -> Relayed {
        self.shared.state().relayed
    }

    /// Addresses that are in use.
    pub fn allocations(&self) -> usize {
        let mut state = self.shared.state();
        state.expire();
        state.allocations.len()
    }

    /// Waits until what has happened is enough.
    pub async fn until(&self, mut enough: impl FnMut(&[TurnEvent]) -> bool) {
        loop {
            let happened = self.shared.happened.notified();
            tokio::pin!(happened);
            happened.as_mut().enable();
            if enough(&self.shared.state().events) {
                return;
            }
            happened.await;
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A full buffer loses a datagram, as on any network.
    fn send(&self, sending: Sending) {
        let sent = match sending {
            Sending::ToClient(client, bytes) => self.socket.try_send_to(&bytes, client),
            Sending::ToPeer(relay, peer, bytes) => relay.try_send_to(&bytes, peer),
        };
        drop(sent);
    }
}

fn run(runtime: &Runtime, shared: Arc<Shared>, ended: oneshot::Receiver<()>) {
    runtime.block_on(async {
        tokio::select! {
            () = serve(shared) => {}
            _ = ended => {}
        }
    });
}

async fn serve(shared: Arc<Shared>) {
    let mut relays = JoinSet::new();
    let mut buffer = vec![0; 65_536];
    loop {
        while relays.try_join_next().is_some() {}
        let heard = timeout(LOOK_EVERY, shared.socket.recv_from(&mut buffer)).await;
        let (news, sending) = {
            let mut state = shared.state();
            let known = state.events.len();
            state.expire();
            let sending = match heard {
                Ok(Ok((length, client))) => {
                    let sending = state.hear_client(client, &buffer[..length]);
                    if let Some(relay) = state.new_relay.take() {
                        let reader = relays.spawn(relay_to(shared.clone(), client, relay));
                        state.read_by(client, reader);
                    }
                    sending
                }
                // Nobody says anything, or a client has gone.
                Ok(Err(_)) | Err(_) => None,
            };
            (state.events.len() > known, sending)
        };
        sending.into_iter().for_each(|sending| shared.send(sending));
        if news {
            shared.happened.notify_waiters();
        }
    }
}

/// Carries what peers send to a relayed address, as long as that is its client's.
async fn relay_to(shared: Arc<Shared>, client: SocketAddr, relay: Arc<UdpSocket>) {
    let mut buffer = vec![0; 65_536];
    loop {
        let Ok((length, peer)) = relay.recv_from(&mut buffer).await else { continue };
        let sending = {
            let mut state = shared.state();
            state.hear_peer(client, peer, &buffer[..length])
        };
        sending.into_iter().for_each(|sending| shared.send(sending));
    }
}
