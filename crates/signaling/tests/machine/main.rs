//! Every transition of the machine, told as stories: one machine, and the test plays all the others.

// The attribute is always true here; it tells clippy that helpers, too, may unwrap.
#[cfg(test)]
mod candidates;
#[cfg(test)]
mod delivery;
mod diagnosis;
#[cfg(test)]
mod ends;
#[cfg(test)]
mod engine_faults;
#[cfg(test)]
mod glare;
#[cfg(test)]
mod greeting;
#[cfg(test)]
mod group;
#[cfg(test)]
mod handover;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod incoming;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod link;
#[cfg(test)]
mod link_lost;
#[cfg(test)]
mod outgoing;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod peer_gone;
#[cfg(test)]
mod pick_up;
#[cfg(test)]
mod posts;
#[cfg(test)]
mod renegotiation;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod stock;
#[cfg(test)]
mod successor;
#[cfg(test)]
mod transport;
#[cfg(test)]
mod user_call;
