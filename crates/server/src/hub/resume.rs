//! Connections that outlive their socket: the window in which a client may come back, and what is kept
//! for it meanwhile.
//!
//! ```text
//!                        lose, of a client that can come back
//!            Attached ──────────────────────────────────────▶ Parked
//!               ▲                                              │  │
//!               │ resume, when nothing is lost                 │  │ the window is over, or what
//!               └──────────────────────────────────────────────┘  │ arrives in it does not fit
//!                                                                 ▼
//!   disconnect; resume, when something is lost ───────────────▶ (gone: the group is told)
//! ```

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use bytes::Bytes;
use skapi_rtc_protocol::{ConnectionId, ErrorCode, LinkState, RequestRef, Resumed, UserId};

use super::{ConnectError, Delivery, Hub, recipients, retained::Retained};

/// What is kept for clients that may come back.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ResumeLimits {
    /// How long a connection stays without a socket. Zero: nobody can be resumed. Default: 30 s.
    pub window: Duration,
    /// Frames kept for one client until it says that it has them. Default: 512.
    pub frames: usize,
    /// The same in bytes. Default: 1 MiB.
    pub bytes: usize,
}

impl Default for ResumeLimits {
    fn default() -> Self {
        Self { window: Duration::from_secs(30), frames: 512, bytes: 1024 * 1024 }
    }
}

/// A connection was taken up on another socket.
#[derive(Debug)]
#[non_exhaustive]
pub struct Resumption {
    /// Where the two sides stand.
    pub resumed: Resumed,
    /// The frames that the client has missed, in order.
    pub missed: Vec<Bytes>,
    /// What others are told, when something was lost.
    pub deliveries: Vec<Delivery>,
}

/// Every connection that can be resumed.
#[derive(Debug, Default)]
pub(super) struct Resumable {
    connections: HashMap<ConnectionId, Kept>,
    /// The life that began last.
    last_life: u64,
    /// The windows, by their ends.
    windows: BTreeSet<(Instant, ConnectionId)>,
}

/// What is known of one of them, besides its presence.
#[derive(Debug, Default)]
struct Kept {
    /// Which of the lives under its id: a client that has missed the beginning of one must not go on in it.
    life: u64,
    retained: Retained,
    /// How many frames of the client were taken.
    taken: u64,
    parked: Option<Parked>,
}

#[derive(Debug, Clone, Copy)]
struct Parked {
    since: Instant,
    until: Instant,
    /// The last frame that may have been written to the socket.
    last_written: u64,
    bytes_since: usize,
}

impl Parked {
    /// Whether there is room for one more frame, beside the others that were never written. When there
    /// was none once, there is none any more.
    fn takes(&mut self, frame: &Bytes, last: u64, limits: &ResumeLimits) -> bool {
        self.bytes_since += frame.len();
        last - self.last_written < limits.frames as u64 && self.bytes_since <= limits.bytes
    }

    /// Something was lost, so the window is over.
    fn end(&mut self) {
        self.until = self.since;
    }

    fn is_over(self) -> bool {
        self.until == self.since
    }
}

impl Hub {
    /// Takes a connection in that can be [resumed](Self::resume).
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_resumable(
        &mut self,
        cid: ConnectionId,
        user: UserId,
    ) -> Result<(), ConnectError> {
        self.connect(cid.clone(), user)?;
        self.resumable.last_life = self.resumable.last_life.wrapping_add(1);
        let life = self.resumable.last_life;
        self.resumable.connections.insert(cid, Kept { life, ..Kept::default() });
        Ok(())
    }

    /// Counts the lives of connections from a number on; a random one tells them from those of a hub that
    /// was there before.
    #[must_use]
    pub fn lives_from(mut self, life: u64) -> Self {
        self.resumable.last_life = life;
        self
    }

    /// In which life a connection is that can be [resumed](Self::resume). Its client has to say so when it
    /// comes back.
    pub fn life(&self, cid: &ConnectionId) -> Option<u64> {
        self.resumable.connections.get(cid).map(|kept| kept.life)
    }

    /// A client comes back under an id that is known to be its own, having received so many frames in that
    /// [life](Self::life) of the connection.
    /// Whether its old socket is known to be lost does not matter.
    ///
    /// # Errors
    /// When the hub does not have the connection any more, as [`connect`](Self::connect), with nothing
    /// changed; and when the id is that of a connection that cannot be resumed.
    pub fn resume(
        &mut self,
        cid: &ConnectionId,
        user: &UserId,
        life: u64,
        received: u64,
    ) -> Result<Resumption, ConnectError> {
        let own = self.presence.get(cid).is_none_or(|connection| connection.user == *user);
        if !own {
            return Err(ConnectError::IdTaken);
        }
        let was_parked = self.resumable.is_parked(cid);
        let back = if was_parked { self.tell_peers(cid, LinkState::Back) } else { Vec::new() };
        if let Some(kept) = self.resumable.connections.get_mut(cid)
            && kept.life == life
            && !kept.parked.is_some_and(Parked::is_over)
            && let Some(missed) = kept.retained.after(received)
        {
            let resumed = Resumed { received: kept.taken, complete: true };
            kept.retained.acknowledge(received);
            self.resumable.unpark(cid);
            return Ok(Resumption { resumed, missed, deliveries: back });
        }
        if self.presence.get(cid).is_some() && !self.resumable.connections.contains_key(cid) {
            return Err(ConnectError::IdTaken);
        }
        // To its peers it is not gone.
        let mut deliveries: Vec<_> = self.leave(cid).into_iter().collect();
        self.connect_resumable(cid.clone(), user.clone())?;
        deliveries.extend(back);
        let resumed = Resumed { received: 0, complete: false };
        Ok(Resumption { resumed, missed: Vec::new(), deliveries })
    }

    /// The socket of a connection is gone, and its client has not said goodbye. One that can be resumed
    /// stays for a while, and its peers are told that it has no socket.
    pub fn lose(&mut self, now: Instant, cid: &ConnectionId) -> Vec<Delivery> {
        let window = self.limits.resume.window;
        if window.is_zero() || !self.resumable.park(cid, now, now + window) {
            return self.disconnect(cid);
        }
        self.tell_peers(cid, LinkState::Lost)
    }

    /// Ends the windows that are over.
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        while let Some(cid) = self.resumable.overdue(now) {
            deliveries.extend(self.disconnect(&cid));
        }
        deliveries
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn next_deadline(&self) -> Option<Instant> {
        self.resumable.windows.first().map(|(until, _)| *until)
    }

    /// How many connections are without a socket now.
    pub fn parked_count(&self) -> usize {
        self.resumable.windows.len()
    }

    /// A frame of a client was refused before it came to be [handled](Self::handle_frame). With a `text`
    /// the client is told.
    pub fn refuse_frame(
        &mut self,
        from: &ConnectionId,
        told: Option<(ErrorCode, String)>,
        reference: Option<RequestRef>,
    ) -> Option<Delivery> {
        self.resumable.count(from);
        told.map(|(code, text)| Delivery::error(from.clone(), code, text, reference))
    }

    /// Carries a delivery out: `send` is given each connection at its address that has a socket, and says
    /// whether that took the frame. For those that can be resumed the frame is kept as well.
    ///
    /// Returns how many connections took the delivery, or will when they come back.
    pub fn deliver(
        &mut self,
        delivery: &Delivery,
        mut send: impl FnMut(&ConnectionId, &Bytes) -> bool,
    ) -> usize {
        let Self { presence, resumable, limits, .. } = self;
        let Resumable { connections, windows, .. } = resumable;
        let mut reached = 0;
        for cid in recipients(presence, &delivery.to) {
            let Some(kept) = connections.get_mut(cid) else {
                reached += usize::from(send(cid, &delivery.frame));
                continue;
            };
            let fits = kept.parked.as_mut().is_none_or(|parked| {
                let fits = parked.takes(&delivery.frame, kept.retained.last(), &limits.resume);
                if !fits {
                    windows.remove(&(parked.until, cid.clone()));
                    parked.end();
                    windows.insert((parked.until, cid.clone()));
                }
                fits
            });
            if fits {
                kept.retained.push(delivery.frame.clone(), &limits.resume);
                reached += 1;
            }
            if kept.parked.is_none() {
                send(cid, &delivery.frame);
            }
        }
        reached
    }
}

impl Resumable {
    /// A frame of this client was taken.
    pub(super) fn count(&mut self, cid: &ConnectionId) {
        if let Some(kept) = self.connections.get_mut(cid) {
            kept.taken += 1;
        }
    }

    /// The client has received so many frames.
    pub(super) fn acknowledge(&mut self, cid: &ConnectionId, received: u64) {
        if let Some(kept) = self.connections.get_mut(cid) {
            kept.retained.acknowledge(received);
        }
    }

    pub(super) fn contains(&self, cid: &ConnectionId) -> bool {
        self.connections.contains_key(cid)
    }

    /// Whether it is without a socket now.
    pub(super) fn is_parked(&self, cid: &ConnectionId) -> bool {
        self.connections.get(cid).is_some_and(|kept| kept.parked.is_some())
    }

    pub(super) fn remove(&mut self, cid: &ConnectionId) {
        self.unpark(cid);
        self.connections.remove(cid);
    }

    /// False if there is no such connection.
    fn park(&mut self, cid: &ConnectionId, since: Instant, until: Instant) -> bool {
        let Some(kept) = self.connections.get_mut(cid) else {
            return false;
        };
        if kept.parked.is_none() {
            let last_written = kept.retained.last();
            kept.parked = Some(Parked { since, until, last_written, bytes_since: 0 });
            self.windows.insert((until, cid.clone()));
        }
        true
    }

    fn unpark(&mut self, cid: &ConnectionId) {
        let parked = self.connections.get_mut(cid).and_then(|kept| kept.parked.take());
        if let Some(parked) = parked {
            self.windows.remove(&(parked.until, cid.clone()));
        }
    }

    fn overdue(&self, now: Instant) -> Option<ConnectionId> {
        let (until, cid) = self.windows.first()?;
        (*until <= now).then(|| cid.clone())
    }
}
