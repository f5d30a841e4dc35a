//! Audio and video: tracks as the application holds them, and what descriptions say about them.
//!
//! The engine moves RTP packets; how frames become packets and packets frames is common to the engines
//! ([`skapi_rtc_backend::rtp`]).

mod description;
mod local;
mod remote;

pub(crate) use self::{
    description::{Wanted, finished, for_engine},
    local::{Batch, Local},
    remote::{Asking, Source},
};
