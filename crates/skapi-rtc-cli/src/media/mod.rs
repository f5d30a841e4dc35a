//! Audio and video for the commands: a clip to send, an echo of what comes, a count of it.

mod clip;
mod count;
mod echo;
mod player;

pub(crate) use self::{count::Counters, echo::Echo, player::Player};

/// The stream that our tracks belong to.
const STREAM: &str = "skapi-rtc";
