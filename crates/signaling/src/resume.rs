//! Coming back as the same connection: the secret, and what the service and we have had of each other.
//!
//! Each side counts what it has received since the connection id's life began. What we have sent and the
//! service is not known to have taken is kept, and sent again on the next socket. The rules are in
//! `docs/protocol.md`, under "Resuming a connection".

use std::{collections::VecDeque, fmt};

use skapi_rtc_protocol::{ClientFrame, Ready, RequestRef};

/// Frames kept until the service is known to have taken them. Beyond, the oldest is forgotten: it may be
/// lost should the link break just now.
const MAX_KEPT: usize = 256;

/// After so many frames that ask for no answer one asks, so that we learn what the service has taken.
const ASK_EVERY: usize = 32;

/// The number by which such a frame asks. Answers come in order, so it need not tell them apart.
const ASKS: RequestRef = RequestRef::MAX;

/// After so many frames of the service it is told how far we are, so that it need not keep them.
const TELL_EVERY: u64 = 128;

/// What a new socket needs to take a lost connection up again.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Resumption {
    /// The secret that the service gave for the connection; `None` for a new one. On the wire `resume`,
    /// empty for a new one, which says that we can be resumed.
    pub secret: Option<String>,
    /// How many frames of the service we have received on the connection.
    pub received: u64,
}

impl fmt::Debug for Resumption {
    /// Leaves the secret out: outputs end up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = self.secret.as_ref().map(|_| "<hidden>");
        f.debug_struct("Resumption")
            .field("secret", &secret)
            .field("received", &self.received)
            .finish()
    }
}

/// What a new socket turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Continuity {
    /// The same connection, and nothing is lost.
    Seamless,
    /// The same id or a new one; what was under way may be lost.
    Broken,
}

#[derive(Debug, Default)]
pub(crate) struct Resume {
    secret: Option<String>,
    received: u64,
    told: u64,
    kept: VecDeque<ClientFrame>,
    /// The number of the last frame in `kept`.
    sent: u64,
}

impl Resume {
    pub(crate) fn resumption(&self) -> Resumption {
        let received = if self.is_possible() { self.received } else { 0 };
        Resumption { secret: self.secret.clone(), received }
    }

    /// There is a connection that can be taken up again.
    pub(crate) fn is_possible(&self) -> bool {
        self.secret.is_some()
    }

    /// The connection is over: the next one is new.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// A frame of the service has come, whatever it says, unless it is the greeting. True if the service
    /// should be told how far we are.
    pub(crate) fn on_received(&mut self) -> bool {
        self.received += 1;
        self.is_possible() && self.received - self.told >= TELL_EVERY
    }

    /// How far we are, for a keep-alive to tell.
    pub(crate) fn tell(&mut self) -> Option<u64> {
        self.told = self.received;
        self.is_possible().then_some(self.received)
    }

    /// A socket is open. Without a secret a new connection begins with it, greeted or not.
    pub(crate) fn on_socket(&mut self) {
        if !self.is_possible() {
            self.count_from_zero();
        }
    }

    /// A frame goes out: counts and keeps it.
    pub(crate) fn on_sent(&mut self, frame: &mut ClientFrame) {
        if matches!(frame, ClientFrame::KeepAlive { .. }) {
            return;
        }
        self.sent += 1;
        if !self.is_possible() {
            return;
        }
        let silent = self.kept.iter().rev().take_while(|kept| reference(kept).is_none());
        if silent.count() >= ASK_EVERY
            && let ClientFrame::Rtc { reference, .. } = frame
        {
            reference.get_or_insert(ASKS);
        }
        if self.kept.len() == MAX_KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(frame.clone());
    }

    /// The service has answered a frame, so it has taken this one and all before.
    pub(crate) fn on_answered(&mut self, answered: RequestRef) {
        if let Some(at) = self.kept.iter().position(|kept| reference(kept) == Some(answered)) {
            self.kept.drain(..=at);
        }
    }

    /// The service has greeted on a new socket.
    pub(crate) fn on_ready(&mut self, ready: &Ready) -> Continuity {
        let before = std::mem::replace(&mut self.secret, ready.resume.clone());
        match ready.resumed {
            Some(resumed) if resumed.complete && before.is_some() => {
                let first = self.sent - self.kept.len() as u64;
                let taken = usize::try_from(resumed.received.saturating_sub(first));
                let taken = taken.map_or(self.kept.len(), |taken| taken.min(self.kept.len()));
                self.kept.drain(..taken);
                self.sent = resumed.received + self.kept.len() as u64;
                Continuity::Seamless
            }
            _ => {
                self.count_from_zero();
                Continuity::Broken
            }
        }
    }

    /// A greeting that comes so late that we have gone on without: we have counted from the beginning.
    pub(crate) fn on_late_ready(&mut self, ready: &Ready) {
        self.secret = ready.resume.clone();
    }

    /// What the service has not taken, in order.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &ClientFrame> {
        self.kept.iter()
    }

    fn count_from_zero(&mut self) {
        (self.received, self.told, self.sent) = (0, 0, 0);
        self.kept.clear();
    }
}

fn reference(frame: &ClientFrame) -> Option<RequestRef> {
    match frame {
        ClientFrame::JoinRoom { reference, .. } | ClientFrame::Rtc { reference, .. } => *reference,
        ClientFrame::Broadcast { message, .. } | ClientFrame::SendMessage { message, .. } => {
            message.reference
        }
        _ => None,
    }
}
