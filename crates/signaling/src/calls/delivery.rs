//! Nothing said in a call is lost: contents are numbered, acknowledged, and sent again until they are.
//!
//! ```text
//!              the peer's `caps` name `ack`
//!   Unknown ──────────────────────────────────▶ Counts
//!      │
//!      └─ a signal without a number, or `caps` without `ack` ─▶ DoesNot
//! ```
//!
//! From the first content on everything carries its number, since it is not yet known whom an offer
//! meets; Skapi's client ignores it. `docs/protocol.md` says the rest, under "Nothing is lost".

use std::{collections::VecDeque, time::Duration};

use skapi_rtc_protocol::{Capability, RtcContent, RtcSignal};

use super::{
    Ctx,
    call::{Call, Flow},
};
use crate::{CallEnd, EndReason, Instant, Side};

/// Contents that wait for their acknowledgement. More would mean that the peer does not live any more.
const MAX_UNACKNOWLEDGED: usize = 256;

/// Contents that are sent again at a time; the others follow when the peer has acknowledged some.
const MAX_BURST: usize = 64;

/// How long an acknowledgement waits for something to go with.
const ACK_DELAY: Duration = Duration::from_millis(500);

/// How long to wait before something is sent again; doubles each time.
pub(super) const FIRST_RESEND: Duration = Duration::from_secs(2);
/// The longest wait before something is sent again.
const MAX_RESEND: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Delivery {
    peer: Peer,
    /// The number of the content sent last.
    sent: u32,
    unacknowledged: VecDeque<RtcContent>,
    resend: Option<Resend>,
    /// The number up to which all of the peer's contents have arrived.
    received: u32,
    /// When to acknowledge, should nothing go out before.
    ack_at: Option<Instant>,
    /// Something is missing: the acknowledgement asks for it.
    missing: bool,
    gave_up_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peer {
    Unknown,
    Counts,
    DoesNot,
}

/// When to send again, and after which wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resend {
    pub(super) at: Instant,
    wait: Duration,
}

impl Resend {
    pub(super) fn first(now: Instant) -> Self {
        Self { at: now + FIRST_RESEND, wait: FIRST_RESEND }
    }

    pub(super) fn next(self, now: Instant) -> Self {
        let wait = (self.wait * 2).min(MAX_RESEND);
        Self { at: now + wait, wait }
    }
}

impl Delivery {
    /// Of a call with an id on the wire, or of one without, in which nothing can be counted.
    pub(super) fn new(has_key: bool) -> Self {
        Self {
            peer: if has_key { Peer::Unknown } else { Peer::DoesNot },
            sent: 0,
            unacknowledged: VecDeque::new(),
            resend: None,
            received: 0,
            ack_at: None,
            missing: false,
            gave_up_at: None,
        }
    }

    /// The peer is known to get everything in the end.
    pub(super) fn is_certain(&self) -> bool {
        self.peer == Peer::Counts
    }

    /// The peer may be one that counts: what is said to it has a number.
    pub(super) fn is_possible(&self) -> bool {
        self.peer != Peer::DoesNot
    }

    /// The peer has said what it knows.
    pub(super) fn peer_knows(&mut self, capabilities: &[Capability]) {
        if !capabilities.contains(&Capability::Ack) {
            self.forget_peer();
        } else if self.peer == Peer::Unknown {
            self.peer = Peer::Counts;
        }
    }

    /// Numbers a content that is about to be sent, and keeps a copy until it has arrived.
    pub(super) fn stamp(&mut self, content: &mut RtcContent, now: Instant) {
        self.acknowledge(content);
        if self.peer == Peer::DoesNot || !is_counted(&content.signal) {
            return;
        }
        self.sent += 1;
        content.seq = Some(self.sent);
        if self.unacknowledged.len() < MAX_UNACKNOWLEDGED {
            self.unacknowledged.push_back(content.clone());
            self.resend.get_or_insert_with(|| Resend::first(now));
        } else if self.peer == Peer::Counts {
            self.gave_up_at.get_or_insert(now);
        } else {
            // It has not said a word yet, and may be one that does not count.
            self.forget_peer();
        }
    }

    /// A content has come. False if it has come before, or before its time.
    pub(super) fn take(&mut self, content: &RtcContent, now: Instant) -> bool {
        if let Some(ack) = content.ack {
            self.arrived(ack, now);
        }
        let Some(seq) = content.seq else {
            if is_counted(&content.signal) {
                self.forget_peer();
            }
            return true;
        };
        let next = seq == self.received.wrapping_add(1);
        // Whatever is missing before a hang-up counts for nothing any more.
        let last = matches!(content.signal, RtcSignal::HungUp(_)) && seq > self.received;
        if next || last {
            self.received = seq;
        }
        self.missing |= seq > self.received;
        self.ack_at.get_or_insert(now + ACK_DELAY);
        next || last
    }

    /// What to say when there is nothing to say but what has arrived.
    pub(super) fn take_ack(&mut self) -> Option<RtcContent> {
        self.ack_at.take()?;
        Some(RtcContent::new(RtcSignal::None).ack(self.received))
    }

    /// What to send again now, with what has arrived meanwhile.
    pub(super) fn again(&mut self, now: Instant) -> Vec<RtcContent> {
        if self.unacknowledged.is_empty() || self.peer == Peer::DoesNot {
            self.resend = None;
            return Vec::new();
        }
        self.resend = Some(self.resend.map_or(Resend::first(now), |resend| resend.next(now)));
        let mut contents: Vec<_> = self.unacknowledged.iter().take(MAX_BURST).cloned().collect();
        for content in &mut contents {
            self.acknowledge(content);
        }
        contents
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let resend = self.resend.filter(|_| self.is_certain()).map(|resend| resend.at);
        [self.gave_up_at, self.ack_at, resend].into_iter().flatten().min()
    }

    /// Contents that are kept.
    pub(super) fn len(&self) -> usize {
        self.unacknowledged.len()
    }

    fn acknowledge(&mut self, content: &mut RtcContent) {
        if self.received > 0 {
            content.ack = Some(self.received);
            if !self.missing {
                self.ack_at = None;
            }
        }
    }

    fn arrived(&mut self, ack: u32, now: Instant) {
        let before = self.unacknowledged.len();
        self.unacknowledged.retain(|content| content.seq > Some(ack));
        if self.unacknowledged.is_empty() {
            // Most calls have nothing more to say until they end.
            self.unacknowledged = VecDeque::new();
            self.resend = None;
        } else if self.unacknowledged.len() < before {
            self.resend = Some(Resend::first(now));
        }
    }

    fn forget_peer(&mut self) {
        self.peer = Peer::DoesNot;
        self.unacknowledged.clear();
        self.resend = None;
    }
}

/// Whether a signal is to arrive in any case. How the transports are counts only while it is true, and a
/// `hello` may be meant for somebody else.
fn is_counted(signal: &RtcSignal) -> bool {
    !matches!(signal, RtcSignal::None | RtcSignal::Restart(_) | RtcSignal::Hello)
}

impl Call {
    /// A content of this call has come: learns from it what the peer knows and what has arrived there. False
    /// if it is not its turn.
    pub(super) fn takes(&mut self, content: &RtcContent, ctx: &mut Ctx<'_>) -> bool {
        if let Some(known) = &content.capabilities {
            self.peer_learnt(known.clone());
        }
        let fresh = self.delivery.take(content, ctx.now);
        let is_back = matches!(content.signal, RtcSignal::None | RtcSignal::Hello)
            && content.capabilities.is_some();
        if is_back && content.ack.is_some() {
            self.send_again(ctx);
        }
        fresh
    }

    pub(super) fn peer_learnt(&mut self, known: Vec<Capability>) {
        self.delivery.peer_knows(&known);
        self.peer_knows = Some(known);
    }

    /// Sends what is not acknowledged again.
    pub(super) fn send_again(&mut self, ctx: &mut Ctx<'_>) {
        if !self.delivery.is_certain() {
            return;
        }
        for content in self.delivery.again(ctx.now) {
            if ctx.out.link_is_up() {
                ctx.out.send_or_keep(self.frame(content, None));
            }
        }
    }

    /// Says what has arrived, if that has not been said.
    pub(super) fn acknowledge(&mut self, ctx: &mut Ctx<'_>) {
        let asks = std::mem::take(&mut self.delivery.missing);
        if let Some(mut content) = self.delivery.take_ack() {
            content.call = self.key;
            content.capabilities = asks.then(|| super::saying::capabilities(ctx.config));
            ctx.out.send(self.frame(content, None));
        }
    }

    pub(super) fn on_delivery_timeout(&mut self, ctx: &mut Ctx<'_>) -> Flow {
        if self.delivery.gave_up_at.is_some() {
            let reason = EndReason::Undelivered;
            return Flow::Break(CallEnd { reason, by: Side::Local });
        }
        if self.delivery.ack_at.is_some_and(|at| at <= ctx.now) {
            self.acknowledge(ctx);
        }
        if self.delivery.resend.is_some_and(|resend| resend.at <= ctx.now) {
            self.send_again(ctx);
        }
        Flow::Continue(())
    }
}
