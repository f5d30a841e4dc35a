//! Hang-ups on their way: sent again until the peer has them, when the call itself is gone already.

use std::time::Duration;

use skapi_rtc_protocol::{CallKey, ClientFrame, ConnectionId, RtcContent, RtcSignal, UserId};

use super::delivery::Resend;
use crate::{Instant, ordered::OrderedMap, outbox::Outbox};

/// How long a hang-up is sent again. A peer that was away for longer finds the line dead.
const PATIENCE: Duration = Duration::from_secs(60);

/// Hang-ups on their way at a time; beyond, the oldest is given up.
const MAX_FAREWELLS: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Farewells(OrderedMap<CallKey, Farewell>);

#[derive(Debug)]
struct Farewell {
    to: ConnectionId,
    user: Option<UserId>,
    hangup: RtcContent,
    until: Instant,
    /// `None` as long as the peer has not said that it acknowledges: Skapi's client would take a second
    /// hang-up for that of another call.
    resend: Option<Resend>,
}

impl Farewells {
    /// Sends a hang-up to a peer that acknowledges it for certain, or maybe.
    pub(super) fn say(
        &mut self,
        hangup: RtcContent,
        to: ConnectionId,
        user: Option<UserId>,
        certain: bool,
        now: Instant,
        out: &mut Outbox,
    ) {
        let Some(key) = hangup.call else { return };
        if self.0.len() >= MAX_FAREWELLS
            && let Some(oldest) = self.0.iter().min_by_key(|(_, farewell)| farewell.until)
        {
            let oldest = *oldest.0;
            self.0.remove(&oldest);
        }
        let resend = certain.then(|| Resend::first(now));
        out.send_or_keep(frame(&hangup, &to));
        self.0.insert(key, Farewell { to, user, hangup, until: now + PATIENCE, resend });
    }

    /// Something about a call that is not there. True if it is one that we have hung up; then it has no
    /// other meaning any more.
    pub(super) fn absorb(
        &mut self,
        content: &RtcContent,
        user: &UserId,
        from: &ConnectionId,
        now: Instant,
        out: &mut Outbox,
    ) -> bool {
        let Some(key) = content.call else { return false };
        let hung_up = matches!(content.signal, RtcSignal::HungUp(_));
        if hung_up && content.seq.is_some() {
            acknowledge(content, from, out);
        }
        let Some(farewell) = self.0.get_mut(&key) else { return false };
        if farewell.user.as_ref().is_some_and(|known| known != user) {
            return false;
        }
        if hung_up || content.ack >= farewell.hangup.seq {
            self.0.remove(&key);
        } else if farewell.resend.is_none()
            || matches!(content.signal, RtcSignal::None | RtcSignal::Hello)
        {
            farewell.to = from.clone();
            farewell.resend = Some(Resend::first(now));
            farewell.send(out);
        }
        true
    }

    pub(super) fn on_link_up(&mut self, out: &mut Outbox) {
        let certain = self.0.values().filter(|farewell| farewell.resend.is_some());
        certain.for_each(|farewell| farewell.send(out));
    }

    pub(super) fn on_timeout(&mut self, now: Instant, out: &mut Outbox) {
        self.0.retain(|_, farewell| farewell.until > now);
        for farewell in self.0.values_mut() {
            if let Some(resend) = farewell.resend.filter(|resend| resend.at <= now) {
                farewell.resend = Some(resend.next(now));
                farewell.send(out);
            }
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let next = |farewell: &Farewell| match farewell.resend {
            Some(resend) => resend.at.min(farewell.until),
            None => farewell.until,
        };
        self.0.values().map(next).min()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Farewell {
    fn send(&self, out: &mut Outbox) {
        if out.link_is_up() {
            out.send_or_keep(frame(&self.hangup, &self.to));
        }
    }
}

fn acknowledge(hangup: &RtcContent, to: &ConnectionId, out: &mut Outbox) {
    let mut content = RtcContent::new(RtcSignal::None);
    content.call = hangup.call;
    content.ack = hangup.seq;
    out.send(frame(&content, to));
}

fn frame(content: &RtcContent, to: &ConnectionId) -> ClientFrame {
    ClientFrame::Rtc { to: to.clone(), content: content.encode(), token: None, reference: None }
}
