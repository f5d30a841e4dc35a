//! Whom a TURN server lets through: permissions for addresses, and channels for peers.
//!
//! Both lapse at the server and are renewed long before, as long as something is sent there. What the server refuses is not
//! asked for again at once.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

/// Addresses of peers that are let through. A peer names as many as it likes.
const MAX_PERMISSIONS: usize = 64;
/// Peers that have a channel; others get their datagrams with a longer header.
const MAX_CHANNELS: usize = 16;
/// The first number that stands for a channel (RFC 8656 §12).
const FIRST_CHANNEL: u16 = 0x4000;
/// How long something that was refused is not asked for.
const REFUSED_FOR: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct Peers {
    permissions: HashMap<IpAddr, Grant>,
    /// A number stays with its peer, also when the server knows nothing of it any more.
    channels: Vec<Channel>,
}

struct Channel {
    peer: SocketAddr,
    grant: Grant,
}

/// What was asked for.
struct Grant {
    standing: Standing,
    /// Whether anything was sent there since it was renewed.
    used: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Lapsed,
    Asked,
    Granted { renew: Instant },
    Refused { until: Instant },
}

/// Whether datagrams to a peer can leave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// They can, once this was asked: the server takes one after the other.
    Ask,
    Open,
    Shut,
}

impl Peers {
    /// Asks for the permission for an address; `sends` says whether something is about to be sent there.
    pub(super) fn permit(&mut self, now: Instant, ip: IpAddr, sends: bool) -> Way {
        if !self.permissions.contains_key(&ip) && !self.make_room() {
            return Way::Shut;
        }
        let grant = self.permissions.entry(ip).or_insert_with(Grant::new);
        grant.used |= sends;
        grant.open(now)
    }

    /// Whether datagrams from an address are expected.
    pub(super) fn is_permitted(&self, ip: IpAddr) -> bool {
        self.permissions.get(&ip).is_some_and(|grant| {
            matches!(grant.standing, Standing::Asked | Standing::Granted { .. })
        })
    }

    /// The channel of a peer, if the server knows it.
    pub(super) fn channel_to(&mut self, peer: SocketAddr) -> Option<u16> {
        let index = self.channels.iter().position(|channel| channel.peer == peer)?;
        let grant = &mut self.channels[index].grant;
        grant.used = true;
        matches!(grant.standing, Standing::Granted { .. }).then(|| number(index))
    }

    /// The number of a channel that is to be asked for.
    pub(super) fn bind(&mut self, now: Instant, peer: SocketAddr) -> Option<u16> {
        let index = match self.channels.iter().position(|channel| channel.peer == peer) {
            Some(index) => index,
            None if self.channels.len() < MAX_CHANNELS => {
                self.channels.push(Channel { peer, grant: Grant::new() });
                self.channels.len() - 1
            }
            None => return None,
        };
        let way = self.channels[index].grant.open(now);
        (way == Way::Ask).then(|| number(index))
    }

    /// The peer of a channel.
    pub(super) fn channel_from(&self, number: u16) -> Option<SocketAddr> {
        let index = usize::from(number.checked_sub(FIRST_CHANNEL)?);
        self.channels.get(index).map(|channel| channel.peer)
    }

    pub(super) fn permitted(&mut self, ip: IpAddr, renew: Instant) {
        self.set_permission(ip, Standing::Granted { renew });
    }

    pub(super) fn permission_refused(&mut self, now: Instant, ip: IpAddr) {
        self.set_permission(ip, Standing::Refused { until: now + REFUSED_FOR });
    }

    /// The server did not answer: whatever is sent next asks again.
    pub(super) fn permission_unanswered(&mut self, ip: IpAddr) {
        self.set_permission(ip, Standing::Lapsed);
    }

    pub(super) fn bound(&mut self, peer: SocketAddr, renew: Instant) {
        self.set_channel(peer, Standing::Granted { renew });
    }

    /// As with a permission.
    pub(super) fn binding_unanswered(&mut self, peer: SocketAddr) {
        self.set_channel(peer, Standing::Lapsed);
    }

    pub(super) fn binding_refused(&mut self, now: Instant, peer: SocketAddr) {
        self.set_channel(peer, Standing::Refused { until: now + REFUSED_FOR });
    }

    /// When something is to be renewed.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.grants().filter_map(Grant::renewal).min()
    }

    /// What is to be renewed now; it is again at `next`.
    pub(super) fn renew(
        &mut self,
        now: Instant,
        next: Instant,
    ) -> (Vec<IpAddr>, Vec<(SocketAddr, u16)>) {
        let mut permissions = Vec::new();
        self.permissions.retain(|ip, grant| {
            if grant.must_renew(now, next) {
                permissions.push(*ip);
            }
            grant.standing != Standing::Lapsed
        });
        let channels = self.channels.iter_mut().enumerate();
        let channels = channels.filter_map(|(index, channel)| {
            channel.grant.must_renew(now, next).then(|| (channel.peer, number(index)))
        });
        (permissions, channels.collect())
    }

    /// Forgets an address to which nothing is sent, where there are too many; whether there is room.
    fn make_room(&mut self) -> bool {
        if self.permissions.len() < MAX_PERMISSIONS {
            return true;
        }
        let idle = self.permissions.iter().find(|(_, grant)| {
            !grant.used || matches!(grant.standing, Standing::Lapsed | Standing::Refused { .. })
        });
        let Some(idle) = idle.map(|(ip, _)| *ip) else { return false };
        self.permissions.remove(&idle);
        true
    }

    fn set_permission(&mut self, ip: IpAddr, standing: Standing) {
        if let Some(grant) = self.permissions.get_mut(&ip) {
            grant.standing = standing;
        }
    }

    fn set_channel(&mut self, peer: SocketAddr, standing: Standing) {
        if let Some(channel) = self.channels.iter_mut().find(|channel| channel.peer == peer) {
            channel.grant.standing = standing;
        }
    }

    fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.permissions.values().chain(self.channels.iter().map(|channel| &channel.grant))
    }
}

impl Grant {
    fn new() -> Self {
        Self { standing: Standing::Lapsed, used: false }
    }

    fn open(&mut self, now: Instant) -> Way {
        match self.standing {
            Standing::Asked | Standing::Granted { .. } => Way::Open,
            Standing::Refused { until } if now < until => Way::Shut,
            Standing::Refused { .. } | Standing::Lapsed => {
                self.standing = Standing::Asked;
                Way::Ask
            }
        }
    }

    fn renewal(&self) -> Option<Instant> {
        match self.standing {
            Standing::Granted { renew } => Some(renew),
            _ => None,
        }
    }

    /// What nothing was sent to lapses instead.
    fn must_renew(&mut self, now: Instant, next: Instant) -> bool {
        if self.renewal().is_none_or(|renew| renew > now) {
            return false;
        }
        let used = std::mem::take(&mut self.used);
        self.standing = if used { Standing::Granted { renew: next } } else { Standing::Lapsed };
        used
    }
}

/// There are at most [`MAX_CHANNELS`].
fn number(index: usize) -> u16 {
    FIRST_CHANNEL + index as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(index: usize) -> IpAddr {
        IpAddr::from([192, 0, 2, index as u8])
    }

    #[test]
    fn permissions_are_bounded_and_idle_ones_make_room() {
        let now = Instant::now();
        let mut peers = Peers::default();
        for index in 0..200 {
            assert_eq!(peers.permit(now, ip(index), false), Way::Ask);
        }
        assert_eq!(peers.permissions.len(), MAX_PERMISSIONS);
        let mut peers = Peers::default();
        for index in 0..MAX_PERMISSIONS {
            assert_eq!(peers.permit(now, ip(index), true), Way::Ask);
            assert_eq!(peers.permit(now, ip(index), false), Way::Open);
        }
        assert_eq!(peers.permit(now, ip(100), true), Way::Shut);
        peers.permission_refused(now, ip(3));
        assert_eq!(peers.permit(now, ip(100), true), Way::Ask);
        assert!(!peers.is_permitted(ip(3)) && peers.is_permitted(ip(100)));
        assert_eq!(peers.permissions.len(), MAX_PERMISSIONS);
    }

    #[test]
    fn what_is_refused_is_asked_for_again_only_later() {
        let now = Instant::now();
        let mut peers = Peers::default();
        assert_eq!(peers.permit(now, ip(1), true), Way::Ask);
        peers.permission_refused(now, ip(1));
        assert_eq!(peers.permit(now, ip(1), true), Way::Shut);
        assert_eq!(peers.permit(now + REFUSED_FOR, ip(1), true), Way::Ask);
    }

    #[test]
    fn a_number_stays_with_its_peer_and_there_are_not_more_than_so_many() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let mut peers = Peers::default();
        let peer = |port: usize| SocketAddr::new(ip(1), port as u16);
        for port in 0..MAX_CHANNELS {
            assert_eq!(peers.bind(now, peer(port)), Some(number(port)));
            assert_eq!(peers.bind(now, peer(port)), None, "it was asked for");
            assert_eq!(peers.channel_to(peer(port)), None, "not before the server knows it");
            peers.bound(peer(port), later);
            assert_eq!(peers.channel_to(peer(port)), Some(number(port)));
        }
        assert_eq!(peers.bind(now, peer(MAX_CHANNELS)), None);
        assert_eq!(peers.channel_from(number(MAX_CHANNELS)), None);
        let (_, renewed) = peers.renew(later, later + Duration::from_secs(1));
        assert_eq!(renewed.len(), MAX_CHANNELS);
        let (_, renewed) = peers.renew(later + Duration::from_secs(1), later);
        assert_eq!(renewed, [], "nothing was sent since");
        assert_eq!(peers.channel_to(peer(3)), None);
        assert_eq!(peers.bind(later, peer(3)), Some(number(3)));
    }
}
