//! Realtime groups, presence and WebRTC calls, as Skapi describes them, from Rust.
