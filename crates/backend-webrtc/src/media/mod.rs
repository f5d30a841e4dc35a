//! Audio and video: which codecs, how frames become packets and packets frames, and how tracks and the
//! engine's senders come together.

mod assembler;
mod engine;
mod feedback;
mod gaps;
mod inbound;
mod local;
mod passing;
mod payload;
mod remote;
mod retransmissions;
mod sections;
mod senders;

pub(crate) use self::{
    engine::{interceptors, media_engine},
    feedback::KeyframeRequests,
    local::Local,
    remote::announce,
    sections::{PayloadTypes, Section, payload_types, sections},
    senders::Senders,
};
