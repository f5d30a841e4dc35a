//! Whether the machine has moved to another network under a running connection.
//!
//! The engine does not look. So the driver's quiet rounds do, now and then: a round that waits for
//! nothing soon is the moment at which a lost path would show.

use std::{
    net::{IpAddr, ToSocketAddrs},
    time::{Duration, Instant},
};

use crate::addresses::LocalAddresses;

/// How often the machine's addresses are listed.
const PERIOD: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Moves {
    addresses: LocalAddresses,
    known: Option<Vec<IpAddr>>,
    look_at: Instant,
}

/// What a connection would lose with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// It leaves from this address.
    From(IpAddr),
    /// It works, and may leave from any.
    FromAny,
    /// There is none now, and any address could help.
    Lost,
}

impl Moves {
    pub(crate) fn new(addresses: LocalAddresses) -> Self {
        Self { addresses, known: None, look_at: Instant::now() }
    }

    /// Looks, if it is time. True if what has changed since the last look concerns the path.
    pub(crate) fn look(&mut self, path: impl FnOnce() -> Path) -> bool {
        let now = Instant::now();
        if now < self.look_at {
            return false;
        }
        self.look_at = now + PERIOD;
        let Ok(current) = self.addresses.to_socket_addrs() else { return false };
        let current: Vec<_> = current.map(|address| address.ip()).collect();
        let before = self.known.replace(current.clone());
        before.is_some_and(|before| concerns(path(), &before, &current))
    }
}

/// A path that works is not given up for an address that has come.
fn concerns(path: Path, before: &[IpAddr], current: &[IpAddr]) -> bool {
    let gone = |address: &IpAddr| !current.contains(address);
    match path {
        Path::From(address) => before.contains(&address) && gone(&address),
        Path::FromAny => before.iter().any(gone),
        Path::Lost => before != current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_goes_concerns_the_path_that_leaves_from_it() {
        let [wifi, cable]: [IpAddr; 2] = ["192.0.2.1", "198.51.100.1"].map(|a| a.parse().unwrap());
        let both = [wifi, cable];
        assert!(concerns(Path::From(wifi), &both, &[cable]));
        assert!(!concerns(Path::From(cable), &both, &[cable]));
        assert!(concerns(Path::FromAny, &both, &[cable]));
    }

    #[test]
    fn an_address_that_comes_helps_only_who_has_no_path() {
        let [wifi, cable]: [IpAddr; 2] = ["192.0.2.1", "198.51.100.1"].map(|a| a.parse().unwrap());
        assert!(!concerns(Path::From(wifi), &[wifi], &[wifi, cable]));
        assert!(!concerns(Path::FromAny, &[wifi], &[wifi, cable]));
        assert!(concerns(Path::Lost, &[wifi], &[wifi, cable]));
        assert!(!concerns(Path::Lost, &[wifi], &[wifi]));
    }

    #[test]
    fn the_first_look_is_no_change_and_the_next_one_waits() {
        let mut moves = Moves::new(LocalAddresses(std::sync::Arc::default()));
        assert!(!moves.look(|| Path::Lost));
        moves.known = Some(Vec::new());
        assert!(!moves.look(|| Path::Lost), "too soon");
        moves.look_at = Instant::now();
        assert!(moves.look(|| Path::Lost));
    }
}
