//! Counters: what the service has done since it started.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $name:ident: $kind:literal,)+) => {
        /// The counters, written by everybody and read by few.
        #[derive(Debug, Default)]
        pub(crate) struct Metrics {
            $(pub(crate) $name: Counter,)+
        }

        /// The counters of a server at one moment.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct MetricsSnapshot {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl Metrics {
            pub(crate) fn snapshot(&self) -> MetricsSnapshot {
                MetricsSnapshot { $($name: self.$name.get(),)+ }
            }
        }

        impl MetricsSnapshot {
            /// The counters in the text format of Prometheus.
            pub(crate) fn prometheus(&self) -> String {
                let mut text = String::new();
                $(
                    let name = concat!("skapi_rtc_", stringify!($name));
                    // Writing to a `String` cannot fail.
                    let _ = write!(
                        text,
                        "# HELP {name}{}\n# TYPE {name} {}\n{name} {}\n",
                        concat!($($doc),+), $kind, self.$name,
                    );
                )+
                text
            }
        }
    };
}

metrics! {
    /// WebSocket connections now.
    connections: "gauge",
    /// Connections without a socket now, whose clients may come back.
    parked: "gauge",
    /// Groups now.
    groups: "gauge",
    /// WebSocket connections that were accepted.
    connections_total: "counter",
    /// WebSocket connections and queries refused for their token.
    unauthorized_total: "counter",
    /// Connections that were resumed with nothing lost.
    resumed_total: "counter",
    /// WebSocket connections refused because a limit was reached.
    refused_total: "counter",
    /// WebSocket connections sent away because too many came at once.
    sent_away_total: "counter",
    /// Frames that clients sent.
    frames_in_total: "counter",
    /// Frames that were queued for clients.
    frames_out_total: "counter",
    /// Frames of clients that could not be read, or were too large.
    bad_frames_total: "counter",
    /// Frames of clients dropped because they came too fast.
    frames_dropped_total: "counter",
    /// Connections closed because the client did not read its messages.
    slow_consumers_total: "counter",
    /// Connections closed because nothing was heard of the client.
    silent_total: "counter",
    /// HTTP queries answered.
    queries_total: "counter",
}

/// One number that many tasks add to.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    pub(crate) fn set(&self, n: usize) {
        self.0.store(n as u64, Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_have_a_name_a_type_and_a_help_text() {
        let metrics = Metrics::default();
        metrics.frames_in_total.add(3);
        let text = metrics.snapshot().prometheus();
        assert!(text.contains(
            "# HELP skapi_rtc_frames_in_total Frames that clients sent.\n\
             # TYPE skapi_rtc_frames_in_total counter\n\
             skapi_rtc_frames_in_total 3\n"
        ));
    }
}
