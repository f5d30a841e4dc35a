//! The suite of the backend traits over two engines: str0m makes the first offer, webrtc-rs answers.

use std::sync::Arc;

use skapi_rtc::{Backend, Str0mBackend, WebRtcBackend};
use skapi_rtc_backend::conformance_tests;

fn webrtc() -> Arc<dyn Backend> {
    Arc::new(WebRtcBackend::default())
}

fn str0m() -> Arc<dyn Backend> {
    Arc::new(Str0mBackend::default())
}

conformance_tests!(
    str0m,
    webrtc,
    not_applicable: [
        "channels::reliability_is_seen",
        "flow::a_flood_of_empty_messages_is_bounded",
        "media::frames_arrive_intact_and_in_order",
        "media::pictures_of_every_codec_survive",
        "media::packets_pass_through",
        "media::a_request_for_a_key_frame_arrives",
        "media::what_was_not_negotiated_is_refused",
        "media::what_nobody_reads_is_dropped_and_counted",
        "media::tracks_can_be_added_in_a_running_connection",
        "media::a_removed_track_sends_no_more",
        "media::a_track_that_only_answers_asks_for_nothing",
        "media::a_track_ends_with_its_connection",
        "media::statistics_count_media",
    ]
);
