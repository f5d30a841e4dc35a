//! What a TURN server knows, and what it answers.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{net::UdpSocket, task::AbortHandle};

use super::{Relayed, TurnEvent, TurnMethod, TurnOptions, wire};
use wire::{Key, Message, Writing};

const REALM: &str = "testkit";

/// A datagram to be sent.
pub(super) enum Sending {
    ToClient(SocketAddr, Vec<u8>),
    ToPeer(Arc<UdpSocket>, SocketAddr, Vec<u8>),
}

#[derive(Debug)]
pub(super) struct State {
    options: TurnOptions,
    nonce: String,
    pub(super) silent: bool,
    pub(super) refusals: Vec<(TurnMethod, u16)>,
    pub(super) allocations: HashMap<SocketAddr, Allocation>,
    /// The socket of a new allocation, which nobody reads yet.
    pub(super) new_relay: Option<Arc<UdpSocket>>,
    /// At which requests nonces become stale.
    pub(super) expire_at: Vec<TurnMethod>,
    pub(super) events: Vec<TurnEvent>,
    pub(super) relayed: Relayed,
}

#[derive(Debug)]
pub(super) struct Allocation {
    relay: Arc<UdpSocket>,
    reader: Option<AbortHandle>,
    relayed: SocketAddr,
    username: String,
    key: Key,
    /// The answer to a request that is repeated is repeated.
    request: [u8; 12],
    expires: Instant,
    permissions: HashMap<IpAddr, Instant>,
    channels: HashMap<u16, (SocketAddr, Instant)>,
}

impl Drop for Allocation {
    fn drop(&mut self) {
        self.reader.iter().for_each(AbortHandle::abort);
    }
}

impl State {
    pub(super) fn new(options: TurnOptions) -> Self {
        let mut state = Self {
            options,
            nonce: String::new(),
            silent: false,
            refusals: Vec::new(),
            allocations: HashMap::new(),
            new_relay: None,
            expire_at: Vec::new(),
            events: Vec::new(),
            relayed: Relayed::default(),
        };
        state.renew_nonce();
        state
    }

    pub(super) fn renew_nonce(&mut self) {
        self.nonce = format!("nonce-{:016x}", fastrand::u64(..));
    }

    pub(super) fn set_credentials(&mut self, username: &str, password: &str) {
        username.clone_into(&mut self.options.username);
        password.clone_into(&mut self.options.password);
    }

    /// A task reads what comes to a client's address.
    pub(super) fn read_by(&mut self, client: SocketAddr, reader: AbortHandle) {
        if let Some(allocation) = self.allocations.get_mut(&client) {
            allocation.reader = Some(reader);
        }
    }

    pub(super) fn expire(&mut self) {
        let now = Instant::now();
        let events = &mut self.events;
        self.allocations.retain(|client, allocation| {
            if allocation.expires <= now {
                events.push(TurnEvent::Expired(*client));
            }
            allocation.expires > now
        });
        for allocation in self.allocations.values_mut() {
            allocation.permissions.retain(|_, expires| *expires > now);
            allocation.channels.retain(|_, (_, expires)| *expires > now);
        }
    }

    pub(super) fn hear_client(&mut self, client: SocketAddr, bytes: &[u8]) -> Option<Sending> {
        self.expire();
        if self.silent {
            self.events.push(TurnEvent::Ignored(client));
            return None;
        }
        if let [first @ 0x40..0x80, second, high, low, rest @ ..] = bytes {
            let number = u16::from_be_bytes([*first, *second]);
            let contents = rest.get(..usize::from(u16::from_be_bytes([*high, *low])))?;
            let allocation = self.allocations.get(&client)?;
            let Some((peer, _)) = allocation.channels.get(&number) else {
                self.relayed.dropped += 1;
                return None;
            };
            self.relayed.channels += 1;
            return Some(Sending::ToPeer(allocation.relay.clone(), *peer, contents.to_vec()));
        }
        let message = Message::read(bytes)?;
        let method = match message.kind {
            wire::BINDING => {
                let answer = Writing::new(wire::BINDING | wire::SUCCESS, message.id);
                let answer = answer.address(wire::XOR_MAPPED_ADDRESS, client);
                return Some(Sending::ToClient(client, answer.unsigned()));
            }
            wire::SEND_INDICATION => return self.indicated(client, &message),
            wire::ALLOCATE => TurnMethod::Allocate,
            wire::REFRESH => TurnMethod::Refresh,
            wire::CREATE_PERMISSION => TurnMethod::CreatePermission,
            wire::CHANNEL_BIND => TurnMethod::ChannelBind,
            _ => return None,
        };
        let answer = match self.authenticate(client, method, &message) {
            Err(refusal) => refusal.unsigned(),
            Ok(key) => match self.serve(client, method, &message, key) {
                Ok(answer) => answer.signed(&key),
                Err(code) => refusal(&message, code).signed(&key),
            },
        };
        Some(Sending::ToClient(client, answer))
    }

    /// Wraps what a peer has sent to a client's address.
    pub(super) fn hear_peer(
        &mut self,
        client: SocketAddr,
        peer: SocketAddr,
        bytes: &[u8],
    ) -> Option<Sending> {
        self.expire();
        let allocation = self.allocations.get(&client).filter(|_| !self.silent)?;
        if !allocation.permissions.contains_key(&peer.ip()) {
            self.relayed.dropped += 1;
            return None;
        }
        self.relayed.from_peers += 1;
        let channel = allocation.channels.iter().find(|(_, (bound, _))| *bound == peer);
        let wrapped = match channel {
            Some((number, _)) => {
                let length = u16::try_from(bytes.len()).ok()?;
                [&number.to_be_bytes()[..], &length.to_be_bytes(), bytes].concat()
            }
            None => {
                let id = std::array::from_fn(|_| fastrand::u8(..));
                Writing::new(wire::DATA_INDICATION, id)
                    .address(wire::XOR_PEER_ADDRESS, peer)
                    .put(wire::DATA, bytes)
                    .unsigned()
            }
        };
        Some(Sending::ToClient(client, wrapped))
    }

    fn indicated(&mut self, client: SocketAddr, message: &Message<'_>) -> Option<Sending> {
        let peer = *message.addresses(wire::XOR_PEER_ADDRESS).first()?;
        let contents = message.get(wire::DATA)?;
        let allocation = self.allocations.get(&client)?;
        if !allocation.permissions.contains_key(&peer.ip()) {
            self.relayed.dropped += 1;
            return None;
        }
        self.relayed.indications += 1;
        Some(Sending::ToPeer(allocation.relay.clone(), peer, contents.to_vec()))
    }

    /// Who asks: the key of their signature.
    fn authenticate(
        &mut self,
        client: SocketAddr,
        method: TurnMethod,
        message: &Message<'_>,
    ) -> Result<Key, Writing> {
        if let Some(index) = self.expire_at.iter().position(|one| *one == method) {
            self.expire_at.remove(index);
            self.renew_nonce();
        }
        let nonce_now = self.nonce.clone();
        let challenge = |code| {
            refusal(message, code)
                .put(wire::REALM, REALM.as_bytes())
                .put(wire::NONCE, nonce_now.as_bytes())
        };
        let (Some(username), Some(nonce)) =
            (message.text(wire::USERNAME), message.text(wire::NONCE))
        else {
            self.events.push(TurnEvent::Unauthorized(client, method));
            return Err(challenge(401));
        };
        // Who has an allocation is known by the credentials of then.
        let known = self.allocations.get(&client).filter(|one| one.username == username);
        let options = &self.options;
        let key = known.map_or_else(
            || wire::key(&options.username, REALM, &options.password),
            |known| known.key,
        );
        let is_user = known.is_some() || username == options.username;
        let is_realm = message.text(wire::REALM) == Some(REALM);
        if !is_user || !is_realm || !message.is_signed(&key) {
            self.events.push(TurnEvent::WrongCredentials(client, method));
            return Err(challenge(401));
        }
        if nonce != self.nonce {
            self.events.push(TurnEvent::StaleNonce(client, method));
            return Err(challenge(438));
        }
        Ok(key)
    }

    fn serve(
        &mut self,
        client: SocketAddr,
        method: TurnMethod,
        message: &Message<'_>,
        key: Key,
    ) -> Result<Writing, u16> {
        if let Some((_, code)) = self.refusals.iter().find(|(refused, _)| *refused == method) {
            self.events.push(TurnEvent::Refused(client, method, *code));
            return Err(*code);
        }
        let answer = Writing::new(message.kind | wire::SUCCESS, message.id);
        match method {
            TurnMethod::Allocate => self.allocate(client, message, key, answer),
            TurnMethod::Refresh => self.refresh(client, message, answer),
            TurnMethod::CreatePermission => {
                let peers = message.addresses(wire::XOR_PEER_ADDRESS);
                if peers.is_empty() {
                    return Err(400);
                }
                self.permit(client, &peers)?;
                self.events.push(TurnEvent::Permitted(client));
                Ok(answer)
            }
            TurnMethod::ChannelBind => self.bind(client, message, answer),
        }
    }

    fn allocate(
        &mut self,
        client: SocketAddr,
        message: &Message<'_>,
        key: Key,
        answer: Writing,
    ) -> Result<Writing, u16> {
        if message.get(wire::REQUESTED_TRANSPORT) != Some(&[17, 0, 0, 0]) {
            return Err(442);
        }
        let lifetime = self.options.lifetime;
        let repeated = |one: &Allocation| one.request == message.id;
        if self.allocations.get(&client).is_some_and(|one| !repeated(one)) {
            return Err(437);
        }
        if !self.allocations.contains_key(&client) {
            let relay = socket().map_err(|_| 508_u16)?;
            let relayed = relay.local_addr().map_err(|_| 508_u16)?;
            let relay = Arc::new(relay);
            self.new_relay = Some(relay.clone());
            let username = message.text(wire::USERNAME).unwrap_or_default().to_owned();
            let allocation = Allocation {
                relay,
                reader: None,
                relayed,
                username,
                key,
                request: message.id,
                expires: Instant::now() + lifetime,
                permissions: HashMap::new(),
                channels: HashMap::new(),
            };
            self.allocations.insert(client, allocation);
            self.events.push(TurnEvent::Allocated(client));
        }
        let allocation = self.allocations.get(&client).ok_or(508_u16)?;
        Ok(answer
            .address(wire::XOR_RELAYED_ADDRESS, allocation.relayed)
            .address(wire::XOR_MAPPED_ADDRESS, client)
            .put(wire::LIFETIME, &seconds(lifetime).to_be_bytes()))
    }

    fn refresh(
        &mut self,
        client: SocketAddr,
        message: &Message<'_>,
        answer: Writing,
    ) -> Result<Writing, u16> {
        let allocation = self.allocations.get_mut(&client).ok_or(437_u16)?;
        if message.number(wire::LIFETIME) == Some(0) {
            self.allocations.remove(&client);
            self.events.push(TurnEvent::Released(client));
            return Ok(answer.put(wire::LIFETIME, &[0; 4]));
        }
        allocation.expires = Instant::now() + self.options.lifetime;
        self.events.push(TurnEvent::Refreshed(client));
        Ok(answer.put(wire::LIFETIME, &seconds(self.options.lifetime).to_be_bytes()))
    }

    fn permit(&mut self, client: SocketAddr, peers: &[SocketAddr]) -> Result<(), u16> {
        let expires = Instant::now() + self.options.permission_lifetime;
        let allocation = self.allocations.get_mut(&client).ok_or(437_u16)?;
        for peer in peers {
            allocation.permissions.insert(peer.ip(), expires);
        }
        Ok(())
    }

    fn bind(
        &mut self,
        client: SocketAddr,
        message: &Message<'_>,
        answer: Writing,
    ) -> Result<Writing, u16> {
        let peer = *message.addresses(wire::XOR_PEER_ADDRESS).first().ok_or(400_u16)?;
        let number = (message.number(wire::CHANNEL_NUMBER).ok_or(400_u16)? >> 16) as u16;
        let expires = Instant::now() + self.options.permission_lifetime;
        let allocation = self.allocations.get_mut(&client).ok_or(437_u16)?;
        let clashes = allocation
            .channels
            .iter()
            .any(|(known, (bound, _))| (*known == number) != (*bound == peer));
        if clashes || !(0x4000..0x5000).contains(&number) {
            return Err(400);
        }
        allocation.channels.insert(number, (peer, expires));
        self.permit(client, &[peer])?;
        self.events.push(TurnEvent::Bound(client));
        Ok(answer)
    }
}

fn refusal(message: &Message<'_>, code: u16) -> Writing {
    Writing::new(message.kind | wire::ERROR, message.id).error(code)
}

/// With as much room as the system gives: whoever calls sends faster than one thread relays.
pub(super) fn socket() -> std::io::Result<UdpSocket> {
    const ROOM: usize = 4 * 1024 * 1024;
    let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    let options = socket2::SockRef::from(&socket);
    options.set_recv_buffer_size(ROOM)?;
    options.set_send_buffer_size(ROOM)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

fn seconds(lifetime: Duration) -> u32 {
    u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX)
}
