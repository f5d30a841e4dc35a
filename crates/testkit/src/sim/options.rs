//! What a simulated world is like.

use std::{ops::RangeInclusive, time::Duration};

/// How slow, how broken.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long a frame takes from one client to another, or to the service and back.
    pub frame_delay: RangeInclusive<Duration>,
    /// How long an engine takes for one operation.
    pub op_delay: RangeInclusive<Duration>,
    /// How long an engine takes to report something.
    pub report_delay: RangeInclusive<Duration>,
    /// How many candidates an engine gathers.
    pub candidates: RangeInclusive<usize>,
    /// The share of engine operations that fail, 0 to 1.
    pub failing_ops: f64,
    /// The share of contents that the service loses on their way, 0 to 1; never the offer that begins a
    /// call, which nobody sends again because a stock peer would ring twice.
    pub lost_contents: f64,
    /// Whether the service greets and answers, as our own does and Skapi's does not.
    pub greets: bool,
    /// Whether the service takes lost connections up again.
    pub resumes: bool,
    /// Whether the run is written down.
    pub trace: bool,
}

impl Default for Options {
    fn default() -> Self {
        let millis = |from, to| Duration::from_millis(from)..=Duration::from_millis(to);
        Self {
            frame_delay: millis(1, 200),
            op_delay: millis(0, 60),
            report_delay: millis(0, 150),
            candidates: 1..=6,
            failing_ops: 0.0,
            lost_contents: 0.0,
            greets: true,
            resumes: false,
            trace: false,
        }
    }
}

/// A time out of a range.
pub(crate) fn pick(rng: &mut fastrand::Rng, range: &RangeInclusive<Duration>) -> Duration {
    let micros = |time: &Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(rng.u64(micros(range.start())..=micros(range.end())))
}
