//! What engines that move RTP packets themselves have in common: how frames become packets and packets
//! frames, what descriptions say about media, and the state of a track at either end.
//!
//! Feature `rtp`. An engine that hands out frames by itself needs none of it.

mod assembler;
mod gaps;
mod inbound;
mod outbound;
mod payload;
mod sections;

pub use self::{
    inbound::{Arrivals, Wishes, inbound},
    outbound::{Numbering, Outbound},
    sections::{PayloadTypes, Section, agreed, payload_types, sections},
};
