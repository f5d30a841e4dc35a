//! The service says that a peer's connection is gone.

use skapi_rtc_protocol::{
    ClientFrame, ErrorCode, GroupName, LinkState, Notice, NoticeCode, Resumed, RtcSignal,
    ServerFrame,
};
use skapi_rtc_signaling::{CallEvent, CallPhase, EndReason, RtcEvent};

use super::{
    harness::{Desk, OWN_CID, cid, millis, remote, secs},
    peer::Peer,
};

pub(super) fn notice(peer: &Peer, code: NoticeCode) -> ServerFrame {
    ServerFrame::Notice(Notice {
        code,
        user: peer.user.clone(),
        from: peer.cid.clone(),
        group: GroupName::new("lobby").unwrap(),
    })
}

fn gone(desk: &mut Desk, peer: &Peer) {
    desk.frame(notice(peer, NoticeCode::UserDisconnected));
}

#[test]
fn before_a_call_is_up_that_is_its_end() {
    for phase in [
        CallPhase::Preparing,
        CallPhase::Dialing,
        CallPhase::Ringing,
        CallPhase::Answering,
        CallPhase::Connecting,
    ] {
        let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
        let call = match phase {
            CallPhase::Preparing => desk.place(&bob),
            CallPhase::Dialing => bob.is_called(&mut desk),
            CallPhase::Connecting => bob.answers(&mut desk),
            _ => bob.calls(&mut desk),
        };
        if phase == CallPhase::Answering {
            desk.accept(call);
        }
        assert_eq!(desk.phase(call), Some(phase));
        gone(&mut desk, &bob);
        assert_eq!(desk.end_of(call), remote(EndReason::PeerGone), "{phase:?}");
    }
}

#[test]
fn leaving_the_group_is_not_going() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.is_called(&mut desk);
    desk.frame(notice(&bob, NoticeCode::UserLeft));
    assert_eq!(desk.phase(call), Some(CallPhase::Dialing));
}

#[test]
fn a_running_call_goes_on_as_long_as_its_own_connection_does() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    gone(&mut desk, &bob);
    desk.wait(secs(60));
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
}

#[test]
fn both_connections_gone_means_gone_in_either_order() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    gone(&mut desk, &bob);
    desk.reports(call, RtcEvent::Disconnected);
    assert_eq!(desk.end_of(call), remote(EndReason::PeerGone));

    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reports(call, RtcEvent::Disconnected);
    gone(&mut desk, &bob);
    assert_eq!(desk.end_of(call), remote(EndReason::PeerGone));

    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reports(call, RtcEvent::Closed);
    gone(&mut desk, &bob);
    assert_eq!(desk.end_of(call), remote(EndReason::PeerGone));
}

#[test]
fn a_peer_that_comes_back_under_another_id_is_the_same_peer() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    gone(&mut desk, &bob);
    bob.cid = cid("c-bob-2");
    desk.hears(&bob, RtcSignal::None);
    assert_eq!(desk.session.call(call).unwrap().peer, bob.cid);
    // From now on an interruption is only an interruption.
    desk.reports(call, RtcEvent::Disconnected);
    assert_eq!(desk.call_events(), [CallEvent::Reconnecting]);
    desk.frame(bob.hangs_up(None));
    assert_eq!(desk.end_of(call), remote(EndReason::HungUp));
    assert_eq!(desk.session.usage().index, 0);
}

#[test]
fn another_user_cannot_take_a_peers_place() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    let mut eve = Peer::ours("eve");
    eve.key = bob.key;
    desk.hears(&eve, RtcSignal::None);
    desk.frame(eve.hangs_up(None));
    assert_eq!(desk.session.call(call).unwrap().peer, bob.cid);
}

#[test]
fn an_interrupted_call_asks_whether_the_peer_is_still_there() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reports(call, RtcEvent::Disconnected);
    let sent = desk.sent();
    let Some(ClientFrame::Rtc { reference: Some(reference), .. }) = sent.first() else {
        panic!("{sent:?}");
    };
    desk.refuse(*reference, ErrorCode::UnknownConnection);
    assert_eq!(desk.end_of(call), remote(EndReason::PeerGone));
}

#[test]
fn a_late_word_that_the_peer_is_gone_does_not_end_a_call_that_has_recovered() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reports(call, RtcEvent::Disconnected);
    let sent = desk.sent();
    let Some(ClientFrame::Rtc { reference: Some(reference), .. }) = sent.first() else {
        panic!("{sent:?}");
    };
    desk.reports(call, RtcEvent::Connected);
    desk.refuse(*reference, ErrorCode::UnknownConnection);
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
}

fn link(desk: &mut Desk, peer: &Peer, state: LinkState) {
    desk.frame(ServerFrame::Link { state, of: peer.cid.clone() });
}

/// A peer whose process was killed while a call of it rings, or while it is called.
#[test]
fn a_peer_without_a_socket_is_waited_for_a_while_before_a_call_is_up() {
    for ringing in [true, false] {
        let (mut desk, mut bob) = (Desk::up_resumable(), Peer::ours("bob"));
        let call = if ringing { bob.calls(&mut desk) } else { bob.is_called(&mut desk) };
        link(&mut desk, &bob, LinkState::Lost);
        desk.wait(secs(9));
        assert!(desk.phase(call).is_some());
        desk.forget();
        desk.wait(secs(1));
        // Should it come back after all, it finds that it was given up.
        assert!(matches!(desk.signals()[..], [RtcSignal::HungUp(_)]));
        assert_eq!(desk.end_of(call), remote(EndReason::PeerGone));
    }
}

#[test]
fn a_peer_that_comes_back_in_time_has_not_been_missed() {
    for state in [Some(LinkState::Back), None] {
        let (mut desk, bob) = (Desk::up_resumable(), Peer::ours("bob"));
        let call = bob.calls(&mut desk);
        link(&mut desk, &bob, LinkState::Lost);
        desk.wait(secs(9));
        match state {
            Some(state) => link(&mut desk, &bob, state),
            None => desk.hears(&bob, RtcSignal::None),
        }
        desk.wait(secs(9));
        assert_eq!(desk.phase(call), Some(CallPhase::Ringing));
    }
}

#[test]
fn a_peer_without_a_socket_that_is_on_the_line_is_there() {
    let (mut desk, mut bob) = (Desk::up_resumable(), Peer::restarts("bob"));
    let call = bob.talks_as_callee(&mut desk);
    link(&mut desk, &bob, LinkState::Lost);
    desk.wait(secs(600));
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
    // It may come back even then, but not for long.
    desk.reports(call, RtcEvent::Disconnected);
    desk.wait(millis(2_999));
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
    desk.wait(millis(1));
    assert_eq!(desk.end_of(call), remote(EndReason::PeerGone));
}

#[test]
fn a_peer_without_socket_and_transports_is_gone_after_ten_seconds_unless_either_comes_back() {
    let start = || {
        let (mut desk, mut bob) = (Desk::up_resumable(), Peer::restarts("bob"));
        let call = bob.talks_as_callee(&mut desk);
        link(&mut desk, &bob, LinkState::Lost);
        desk.wait(secs(5));
        desk.reports(call, RtcEvent::Disconnected);
        desk.wait(millis(4_999));
        assert_eq!(desk.phase(call), Some(CallPhase::Established));
        (desk, bob, call)
    };
    let (mut desk, _, call) = start();
    desk.wait(millis(1));
    assert_eq!(desk.end_of(call), remote(EndReason::PeerGone));

    let (mut desk, _, call) = start();
    desk.reports(call, RtcEvent::Connected);
    desk.wait(secs(60));
    assert_eq!(desk.phase(call), Some(CallPhase::Established));

    // A change of networks: the link is back first, and a path is searched for.
    let (mut desk, bob, call) = start();
    desk.forget();
    link(&mut desk, &bob, LinkState::Back);
    assert!(matches!(desk.signals()[..], [RtcSignal::Restart(_)]));
    desk.wait(secs(30));
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
}

#[test]
fn who_has_no_link_itself_gives_nobody_up() {
    let (mut desk, bob) = (Desk::up_resumable(), Peer::ours("bob"));
    let call = bob.calls(&mut desk);
    link(&mut desk, &bob, LinkState::Lost);
    desk.link_lost();
    desk.wait(secs(20));
    assert_eq!(desk.phase(call), Some(CallPhase::Ringing));
    desk.link_up();
    desk.greet_resumable(OWN_CID, Some(Resumed { received: 1, complete: true }));
    desk.wait(secs(10));
    assert_eq!(desk.end_of(call), remote(EndReason::PeerGone));
}

#[test]
fn what_the_service_says_to_all_counts_without_a_group_too() {
    let (mut desk, mut bob) = (Desk::up_resumable(), Peer::ours("bob"));
    let call = bob.is_called(&mut desk);
    link(&mut desk, &bob, LinkState::Gone);
    assert_eq!(desk.end_of(call), remote(EndReason::PeerGone));
}
