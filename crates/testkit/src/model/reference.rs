//! What becomes of calls: a model of users who call each other, small enough to be read.
//!
//! It knows who did what and when, how long a word takes at most, and which faults there were. Of how
//! machines come to agree it knows nothing. Without faults each outcome has one cause, and the only choice
//! is between two that meet on the way. A fault allows what it may cause, and nothing else.

use std::time::Duration;

use skapi_rtc_protocol::CallKey;
use skapi_rtc_signaling::{EndReason, Instant, Side};

use super::{
    faults::LATE,
    history::{End, History},
    run::Checked,
};

/// From the wish to the offer or the answer: the engine is opened, and writes it. An engine that gives way
/// is closed before.
const WRITING: Duration = Duration::from_millis(300);
/// From the answer to a path that works.
const CONNECTING: Duration = Duration::from_secs(3);
/// How long it rings, and how long after both have agreed it may come up.
const CALLER_WAITS: Duration = Duration::from_secs(30);
const CALLEE_RINGS: Duration = Duration::from_secs(35);
const COMES_UP: Duration = Duration::from_secs(30);
/// A side that finds the line dead waits for a word that explains it.
const WORD_MAY_FOLLOW: Duration = Duration::from_secs(1);

pub(super) struct Reference<'a>(pub(super) &'a History);

impl Reference<'_> {
    pub(super) fn check(&self) -> Checked {
        for (key, ends) in &self.0.ends {
            self.check_call(ends).map_err(|what| told(&what, key, ends))?;
        }
        Ok(())
    }

    fn check_call(&self, ends: &[End]) -> Checked {
        match ends {
            [one] => self.stays_alone(one)?,
            [a, b] if a.node != b.node => {
                let (caller, callee) = if a.placed && !a.gave_way { (a, b) } else { (b, a) };
                self.rings(caller, callee)?;
                self.is_accepted(caller, callee)?;
                self.comes_up(caller, callee)?;
                for (end, other) in [(caller, callee), (callee, caller)] {
                    self.ends_as_told(end, other)?;
                }
            }
            // Over for want of a link, and rung again when that was back.
            _ if ends.iter().any(|end| !self.is_calm(end.node, end.peer, end.began, end.began)) => {
            }
            _ => return Err("one call has more than two ends".to_owned()),
        }
        Ok(())
    }

    /// The offer arrives: it rings there once, unless that side is calling, too, and so has accepted.
    fn rings(&self, caller: &End, callee: &End) -> Checked {
        let met = if callee.placed { callee.told_accepted } else { Some(callee.began) };
        let Some(met) = met else { return Err("gave way without a word".to_owned()) };
        let by = self.arrives(caller, caller.began + WRITING);
        demand(met >= caller.began && is_by(met, by), "it met the callee too late")?;
        if let Some((over, _)) = &caller.end {
            let by = self.arrives(caller, *over);
            demand(is_by(met, by), "it rang after it was taken back")?;
        }
        let others = self.0.others_at(callee.node, met, callee.call);
        demand(callee.placed || !self.0.rejects_when_busy || others == 0, "it rang at a busy one")?;
        // Who is told that it rings has called, and has no answer yet.
        let by = self.arrives(callee, met).filter(|_| !callee.placed);
        match caller.told_ringing {
            Some(told) => demand(
                !callee.placed && told >= met && is_by(told, by),
                "told wrongly that it rings",
            ),
            None => demand(by.is_none_or(|by| caller.end_at() <= by), "not told that it rings"),
        }
    }

    /// The answer arrives, unless the caller's own end was quicker.
    fn is_accepted(&self, caller: &End, callee: &End) -> Checked {
        let by = |at| self.arrives(callee, at + WRITING);
        match (callee.agreed(), caller.told_accepted) {
            (None, Some(_)) => Err("accepted by nobody".to_owned()),
            (Some(at), Some(told)) => {
                demand(told >= at && is_by(told, by(at)), "told at a wrong moment of the answer")
            }
            (Some(at), None) => {
                let over = caller.end_at().min(callee.end_at());
                demand(
                    self.0.engines_fail || by(at).is_none_or(|by| over <= by),
                    "never told of the answer",
                )
            }
            (None, None) => Ok(()),
        }
    }

    /// What both sides want comes up on both, and nothing else does.
    fn comes_up(&self, caller: &End, callee: &End) -> Checked {
        for end in [caller, callee] {
            demand(end.told_up <= Some(end.end_at()), "up after its end")?;
            demand(
                end.told_up.is_none() || callee.agreed() <= end.told_up,
                "up, and not accepted",
            )?;
        }
        let Some(agreed) = callee.agreed() else { return Ok(()) };
        let Some(by) = self.arrives(callee, agreed + WRITING) else {
            return Ok(());
        };
        let by = by + CONNECTING;
        let lasts = caller.end_at().min(callee.end_at()) > by;
        let up = [caller, callee].iter().all(|end| end.told_up.is_some_and(|up| up <= by));
        let calm = self.is_calm(caller.node, callee.node, agreed, by);
        demand(up || !lasts || !calm, "accepted, and not up on both sides")
    }

    /// Each end has a cause: a user, a word of the other side, a time that is over, or a fault.
    fn ends_as_told(&self, end: &End, other: &End) -> Checked {
        let Some((at, how)) = &end.end else {
            return demand(end.died.is_some(), "it never ended");
        };
        if let Some(user) = end.ended_by_user {
            demand(user == *at && how.by == Side::Local, "its user's wish did not end it")?;
        }
        let word = other.ended_itself();
        let heard_by = word.and_then(|(said, _)| self.arrives(other, said));
        demand(heard_by.is_none_or(|by| *at <= by), "went on after the other's word")?;
        if how.by == Side::Local {
            return demand(
                self.ends_itself(end, Some(other), *at, &how.reason),
                "ended without a cause",
            );
        }
        let told =
            word.is_some_and(|(said, word)| said <= *at && as_told(&word.reason) == how.reason);
        demand(told || self.is_found_gone(end, *at, &how.reason), "nobody said that")
    }

    /// Whether a side ends a call by itself at this moment and for this reason.
    fn ends_itself(&self, end: &End, other: Option<&End>, at: Instant, reason: &EndReason) -> bool {
        let by_user = end.ended_by_user == Some(at);
        let agreed = end.agreed().is_some_and(|agreed| agreed <= at);
        let calm = self.is_calm(end.node, end.peer, end.began, at);
        let dead_line = other.is_some_and(|other| {
            let word = self.arrives(other, other.end_at());
            other.end_at() < at && word.is_none_or(|by| by > other.end_at() + WORD_MAY_FOLLOW)
        });
        let time_is_over = at == end.began + if end.placed { CALLER_WAITS } else { CALLEE_RINGS };
        match reason {
            EndReason::HungUp => by_user && agreed,
            EndReason::Cancelled => {
                by_user && end.placed && end.agreed().is_none_or(|when| when >= at)
            }
            EndReason::Declined => by_user && !end.placed && !agreed,
            EndReason::NoAnswer => !agreed && time_is_over,
            EndReason::SignalingLost { .. } => {
                end.told_up.is_none()
                    && (self.link_is_lost(end.node, at)
                        || (time_is_over && self.link_is_down(end.node, at)))
            }
            EndReason::TransportFailed => dead_line || (!calm && self.path_is_gone(end, at)),
            EndReason::EngineFailed(_) => {
                dead_line || (self.0.engines_fail && end.told_up.is_none())
            }
            EndReason::ConnectTimeout | EndReason::NoPath { .. } | EndReason::NoCandidates(_) => {
                end.told_up.is_none()
                    && agreed
                    && !calm
                    && (self.path_is_gone(end, at)
                        || end.agreed().is_some_and(|agreed| at >= agreed + COMES_UP))
            }
            _ => false,
        }
    }

    /// Whether a side may be told, not by the other, that there is nothing more to talk to.
    fn is_found_gone(&self, end: &End, at: Instant, reason: &EndReason) -> bool {
        let lost_link =
            self.0.outages[&end.peer].iter().any(|outage| outage.broken && outage.from < at);
        match reason {
            EndReason::PeerGone => lost_link,
            EndReason::Unreachable => end.placed && lost_link,
            // It asked, or called anew, and the other knew nothing of this call any more.
            EndReason::TransportFailed => !self.is_calm(end.node, end.peer, end.began, at),
            // It gave us up, and had somebody else, or called us anew, when we were back and called on.
            EndReason::Busy => {
                let occupies = |other: &&End| {
                    let is_another =
                        other.peer != end.node || other.placed && other.began > end.began;
                    other.node == end.peer && is_another && other.end_at() > end.began
                };
                self.0.rejects_when_busy
                    && end.placed
                    && self.0.all.iter().any(|other| occupies(&other))
                    && !self.is_calm(end.node, end.peer, end.began, at)
            }
            EndReason::Declined | EndReason::Cancelled | EndReason::HungUp => {
                let this = |ends: &&Vec<End>| {
                    ends.iter().any(|half| (half.node, half.call) == (end.node, end.call))
                };
                let anew = |other: &&End| {
                    let placed = other.placed && other.began < at && other.end_at() > end.began;
                    placed && other.node == end.peer && other.peer == end.node
                };
                self.0.ends.values().filter(|ends| !this(ends)).flatten().any(|other| anew(&other))
                    && !self.is_calm(end.node, end.peer, end.began, at)
            }
            _ => false,
        }
    }

    /// A call that the other side has never had, or has not had under this name.
    fn stays_alone(&self, end: &End) -> Checked {
        let Some((at, how)) = &end.end else {
            return demand(end.died.is_some(), "it never ended");
        };
        let offered_by = self.arrives(end, end.began + WRITING);
        let all = self.0.all.iter();
        let mut there = all.clone().filter(|other| {
            let met = other.began <= offered_by.unwrap_or(*at + LATE) && other.end_at() > end.began;
            other.node == end.peer && met
        });
        let known = if !end.placed || end.gave_way {
            // Both called, one took its call back, and the other has given way to what was no more.
            let gave_way =
                |other: &&End| (other.node, other.peer) == (end.peer, end.node) && other.gave_way;
            let told =
                |other: &End| other.told_accepted.and_then(|given| self.arrives(other, given));
            // Its user may be quicker than the word of that.
            let own = self.ends_itself(end, None, *at, &how.reason);
            (how.by == Side::Remote || own)
                && all.filter(gave_way).any(|other| is_by(*at, told(other)))
        } else {
            let busy = self.0.rejects_when_busy && there.clone().next().is_some();
            let beaten = there.any(|other| other.placed && other.peer == end.node);
            let told_by = offered_by.and_then(|by| self.way(end.peer, end.node, end.began, by));
            match &how.reason {
                EndReason::Busy => busy && how.by == Side::Remote && is_by(*at, told_by),
                own if *at <= end.began + WRITING || beaten => {
                    self.ends_itself(end, None, *at, own)
                }
                own => busy && is_by(*at, told_by) && self.ends_itself(end, None, *at, own),
            }
        };
        // What was taken back may have been on its way yet.
        let on_its_way = offered_by.unwrap_or(*at + LATE).max(*at);
        let excused = !self.is_calm(end.node, end.peer, end.began, on_its_way)
            && (self.ends_itself(end, None, *at, &how.reason)
                || self.is_found_gone(end, *at, &how.reason)
                || how.reason == EndReason::Busy);
        demand(known || excused, "nobody there has had it")
    }
}

/// What the other side gives as the reason for this one.
fn as_told(reason: &EndReason) -> EndReason {
    match reason {
        EndReason::HungUp | EndReason::Declined | EndReason::Cancelled | EndReason::NoAnswer => {
            reason.clone()
        }
        _ => EndReason::TransportFailed,
    }
}

fn is_by(at: Instant, by: Option<Instant>) -> bool {
    by.is_none_or(|by| at <= by)
}

fn demand(holds: bool, what: &str) -> Checked {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

fn told(what: &str, key: &CallKey, ends: &[End]) -> String {
    let ends: Vec<_> = ends.iter().map(|end| format!("\n  {end:?}")).collect();
    format!("{key}: {what}{}", ends.concat())
}
