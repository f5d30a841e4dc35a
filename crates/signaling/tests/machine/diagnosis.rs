//! A call that was accepted and never came up says why.

use skapi_rtc_protocol::{HangupReason, RtcSignal};
use skapi_rtc_signaling::{CallId, EndReason, RtcEvent, Side};

use super::{
    harness::{Desk, candidate, local, secs},
    peer::Peer,
};

const HOST: &str = "candidate:1 1 UDP 2130706431 192.0.2.1 5000 typ host";
const RELAY: &str = "candidate:2 1 udp 1 198.51.100.1 6000 typ relay raddr 192.0.2.1 rport 5000";
const SIX: &str = "candidate:3 1 udp 2130706431 2001:db8::1 5001 typ host";

/// Accepted; these are the candidates of both sides.
fn connecting(ours: &[&str], peers: &[&str]) -> (Desk, CallId) {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.answers(&mut desk);
    for name in ours {
        desk.reports(call, RtcEvent::Candidate(candidate(name, None)));
    }
    for name in peers {
        desk.hears(&bob, RtcSignal::Candidate(candidate(name, None)));
    }
    desk.engine_works();
    desk.forget();
    (desk, call)
}

fn reason_after(mut desk: Desk, call: CallId) -> EndReason {
    desk.wait(secs(30));
    assert_eq!(desk.said()[0].reason, Some(HangupReason::Failed));
    let end = desk.end_of(call);
    assert_eq!(end.by, Side::Local);
    end.reason
}

#[test]
fn a_side_without_an_address_is_named() {
    let (desk, call) = connecting(&[""], &[HOST]);
    assert_eq!(reason_after(desk, call), EndReason::NoCandidates(Side::Local));
    let (desk, call) = connecting(&[HOST], &["", "nonsense"]);
    assert_eq!(reason_after(desk, call), EndReason::NoCandidates(Side::Remote));
}

#[test]
fn the_pairs_that_were_tried_are_told() {
    let (desk, call) = connecting(&[HOST, SIX, HOST], &[RELAY, SIX]);
    let reason = reason_after(desk, call);
    let EndReason::NoPath { tried } = &reason else { panic!("{reason:?}") };
    let tried: Vec<_> = tried.iter().map(ToString::to_string).collect();
    let expected = [
        "host udp 192.0.2.1:5000 <-> relay udp 198.51.100.1:6000",
        "host udp [2001:db8::1]:5001 <-> host udp [2001:db8::1]:5001",
    ];
    assert_eq!(tried, expected);
    assert!(reason.to_string().contains(expected[0]));
}

#[test]
fn what_is_told_has_a_bound() {
    let many: Vec<String> =
        (0..200).map(|port| HOST.replace("5000", &(5000 + port).to_string())).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let (desk, call) = connecting(&many, &many);
    let reason = reason_after(desk, call);
    let EndReason::NoPath { tried } = &reason else { panic!("{reason:?}") };
    assert_eq!(tried.len(), 32);
}

#[test]
fn a_path_without_keys_is_a_failed_handshake() {
    let (mut desk, call) = connecting(&[HOST], &[HOST]);
    desk.reports(call, RtcEvent::PathFound);
    desk.reports(call, RtcEvent::Failed);
    desk.wait(secs(1));
    assert_eq!(desk.end_of(call), local(EndReason::HandshakeFailed));
}

#[test]
fn a_failure_of_the_engine_is_read_the_same_way() {
    let (mut desk, call) = connecting(&[HOST], &[]);
    desk.reports(call, RtcEvent::Failed);
    desk.wait(secs(1));
    assert_eq!(desk.end_of(call), local(EndReason::NoCandidates(Side::Remote)));
}
