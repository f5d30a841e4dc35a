//! The state machine of a Skapi realtime session: link, group and calls, without any I/O.
//!
//! A [`Session`] is a value driven from outside. It is told what happened ([`Input`]) and what the user
//! wants (its methods), it says what to do ([`Output`]) and when to wake it
//! ([`next_deadline`](Session::next_deadline)). Time is an argument and randomness a seed, so a run can be
//! repeated to the letter. Every consequence of an input is queued before the call returns.
//!
//! ```
//! use skapi_rtc_signaling::{Config, Input, Instant, Output, Session};
//!
//! let mut session = Session::new(Config::default(), 42);
//! session.connect(Instant::ZERO);
//! assert!(matches!(session.poll_output(), Some(Output::Connect { attempt: 0, .. })));
//! session.handle_input(Instant::ZERO, Input::LinkUp);
//! assert!(matches!(session.poll_output(), Some(Output::Send(_)))); // keepAlive
//! ```

mod backoff;
mod calls;
mod config;
mod end;
mod event;
mod group;
mod io;
mod link;
mod ordered;
mod outbox;
mod requests;
mod resume;
mod rng;
mod session;
mod time;

pub use calls::{
    CallInfo, CallPhase, DeviceCall, HandoverPolicy, PlaceError, PlaceOptions, PlacedUserCall,
    UnknownCall, UserCallId,
};
pub use config::{BusyPolicy, Config, ConfigError};
pub use end::{CallEnd, EndReason, Side, TriedPair};
pub use event::{CallEvent, ChangeError, CloseReason, Event, Post, UserCallEvent};
pub use io::{
    CallId, Generation, Input, LinkLoss, OpId, Output, Role, RtcAction, RtcEvent, RtcOutcome,
};
pub use requests::{RequestError, RequestId};
pub use resume::Resumption;
pub use session::{CommandError, Session, Usage};
pub use time::Instant;
