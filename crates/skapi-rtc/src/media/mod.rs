//! Audio and video of calls, as the application holds them.

mod local;
mod remote;

pub use self::{local::LocalTrack, remote::RemoteTrack};
