//! The suite that every engine must pass: behaviour of any two engines with each other.
//!
//! A check is an async function over a [`Rig`], which holds the two engines. In a test of a backend,
//! [`conformance_tests!`](crate::conformance_tests) makes one test of each:
//!
//! ```text
//! fn engine() -> std::sync::Arc<dyn skapi_rtc_backend::Backend> { /* yours */ }
//!
//! skapi_rtc_backend::conformance_tests!(engine, engine, not_applicable: []);
//! ```
//!
//! What an engine cannot do it says in its [`Capabilities`]. A check that needs such a thing is *not
//! applicable*: it is named in the list that the macro takes, by itself or with its topic (`media::*`),
//! and a test fails if that list and the truth differ. Nothing passes by not having been looked at.
//!
//! Checks that count what is left in the process run [alone](Check::alone), each in a test binary of
//! its own.
//!
//! Natively the suite runs on tokio; on `wasm32` on the event loop of a browser's page, which calls
//! [`checks`] itself.

mod channels;
mod closing;
mod flow;
mod leaks;
#[cfg(not(target_arch = "wasm32"))]
mod measure;
mod media;
mod messages;
mod negotiation;
mod platform;
mod reuse;
mod rig;
mod tracks;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use crate::{Backend, Capabilities, PeerConfig};

/// How long a check waits for what should happen at once, unless told otherwise. Generous, because the
/// machine may be busy with other things.
pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(30);

/// Two engines, and how to use them.
#[derive(Debug, Clone)]
pub struct Rig {
    left: Arc<dyn Backend>,
    right: Arc<dyn Backend>,
    config: PeerConfig,
    patience: Duration,
}

impl Rig {
    /// Two engines that can reach each other with the default configuration.
    pub fn new(left: Arc<dyn Backend>, right: Arc<dyn Backend>) -> Self {
        Self { left, right, config: PeerConfig::default(), patience: DEFAULT_PATIENCE }
    }

    /// Sets the configuration of every connection.
    pub fn config(mut self, config: PeerConfig) -> Self {
        self.config = config;
        self
    }

    /// Sets how long to wait for what should happen at once.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// What both engines can do.
    fn has(&self, needed: fn(&Capabilities) -> bool) -> bool {
        needed(&self.left.capabilities()) && needed(&self.right.capabilities())
    }
}

/// Why a check failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// A failure with this explanation.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(format!("an operation failed that should not: {error}"))
    }
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The engines behave.
    Passed,
    /// One of the engines cannot do this, and says so, or the platform cannot.
    NotApplicable {
        /// What is missing: a [capability](Capabilities), or something of the platform.
        missing: &'static str,
    },
    /// They do not behave.
    Failed(Failure),
}

/// One behaviour, and how to look at it.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// `topic::behaviour`.
    pub name: &'static str,
    /// What it needs that not all engines have, if anything.
    pub needs: Option<Capability>,
    /// Whether it counts what is left in the process, and so must not share one with other tests.
    pub alone: bool,
    run: fn(Rig) -> Running,
}

/// What a check needs: a capability of both engines, or of the platform.
#[derive(Debug, Clone, Copy)]
pub struct Capability {
    name: &'static str,
    has: fn(&Capabilities) -> bool,
}

impl Check {
    /// Looks.
    pub async fn run(&self, rig: &Rig) -> Outcome {
        if let Some(missing) = self.missing(rig) {
            return Outcome::NotApplicable { missing };
        }
        match (self.run)(rig.clone()).await {
            Ok(()) => Outcome::Passed,
            Err(failure) => Outcome::Failed(failure),
        }
    }

    /// Whether both engines have what it needs.
    pub fn is_applicable(&self, rig: &Rig) -> bool {
        self.missing(rig).is_none()
    }

    /// What it needs and does not find.
    pub fn missing(&self, rig: &Rig) -> Option<&'static str> {
        self.needs.filter(|needed| !rig.has(needed.has)).map(|needed| needed.name)
    }
}

#[cfg(not(target_arch = "wasm32"))]
type Running = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;
#[cfg(target_arch = "wasm32")]
type Running = Pin<Box<dyn Future<Output = Result<(), Failure>>>>;

/// Every check, in the order of the topics.
pub fn checks() -> Vec<Check> {
    macro_rules! list {
        ($($topic:ident { $($name:ident $([$needs:ident])? $(($alone:ident))?,)* })*) => {
            vec![$($(Check {
                name: concat!(stringify!($topic), "::", stringify!($name)),
                needs: list!(@needs $($needs)?),
                alone: list!(@alone $($alone)?),
                run: |rig| Box::pin(async move { $topic::$name(&rig).await }),
            },)*)*]
        };
        (@needs) => { None };
        (@needs a_process) => {
            Some(Capability {
                name: "a process of its own",
                has: |_| cfg!(not(target_arch = "wasm32")),
            })
        };
        (@needs $needs:ident) => {
            Some(Capability {
                name: stringify!($needs),
                has: |capabilities| capabilities.$needs,
            })
        };
        (@alone) => { false };
        (@alone alone) => { true };
    }
    crate::__conformance_checks!(list)
}

/// Runs the check with this name, for tests made by the macros.
///
/// # Panics
/// When the check fails, with its explanation.
pub async fn assert_check(name: &str, rig: Rig) {
    let Some(check) = checks().into_iter().find(|check| check.name == name) else {
        panic!("there is no check named {name}");
    };
    if let Outcome::Failed(failure) = check.run(&rig).await {
        panic!("{} with {}: {name}: {failure}", rig.left.name(), rig.right.name());
    }
}

/// Compares what is not applicable with what was expected not to be: names, or `topic::*` for all of one.
///
/// # Panics
/// When they differ.
pub fn assert_not_applicable(rig: &Rig, expected: &[&str]) {
    let checks = checks();
    let named = |check: &Check, entry: &str| match entry.strip_suffix('*') {
        Some(topic) => check.name.starts_with(topic),
        None => check.name == entry,
    };
    let skipped: Vec<_> =
        checks.iter().filter(|check| !check.is_applicable(rig)).map(|check| check.name).collect();
    let listed: Vec<_> = expected
        .iter()
        .flat_map(|entry| checks.iter().filter(|check| named(check, entry)))
        .map(|check| check.name)
        .collect();
    assert_eq!(skipped, listed, "these checks are not applicable; the list says otherwise");
    let unknown = expected.iter().find(|entry| !checks.iter().any(|check| named(check, entry)));
    assert_eq!(unknown, None, "there is no such check");
}

/// Makes one test of every check, and one that compares the list of what is not applicable.
///
/// Takes two functions that make an engine (`fn() -> Arc<dyn Backend>`). The crate needs `tokio` with
/// `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! conformance_tests {
    ($left:path, $right:path, not_applicable: [$($skipped:literal),* $(,)?]) => {
        fn __rig() -> $crate::conformance::Rig {
            $crate::conformance::Rig::new($left(), $right())
        }

        #[test]
        fn nothing_else_is_not_applicable() {
            $crate::conformance::assert_not_applicable(&__rig(), &[$($skipped),*]);
        }

        $crate::__conformance_checks!($crate::__conformance_test_modules);
    };
}

/// Makes tests of the checks that count what is left in the process. In a file of its own for each.
#[macro_export]
macro_rules! conformance_test_alone {
    ($left:path, $right:path, $topic:ident::$name:ident) => {
        #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let rig = $crate::conformance::Rig::new($left(), $right());
            let name = concat!(stringify!($topic), "::", stringify!($name));
            $crate::conformance::assert_check(name, rig).await;
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_test_modules {
    ($($topic:ident { $($name:ident $([$needs:ident])? $(($alone:ident))?,)* })*) => {
        $(mod $topic {
            $($crate::__conformance_test!($topic $name $($alone)?);)*
        })*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_test {
    ($topic:ident $name:ident) => {
        #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let name = concat!(stringify!($topic), "::", stringify!($name));
            $crate::conformance::assert_check(name, super::__rig()).await;
        }
    };
    ($topic:ident $name:ident alone) => {};
}

/// The one list of all checks: `topic { name [needed capability] (alone), }`.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_checks {
    ($($callback:tt)*) => {
        $($callback)*! {
            negotiation {
                the_side_that_offers_connects,
                the_other_side_may_offer_too,
                a_rolled_back_offer_is_forgotten,
                rolling_back_nothing_succeeds,
                an_answer_without_an_offer_is_refused,
                an_offer_during_an_own_offer_is_refused,
                a_bad_description_is_refused,
                a_bad_candidate_is_refused,
                candidates_may_come_before_the_description,
                a_second_negotiation_keeps_what_is_open,
                ice_restarts_in_a_running_connection [ice_restart],
                the_selected_pair_is_told,
                statistics_count_what_was_sent,
                the_round_trip_is_measured [round_trip_time],
                tracks_are_unsupported_where_there_is_no_media,
            }
            channels {
                label_protocol_and_order_are_seen,
                reliability_is_seen [incoming_reliability],
                made_by_agreement,
                an_agreed_id_is_taken_once,
                options_out_of_range_are_refused,
                the_state_goes_from_connecting_to_open,
                made_while_connected_from_both_sides,
                many,
            }
            messages {
                arrive_in_order,
                keep_their_boundaries,
                empty_ones_are_sent_or_refused,
                up_to_the_largest_size,
                larger_than_allowed_are_refused,
                unordered_ones_all_arrive,
                lossy_ones_arrive_whole_or_not_at_all,
                go_both_ways_at_once,
                before_open_are_refused,
            }
            flow {
                a_reader_that_does_not_read_holds_the_sender [back_pressure],
                a_full_buffer_is_reported,
                an_echo_that_waits_to_send_is_never_stuck,
                the_buffer_running_low_is_told,
                a_cancelled_send_leaves_whole_messages,
                events_nobody_reads_hold_nobody,
                a_flood_of_empty_messages_is_bounded [empty_messages],
                a_flood_of_tiny_messages_is_bounded,
            }
            closing {
                a_channel_closes_on_both_sides_once,
                a_channel_can_be_closed_by_the_other_side,
                what_was_sent_before_arrives,
                a_message_and_the_end_arrive_together,
                a_waiting_sender_is_released,
                a_sender_that_waits_learns_of_the_close,
                a_channel_that_never_opened_closes,
                a_connection_ends_with_its_events,
                the_other_side_notices,
                twice_and_at_once,
                nothing_works_afterwards,
                in_the_middle_of_the_set_up,
            }
            reuse {
                after_its_opener_closed_the_last,
                after_the_other_side_closed_the_last,
                after_both_sides_closed_the_last_at_once,
                with_the_sides_taking_turns,
                at_once_after_a_close,
                while_the_last_is_unread,
                beside_channels_that_stay,
                after_one_that_hardly_opened,
                hundreds_without_waiting_for_an_end,
            }
            media {
                frames_arrive_intact_and_in_order [media],
                pictures_of_every_codec_survive [media],
                packets_pass_through [media],
                a_request_for_a_key_frame_arrives [media],
                what_was_not_negotiated_is_refused [media],
                what_nobody_reads_is_dropped_and_counted [media],
                tracks_can_be_added_in_a_running_connection [media],
                a_removed_track_sends_no_more [media],
                a_track_that_only_answers_asks_for_nothing [media],
                a_track_ends_with_its_connection [media],
                statistics_count_media [media],
                several_tracks_of_a_kind_are_told_apart [media],
                no_track_is_lost_when_offers_collide [media],
                a_track_whose_offer_was_taken_back_is_offered_again [media],
                another_track_can_follow_a_removed_one [media],
                media_go_on_through_an_ice_restart [media],
            }
            leaks {
                no_task_is_left_after_close [a_process],
                no_task_is_left_after_a_drop [a_process],
                no_file_descriptor_is_left [a_process] (alone),
            }
        }
    };
}
