//! The webrtc-rs engine behind the backend traits of skapi-rtc.
