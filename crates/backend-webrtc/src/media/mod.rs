//! Audio and video: which codecs, what passes the engine's interceptors, and how tracks and the engine's
//! senders come together.

mod engine;
mod feedback;
mod local;
mod passing;
mod remote;
mod retransmissions;
mod senders;

pub(crate) use self::{
    engine::{interceptors, media_engine},
    feedback::KeyframeRequests,
    local::Local,
    remote::announce,
    senders::Senders,
};
