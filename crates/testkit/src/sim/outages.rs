//! Times without a link, and what they do to what is on its way.

use std::time::Duration;

use skapi_rtc_signaling::{Event, Instant};

use super::{Node, NodeId, World};

/// Later than any run.
const NEVER: Duration = Duration::from_secs(1_000_000);

/// A time in which a machine had no link.
#[derive(Debug, Clone, Copy)]
pub struct Outage {
    /// When it was lost.
    pub from: Instant,
    /// When it was back; never, where the machine died.
    pub until: Instant,
    /// It was not taken up again where it broke.
    pub broken: bool,
    /// The connection that followed has another id.
    pub renamed: bool,
}

impl Node {
    /// The times in which it had no link.
    pub fn outages(&self) -> Vec<Outage> {
        let mut outages: Vec<Outage> = Vec::new();
        let (mut lost, mut name) = (None, None);
        for (at, event) in &self.events {
            match event {
                Event::Disconnected { .. } => {
                    lost.get_or_insert(*at);
                }
                Event::Connected { ready, .. } => {
                    let resumed = ready.as_ref().and_then(|ready| ready.resumed);
                    let broken = !resumed.is_some_and(|resumed| resumed.complete);
                    let now = ready.as_ref().map(|ready| &ready.cid);
                    let renamed = std::mem::replace(&mut name, now) != now;
                    let outage = |from| Outage { from, until: *at, broken, renamed };
                    outages.extend(lost.take().map(outage));
                }
                _ => {}
            }
        }
        let for_ever = |from| Outage { from, until: from + NEVER, broken: true, renamed: true };
        outages.extend(lost.or(self.died).map(for_ever));
        outages
    }
}

impl World {
    /// When something that a machine says has reached another at the latest, where links are taken up again
    /// and nothing is lost: each half of the way takes as long as a frame does, and begins anew when the link
    /// is back.
    pub fn arrives_by(&self, from: NodeId, to: NodeId, at: Instant) -> Instant {
        let leg = *self.options.frame_delay.end();
        let passes = |node: NodeId, at: Instant| {
            let outages = self.node(node).outages();
            outages.iter().fold(at + leg, |by, outage| {
                let meets = outage.from <= by && at <= outage.until + leg;
                if meets { by.max(outage.until + leg) } else { by }
            })
        };
        passes(to, passes(from, at))
    }
}
