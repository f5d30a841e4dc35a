//! What engines that move RTP packets themselves have in common: how frames become packets and packets
//! frames, what descriptions say about media, and the state of a track at either end.
//!
//! Feature `rtp`. An engine that hands out frames by itself needs none of it.

mod assembler;
mod gaps;
mod inbound;
mod outbound;
mod payload;
mod remote;
mod sections;

pub use self::{
    inbound::Arrivals,
    outbound::{Numbering, Outbound},
    remote::{RemoteSource, remote_track},
    sections::{PayloadTypes, Section, agreed, payload_types, sections},
};
